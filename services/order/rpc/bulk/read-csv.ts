import { pipeline, Readable } from "node:stream";
import { type Info, parse } from "csv-parse";
import { invalidArgument } from "../../../runtime/errors.ts";
import { type CsvColumn, knownColumns, orderColumns, requiredColumns, secretColumns } from "./csv-columns.ts";
import { type CsvGroup, type CsvRow, toRecord } from "./csv-record.ts";
import type { ImportRecord, RecordFailure } from "./import-record.ts";

/** One more than an order may have lines, so that too many are still seen as too many. */
const MAX_ROWS = 501;
const MAX_ROW_BYTES = 1024 * 1024;
const repeated: readonly CsvColumn[] = [...orderColumns, ...secretColumns];

/**
 * Orders from CSV (RFC 4180) with a header row; see `csv-columns.ts`. Holds no more than one order at a time.
 *
 * @throws ConnectError INVALID_ARGUMENT for a header that is wrong, and where the file stops being CSV
 */
export async function* readCsv(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ImportRecord> {
  let key: string | undefined;
  let rows: CsvRow[] = [];
  let rowCount = 0;
  let failure: RecordFailure | undefined;
  const take = () => {
    const group: CsvGroup = { rows, rowCount, failure };
    [rows, rowCount, failure] = [[], 0, undefined];
    return toRecord(group);
  };
  for await (const row of readRows(chunks)) {
    const { external_id, name } = row.values;
    const own = external_id || name || undefined;
    if (rowCount > 0 && (own === undefined || own !== key)) {
      yield take();
    }
    key = own;
    rowCount += 1;
    failure ??= row.failure ?? differing(rows[0], row);
    if (rows.length < MAX_ROWS) {
      rows.push(row);
    }
  }
  if (rowCount > 0) {
    yield take();
  }
}

/** The order's own columns may be repeated or left empty after its first row. */
function differing(first: CsvRow | undefined, { lineNumber, values }: CsvRow): RecordFailure | undefined {
  const field = first && repeated.find((it) => values[it] && values[it] !== (first.values[it] ?? ""));
  return (
    field && { lineNumber, field, message: `differs from line ${first.lineNumber}, the first one of the same order` }
  );
}

type ReadRow = CsvRow & { readonly failure?: RecordFailure };

async function* readRows(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ReadRow> {
  const parser = parse({
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_BYTES,
  });
  pipeline(Readable.from(chunks, { objectMode: false }), parser, () => {});
  let header: CsvColumn[] | undefined;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
      if (header === undefined) {
        header = readHeader(record);
        continue;
      }
      const breaks = record.reduce((sum, value) => sum + value.split("\n").length - 1, 0);
      const lineNumber = info.lines - breaks;
      const values = Object.fromEntries(header.map((column, i) => [column, record[i] ?? ""]));
      const wanted = header.length;
      yield {
        lineNumber,
        values,
        ...(record.length !== wanted && {
          failure: { lineNumber, field: "", message: `has ${record.length} values where the header has ${wanted}` },
        }),
      };
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("CSV_")) {
      throw invalidArgument([{ field: "file", description: `is not CSV: ${error.message}` }]);
    }
    throw error;
  }
}

function readHeader(record: readonly string[]): CsvColumn[] {
  const problems: string[] = [];
  const header = record.flatMap((text, i) => {
    const column = knownColumns.find((known) => known === text.trim());
    if (column === undefined) {
      problems.push(`there is no column ${JSON.stringify(text)}; there are ${knownColumns.join(", ")}`);
    } else if (record.findIndex((other) => other.trim() === column) !== i) {
      problems.push(`the column ${column} stands there twice`);
    }
    return column ?? [];
  });
  const missing = requiredColumns.filter((column) => !header.includes(column));
  if (missing.length > 0) {
    problems.push(`the header lacks ${missing.join(", ")}`);
  }
  if (problems.length > 0) {
    throw invalidArgument(problems.map((description) => ({ field: "file", description })));
  }
  return header;
}
