import { PAGE_BYTES } from "../../../runtime/api/read-page.ts";

/** A service's rows of a page, by descending id. */
export interface PagePart<Row> {
  readonly rows: readonly Row[];
  /** Whether the service has more rows after these. */
  readonly more: boolean;
}

/**
 * Merges the services' rows by descending id, as far as all of them are known: below the last row of a service that has
 * more, its next rows are missing. At most `size` rows and about {@link PAGE_BYTES}, but at least one if there is any.
 */
export function mergePages<Row>(
  parts: readonly PagePart<Row>[],
  {
    size,
    idOf,
    bytesOf,
  }: { readonly size: number; readonly idOf: (row: Row) => string; readonly bytesOf: (row: Row) => number },
): PagePart<Row> {
  const ends = parts.flatMap(({ rows, more }) => (more ? rows.slice(-1) : [])).map(idOf);
  const floor = ends.sort().at(-1) ?? "";
  const all = parts.flatMap(({ rows }) => rows);
  const known = all.filter((row) => idOf(row) >= floor).sort((a, b) => (idOf(a) > idOf(b) ? -1 : 1));
  let bytes = 0;
  const beyond = known.findIndex((row, index) => {
    bytes += bytesOf(row);
    return index === size || (index > 0 && bytes > PAGE_BYTES);
  });
  const rows = beyond < 0 ? known : known.slice(0, beyond);
  return { rows, more: rows.length < all.length || parts.some(({ more }) => more) };
}
