import type { Line } from "./lines.ts";

/** One row of a CSV file. */
export interface Row {
  /** The line on which the row begins. */
  readonly lineNumber: number;
  /** The line on which it ends. */
  readonly lastLine: number;
  /** Of a row with a problem: the values before it. */
  readonly values: readonly string[];
  readonly problem: RowProblem | undefined;
}

export interface RowProblem {
  readonly lineNumber: number;
  readonly message: string;
  /** A quoted value does not end, so that the rows after it cannot be told from its text. It is the last row. */
  readonly unclosed: boolean;
}

/** A row may span many lines inside of quotes, but not more text than this. */
const MAX_ROW_LENGTH = 1024 * 1024;

/**
 * The rows of CSV as RFC 4180 defines it, with any delimiter of one character. Empty lines are skipped. A row that breaks
 * the grammar is reported as such, and reading goes on with the next line.
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
  /** Adds the row's next line. Returns `open` where a quoted value goes on in the line after it, or else what is wrong. */
  add(line: string): "complete" | "open" | (string & {});
  /** Of the text that was added, at least. */
  length(): number;
}

function createRowParser(delimiter: string): RowParser {
  const values: string[] = [];
  /** The text so far of a quoted value that is not closed yet. */
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
