import { invalidArgument } from "../../../runtime/errors.ts";
import { type CsvColumn, knownColumns, orderColumns, requiredColumns, secretColumns } from "./csv-columns.ts";
import { type CsvRow, toRecord } from "./csv-record.ts";
import { type Row, readRows } from "./csv-rows.ts";
import type { Bytes } from "./encoding.ts";
import { fromFormulaSafe } from "./formulas.ts";
import type { ImportRecord, RecordFailure } from "./import-record.ts";
import { ImportStopped } from "./import-stopped.ts";
import { type Line, readLines } from "./lines.ts";

/** One more than the maximum lines of an order, so that an excess is still detected. */
const MAX_ROWS = 501;
const MAX_LINE_BYTES = 1024 * 1024;
const delimiters = [",", ";", "\t"];
const repeated: readonly CsvColumn[] = [...orderColumns, ...secretColumns];

/**
 * Reads orders from CSV (RFC 4180) with a header row; see `csv-columns.ts`. Detects the delimiter (comma, semicolon or
 * tab) from the header. Buffers at most one order.
 *
 * @throws ConnectError INVALID_ARGUMENT for an invalid header
 * @throws ImportStopped after a row with an unclosed quote
 */
export async function* readCsv(chunks: Bytes): AsyncGenerator<ImportRecord> {
  let key: string | undefined;
  let rows: CsvRow[] = [];
  let rowCount = 0;
  let lastLine = 0;
  let failure: RecordFailure | undefined;
  /** Set after a row whose order could not be determined: it may belong to the next order. */
  let unread: RecordFailure | undefined;
  const take = () => {
    const record = toRecord({ rows, rowCount, lastLine, failure });
    [rows, rowCount, failure] = [[], 0, undefined];
    return record;
  };
  for await (const row of readValues(chunks)) {
    const { external_id, name } = row.values;
    const rowKey = row.keyUnread ? key : external_id || name || undefined;
    if (rowCount > 0 && (rowKey === undefined || rowKey !== key)) {
      yield take();
    }
    key = rowKey;
    rowCount += 1;
    lastLine = row.lastLine;
    failure ??= row.failure ?? (rowKey === undefined ? undefined : unread) ?? differing(rows[0], row);
    unread = row.keyUnread ? missing(row) : undefined;
    if (rows.length < MAX_ROWS) {
      rows.push(row);
    }
    if (row.unclosed) {
      yield take();
      throw new ImportStopped("FILE_MALFORMED", `line ${row.lineNumber}: a quote is not closed`);
    }
  }
  if (rowCount > 0) {
    yield take();
  }
}

function missing({ lineNumber }: CsvRow): RecordFailure {
  return { lineNumber, field: "", message: "cannot be read, and may be a row of this order" };
}

/** The order's own columns may be repeated or left empty after its first row. */
function differing(first: CsvRow | undefined, { lineNumber, values }: CsvRow): RecordFailure | undefined {
  const field = first && repeated.find((column) => values[column] && values[column] !== (first.values[column] ?? ""));
  return (
    field && { lineNumber, field, message: `differs from line ${first.lineNumber}, the first one of the same order` }
  );
}

interface ReadRow extends CsvRow {
  readonly lastLine: number;
  readonly failure: RecordFailure | undefined;
  /** The row ends before the columns that identify its order. */
  readonly keyUnread: boolean;
  readonly unclosed: boolean;
}

async function* readValues(chunks: Bytes): AsyncGenerator<ReadRow> {
  const lines = readLines(chunks, MAX_LINE_BYTES);
  const first = await firstLine(lines);
  if (first === undefined) {
    return;
  }
  const delimiter = delimiterOf(first.text);
  let header: CsvColumn[] | undefined;
  for await (const row of readRows(prepend(first, lines), delimiter)) {
    if (header === undefined) {
      header = readHeader(row, delimiter);
    } else {
      yield toValues(header, row);
    }
  }
}

function toValues(header: readonly CsvColumn[], { lineNumber, lastLine, values, problem }: Row): ReadRow {
  const cut = (column: CsvColumn) => header.indexOf(column) >= values.length;
  const externalId = values[header.indexOf("external_id")];
  const message =
    values.length === header.length ? undefined : `has ${values.length} values where the header has ${header.length}`;
  const at = problem?.lineNumber ?? lineNumber;
  const wrong = problem?.message ?? message;
  return {
    lineNumber,
    lastLine,
    values: Object.fromEntries(header.map((column, i) => [column, fromFormulaSafe(values[i] ?? "")])),
    failure: wrong === undefined ? undefined : { lineNumber: at, field: "", message: wrong },
    keyUnread: problem !== undefined && !externalId && (cut("external_id") || cut("name")),
    unclosed: problem?.unclosed ?? false,
  };
}

async function firstLine(lines: AsyncGenerator<Line>): Promise<Line | undefined> {
  for (;;) {
    const next = await lines.next();
    if (next.done || next.value.text.trim() !== "" || next.value.problem !== undefined) {
      return next.value ?? undefined;
    }
  }
}

async function* prepend(first: Line, lines: AsyncIterable<Line>): AsyncGenerator<Line> {
  yield first;
  yield* lines;
}

/** The delimiter that the header contains most often; no column name contains any of them. */
function delimiterOf(header: string): string {
  const count = (delimiter: string) => header.split(delimiter).length;
  return delimiters.reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best));
}

function readHeader({ lineNumber, values, problem }: Row, delimiter: string): CsvColumn[] {
  if (problem !== undefined) {
    throw invalidArgument([{ field: "file", description: `is not CSV: line ${lineNumber} ${problem.message}` }]);
  }
  const unknown: string[] = [];
  const problems: string[] = [];
  const header = values.flatMap((text, i) => {
    const column = knownColumns.find((known) => known === text.trim());
    if (column === undefined) {
      unknown.push(JSON.stringify(clip(text)));
    } else if (values.findIndex((other) => other.trim() === column) !== i) {
      problems.push(`the column ${column} occurs twice`);
    }
    return column ?? [];
  });
  const missing = requiredColumns.filter((column) => !header.includes(column));
  if (missing.length > 0) {
    problems.push(`the header lacks ${missing.join(", ")}`);
  }
  if (unknown.length > 0) {
    problems.unshift(`there is no column ${unknown.join(" or ")}; the columns are ${knownColumns.join(", ")}`);
  }
  if (values.some((text) => text.includes("\r"))) {
    problems.unshift("its lines end in carriage returns alone: save it with line feeds");
  } else if (values.length === 1) {
    problems.unshift("the values of a row must be separated by commas, semicolons or tabs");
  } else if (problems.length > 0) {
    problems.push(`the values were read as separated by ${JSON.stringify(delimiter)}`);
  }
  if (problems.length > 0) {
    throw invalidArgument(problems.map((description) => ({ field: "file", description })));
  }
  return header;
}

function clip(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}
