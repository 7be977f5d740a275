import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { SingleBar } from "cli-progress";

/** A column of a table: its heading and a row's text. */
export type Columns<Row> = Readonly<Record<string, (row: Row) => string>>;

/** A progress bar. */
export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** The program's standard output and standard error. */
export interface TextStreams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** Output of commands: tables for people, proto3 JSON for programs. */
export interface Output {
  readonly isJson: boolean;
  /** Writes rows as they arrive, in aligned columns, or with `--json` as one object per line. */
  rows<Desc extends DescMessage>(
    schema: Desc,
    rows: AsyncIterable<MessageShape<Desc>> | Iterable<MessageShape<Desc>>,
    columns: Columns<MessageShape<Desc>>,
  ): Promise<void>;
  /** Writes one message: `text`, or with `--json` the message itself. */
  one<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>, text: string): void;
  /** Writes a note that is not part of the result; never to standard output. */
  note(text: string): void;
  /** Shows a progress bar on a terminal; does nothing elsewhere. */
  progress(total: number, unit: string): Progress;
}

/** Number of leading rows that determine the column widths. */
const sampleSize = 50;

export function createOutput({ stdout, stderr }: TextStreams, isJson: boolean): Output {
  const writeLine = (line: string) => stdout.write(`${line}\n`);
  return {
    isJson,
    async rows(schema, rows, columns) {
      if (isJson) {
        for await (const row of rows) {
          writeLine(JSON.stringify(toJson(schema, row)));
        }
        return;
      }
      const headings = Object.keys(columns);
      const cells = Object.values(columns);
      let sample: string[][] | undefined = [headings];
      let widths: number[] = [];
      const flush = (lines: string[][]) => {
        widths = headings.map((_, i) => Math.max(widths[i] ?? 0, ...lines.map((line) => line[i]?.length ?? 0)));
        for (const line of lines) {
          writeLine(align(line, widths));
        }
      };
      for await (const row of rows) {
        const line = cells.map((cell) => cell(row));
        if (sample === undefined) {
          writeLine(align(line, widths));
        } else if (sample.push(line) > sampleSize) {
          flush(sample);
          sample = undefined;
        }
      }
      if (sample !== undefined) {
        flush(sample);
      }
    },
    one: (schema, message, text) => void writeLine(isJson ? JSON.stringify(toJson(schema, message)) : text),
    note: (text) => void stderr.write(`${text}\n`),
    progress(total, unit) {
      if (stderr.isTTY !== true) {
        return { update: () => {}, stop: () => {} };
      }
      const bar = new SingleBar({
        format: `{bar} {percentage}% {value}/{total} ${unit} · {eta_formatted} left`,
        stream: stderr,
        hideCursor: true,
      });
      bar.start(total, 0);
      return { update: (done) => bar.update(done), stop: () => bar.stop() };
    },
  };
}

function align(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, i) => cell.padEnd(widths[i] ?? 0))
    .join("  ")
    .trimEnd();
}
