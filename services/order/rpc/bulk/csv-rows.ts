import type { Line } from "./lines.ts";

/** One row of a CSV file. */
export interface Row {
  /** The line on which the row begins. */
  readonly lineNumber: number;
  /** The line on which it ends. */
  readonly lastLine: number;
  /** For a row with a problem, the values before it. */
  readonly values: readonly string[];
  readonly problem: RowProblem | undefined;
}

export interface RowProblem {
  readonly lineNumber: number;
  readonly message: string;
  /** A quoted value does not end, so the following rows cannot be separated from it. It is the last row. */
  readonly unclosed: boolean;
}

/** Maximum length of a row; within it, quoted values may span many lines. */
const MAX_ROW_LENGTH = 1024 * 1024;

/**
 * Splits CSV (RFC 4180), with any one-character delimiter, into rows. Skips empty lines. Reports a malformed row as
 * such and continues with the next line.
 */
export async function* readRows(lines: AsyncIterable<Line>, delimiter: string): AsyncGenerator<Row> {
  let parser: RowParser | undefined;
  let start = 0;
  let lastLine = 0;
  for await (const line of lines) {
    if (parser === undefined) {
      if (line.text.trim() === "" && line.problem === undefined) {
        continue;
      }
      parser = createRowParser(delimiter);
      start = line.lineNumber;
    }
    const { lineNumber } = line;
    lastLine = lineNumber;
    const found = line.text === "" && line.problem !== undefined ? line.problem : parser.add(line.text);
    if (found === "open") {
      if (parser.length() > MAX_ROW_LENGTH) {
        yield { lineNumber: start, lastLine, values: parser.values, problem: unclosed(start) };
        return;
      }
      continue;
    }
    const message = line.problem ?? (found === "complete" ? undefined : found);
    const problem = message === undefined ? undefined : { lineNumber, message, unclosed: false };
    yield { lineNumber: start, lastLine, values: parser.values, problem };
    parser = undefined;
  }
  if (parser !== undefined) {
    yield { lineNumber: start, lastLine, values: parser.values, problem: unclosed(start) };
  }
}

function unclosed(lineNumber: number): RowProblem {
  const message = "a value of this row begins with a quote that is not closed; the rest of the file was not read";
  return { lineNumber, message, unclosed: true };
}

interface RowParser {
  readonly values: string[];
  /**
   * Adds the row's next line. Returns `open` if a quoted value continues on the next line, else the problem, if any.
   */
  add(line: string): "complete" | "open" | (string & {});
  /** Lower bound of the length of the added text. */
  length(): number;
}

function createRowParser(delimiter: string): RowParser {
  const values: string[] = [];
  /** The text so far of an open quoted value. */
  let quoted: string | undefined;

  const add = (line: string) => {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line;
    let at = 0;
    for (;;) {
      if (quoted !== undefined) {
        const quote = text.indexOf('"', at);
        if (quote < 0) {
          quoted += `${line.slice(at)}\n`;
          return "open";
        }
        quoted += text.slice(at, quote);
        at = quote + 1;
        if (text[at] === '"') {
          quoted += '"';
          at += 1;
          continue;
        }
        if (at < text.length && text[at] !== delimiter) {
          return `value ${values.length + 1} has text after its closing quote: write a quote inside of quotes twice`;
        }
        values.push(quoted);
        quoted = undefined;
        if (at === text.length) {
          return "complete";
        }
        at += 1;
      }
      if (text[at] === '"') {
        quoted = "";
        at += 1;
        continue;
      }
      const end = text.indexOf(delimiter, at);
      const value = text.slice(at, end < 0 ? undefined : end);
      if (value.includes('"')) {
        return `value ${values.length + 1} has a quote but does not begin with one: put the value in quotes, and write each quote in it twice`;
      }
      values.push(value);
      if (end < 0) {
        return "complete";
      }
      at = end + 1;
    }
  };
  return { values, add, length: () => (quoted?.length ?? 0) + values.reduce((sum, value) => sum + value.length, 0) };
}
