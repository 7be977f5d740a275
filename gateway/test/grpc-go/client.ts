import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { buildGrpcGo } from "./build.ts";

/** The outcome of a call by the grpc-go client: see `client/main.go`. */
export interface CallOutcome {
  /** grpc-go's name of the code, such as `OK` or `NotFound`. */
  readonly code: string;
  readonly message: string;
  /** Type URLs of the error's details. */
  readonly details: readonly string[];
  /** The responses of up to 100 bytes, as text. */
  readonly messages: readonly string[];
  /** Length of all responses. */
  readonly bytes: number;
  readonly header: Readonly<Record<string, readonly string[]>> | null;
  readonly trailer: Readonly<Record<string, readonly string[]>> | null;
}

/** Makes one call with the arguments of `client/main.go`. */
export type GrpcGoClient = (...args: readonly string[]) => Promise<CallOutcome>;

/** Builds the client. */
export async function buildGrpcGoClient(): Promise<GrpcGoClient> {
  const program = await buildGrpcGo("client");
  return async (...args) => {
    const { stdout } = await promisify(execFile)(program, args);
    return JSON.parse(stdout) as CallOutcome;
  };
}
