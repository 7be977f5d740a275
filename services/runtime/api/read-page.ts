import { setImmediate as turn } from "node:timers/promises";
import { encodePageToken, type PageKey } from "./page-token.ts";

/** Approximate size limit of a page in bytes. A page ends before a row that would exceed it. */
export const PAGE_BYTES = 2 * 1024 * 1024;
/** Most lines (of orders, shipments, reservations) in one response beyond its first row. */
export const PAGE_LINES = 5_000;
/** Size assigned to a line, so that a page of lines alone ends at {@link PAGE_LINES}. */
export const LINE_BYTES = Math.floor(PAGE_BYTES / PAGE_LINES);

const FIRST_READ = 51;

export interface PageRead<Row, Keys extends readonly PageKey[]> {
  /** Requested number of rows. */
  readonly size: number;
  /** The query that the page token is bound to, see `encodePageToken`. */
  readonly query: readonly string[];
  /** Sort keys of the row before the page; undefined for the first page. */
  readonly after: Keys | undefined;
  /** Sort keys of a row. */
  readonly keysOf: (row: Row) => Keys;
  /** Reads the rows after a position in the list's order, at most `limit`. */
  readonly read: (after: Keys | undefined, limit: number) => Promise<readonly Row[]>;
  /** Approximate size of the row in a response, in bytes. */
  readonly bytesOf: (row: Row) => number;
  /** Rows read before their size is known. Default 51; use fewer where one row can be large. */
  readonly firstRead?: number;
}

/**
 * Reads one page of a list: `size` rows, or fewer if they would exceed about {@link PAGE_BYTES}, but at least one. The
 * token is empty on the last page. Large pages are read in parts, yielding to the event loop in between.
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
