import { parentPort, workerData } from "node:worker_threads";
import { openSqliteFile, type Table } from "./file.ts";

/** Thread of one reading connection, started by `readers.ts`, its counterpart. */

export interface ReaderData {
  readonly path: string;
  /** Shared memory with the id of the statement to abort. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

export interface ReadRequest {
  readonly id: number;
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export type ReadResponse =
  | { readonly table: Table }
  | { readonly failure: { readonly message: string; readonly code: unknown; readonly errcode: unknown } };

const { path, stop } = workerData as ReaderData;
let running = 0;
const file = openSqliteFile(path, { readOnly: true, mayContinue: () => Atomics.load(stop, 0) !== running });

parentPort?.on("message", ({ id, sql, parameters }: ReadRequest) => {
  running = id;
  parentPort?.postMessage(read(sql, parameters));
});

function read(sql: string, parameters: readonly unknown[]): ReadResponse {
  try {
    return { table: file.table(sql, parameters) };
  } catch (error) {
    // An Error loses its code when sent to another thread.
    const { message, code, errcode } = error as Error & { code: unknown; errcode: unknown };
    return { failure: { message, code, errcode } };
  }
}
