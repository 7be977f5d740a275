import { setImmediate as turn } from "node:timers/promises";
import { encodePageToken, type PageKey } from "./page-token.ts";

/** About how many bytes the rows of one page have. A page ends before a row that would exceed it. */
export const PAGE_BYTES = 2 * 1024 * 1024;
/** How many lines (of orders, shipments, reservations) one response has at the most, beyond its first row. */
export const PAGE_LINES = 5_000;
/** What a line counts, so that a page of lines alone ends at {@link PAGE_LINES}. */
export const LINE_BYTES = Math.floor(PAGE_BYTES / PAGE_LINES);

const FIRST_READ = 51;

export interface PageRead<Row, Keys extends readonly PageKey[]> {
  /** How many rows the caller asked for. */
  readonly size: number;
  /** What the page token is bound to, see `encodePageToken`. */
  readonly query: readonly string[];
  /** The keys of the row after which the page begins; undefined for the first page. */
  readonly after: Keys | undefined;
  /** The values by which a row is sorted. */
  readonly keysOf: (row: Row) => Keys;
  /** The next rows after one, in the list's order, at most `limit`. */
  readonly read: (after: Keys | undefined, limit: number) => Promise<readonly Row[]>;
  /** About how many bytes the row has in a response. */
  readonly bytesOf: (row: Row) => number;
  /** How many rows are read before their size is known; 51 unless given. Fewer where one row can be large. */
  readonly firstRead?: number;
}

/**
 * Reads one page of a list: `size` rows, or fewer where they would exceed about {@link PAGE_BYTES}, but at least one.
 * The token is empty on the last page. Large pages are read in several parts with turns of the event loop between them.
 */
export async function readPage<Row, Keys extends readonly PageKey[]>(
  page: PageRead<Row, Keys>,
): Promise<{ rows: readonly Row[]; nextPageToken: string }> {
  const { size, query, keysOf, read, bytesOf, firstRead = FIRST_READ } = page;
  const rows: Row[] = [];
  let bytes = 0;
  let { after } = page;
  for (let limit = Math.min(size + 1, firstRead); ; ) {
    const found = await read(after, limit);
    for (const row of found) {
      bytes += bytesOf(row);
      const last = rows.at(-1);
      if (last !== undefined && (rows.length === size || bytes > PAGE_BYTES)) {
        return { rows, nextPageToken: encodePageToken(query, keysOf(last)) };
      }
      rows.push(row);
    }
    const last = rows.at(-1);
    if (last === undefined || found.length < limit) {
      return { rows, nextPageToken: "" };
    }
    after = keysOf(last);
    const fitting = Math.ceil((PAGE_BYTES - bytes) / Math.max(1, bytes / rows.length));
    limit = Math.max(1, Math.min(size - rows.length + 1, fitting + 1));
    await turn();
  }
}
