import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { stop } from "../support/go-programs.ts";
import { buildGrpcGo } from "./build.ts";

/** The server's report on a call: after each request message, and with `end` once the requests have ended. */
export interface CallReport {
  /** `/package.Service/Method`. */
  readonly method: string;
  readonly messages: number;
  /**
   * Empty while requests may follow, `EOF` after a clean end, else the code of the error that ended them, such as
   * `Canceled`.
   */
  readonly end: string;
}

/** A grpc-go server with its default keepalive enforcement, which serves every method: see `main.go`. */
export interface GrpcGoServer extends AsyncDisposable {
  readonly address: string;
  /** All reports so far. */
  readonly reports: readonly CallReport[];
}

/** Builds the server, through the Go module proxy if not done before, and starts it on a free port. */
export async function startGrpcGoServer(): Promise<GrpcGoServer> {
  const child = spawn(await buildGrpcGo("server"), [], { stdio: ["ignore", "pipe", "inherit"] });
  const reports: CallReport[] = [];
  const address = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface(child.stdout).on("line", (line) => {
      if (line.startsWith("{")) reports.push(JSON.parse(line) as CallReport);
      else resolve(line);
    });
  });
  return { address, reports, [Symbol.asyncDispose]: () => stop(child) };
}
