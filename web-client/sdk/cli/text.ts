import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Columns } from "./output.ts";

/** Formats a time for lists; empty if unset. */
export function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString();
}

/** Formats one row as text, one line per column. */
export function factsText<Row>(columns: Columns<Row>, row: Row): string {
  const width = Math.max(...Object.keys(columns).map((heading) => heading.length));
  return Object.entries(columns)
    .map(([heading, cell]) => `${heading.toLowerCase().padEnd(width)}  ${cell(row)}`.trimEnd())
    .join("\n");
}

/** Returns the first rows. */
export async function* take<T>(rows: AsyncIterable<T>, limit: number): AsyncGenerator<T> {
  let left = limit;
  for await (const row of rows) {
    yield row;
    left -= 1;
    if (left === 0) {
      return;
    }
  }
}
