import { once } from "node:events";
import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { type Command, Option } from "commander";
import {
  ExportFormat,
  type ImportOrdersResponse,
  ImportOrdersResponseSchema,
} from "../../../gen/docket/order/v1/order_service_pb.js";
import { contextOf, type Surroundings } from "./context.ts";
import { exitCodes } from "./exit-code.ts";

const types = { csv: "text/csv", ndjson: "application/x-ndjson" } as const;
type Format = keyof typeof types;

/** `docket import` and `docket export`. */
export function addFileCommands(program: Command, surroundings: Surroundings): void {
  const format = () =>
    new Option("--format <format>", "default: by the file's name, else csv").choices(["csv", "ndjson"]);

  program
    .command("import")
    .description("create orders from a CSV or NDJSON file; orders that exist are left alone")
    .argument("<file>", "the file, or - for standard input")
    .option("--dry-run", "check every row, create nothing")
    .addOption(format())
    .action(async (file: string, options: { dryRun?: boolean; format?: Format }, command: Command) => {
      const { docket, output, signal } = contextOf(command, surroundings);
      const size = file === "-" ? 0 : (await stat(file)).size;
      const progress = output.progress(size, "bytes");
      const source = file === "-" ? surroundings.stdin : createReadStream(file);
      const result = await docket
        .importOrders(Readable.toWeb(Readable.from(counted(source, progress.update))) as ReadableStream<Uint8Array>, {
          contentType: types[options.format ?? formatOf(file)],
          validateOnly: options.dryRun ?? false,
          signal,
        })
        .finally(progress.stop);
      output.one(ImportOrdersResponseSchema, result, summary(result));
      if (result.failedCount > 0n || result.stop !== undefined) {
        process.exitCode = exitCodes.refused;
      }
    });

  program
    .command("export")
    .description("write orders as CSV or NDJSON, in the form that import takes")
    .argument("[file]", "the file; - or nothing: standard output", "-")
    .option("-f, --filter <filter>", "which orders")
    .addOption(format())
    .action(async (file: string, options: { filter?: string; format?: Format }, command: Command) => {
      const { docket, signal } = contextOf(command, surroundings);
      const target = file === "-" ? surroundings.stdout : await openToWrite(file);
      const chosen = options.format ?? formatOf(file);
      const pieces = docket.orders.exportOrders(
        { filter: options.filter ?? "", format: chosen === "csv" ? ExportFormat.CSV : ExportFormat.NDJSON },
        { signal, timeoutMs: 0 },
      );
      for await (const { data } of pieces) {
        if (!target.write(data)) {
          await once(target, "drain");
        }
      }
      if (file !== "-") {
        target.end();
        await finished(target);
      }
    });
}

/** @throws the system's error if the file cannot be written */
async function openToWrite(file: string): Promise<WriteStream> {
  const target = createWriteStream(file);
  await once(target, "open");
  return target;
}

async function* counted(source: NodeJS.ReadableStream, update: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of source) {
    const data = typeof piece === "string" ? Buffer.from(piece) : piece;
    yield data;
    bytes += data.length;
    update(bytes);
  }
}

function formatOf(file: string): Format {
  return /\.(ndjson|jsonl)$/i.test(file) ? "ndjson" : "csv";
}

function summary(response: ImportOrdersResponse): string {
  const { rowCount, createdCount, existingCount, failedCount, failures, stop } = response;
  const counts = `${rowCount} rows: ${createdCount} orders created, ${existingCount} were there, ${failedCount} failed`;
  const lines = failures.map(({ lineNumber, externalId, field, message }) =>
    [`  line ${lineNumber}`, externalId && ` (${externalId})`, ": ", field && `${field}: `, message].join(""),
  );
  const end = stop === undefined ? [] : [`The import ended before line ${stop.lineNumber}: ${stop.message}`];
  return [counts, ...lines, ...end].join("\n");
}
