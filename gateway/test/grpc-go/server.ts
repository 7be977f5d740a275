import { execFile, spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { repository, stop, withGo } from "../support/go-programs.ts";

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
  const cache = `${repository}.cache/grpc-go`;
  await mkdir(cache, { recursive: true });
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const build = `${withGo} go build -o "$0" .`;
  await promisify(execFile)("sh", ["-c", build, `${cache}/server`], { cwd, timeout: 600_000 });
  const child = spawn(`${cache}/server`, [], { stdio: ["ignore", "pipe", "inherit"] });
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
