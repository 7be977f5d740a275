import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { repository, withGo } from "../support/go-programs.ts";

/** Builds a program of this module, through the Go module proxy if not done before. @returns its path. */
export async function buildGrpcGo(name: "server" | "client"): Promise<string> {
  const cache = `${repository}.cache/grpc-go`;
  await mkdir(cache, { recursive: true });
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const build = `${withGo} go build -o "$0" "$1"`;
  const folder = name === "server" ? "." : "./client";
  await promisify(execFile)("sh", ["-c", build, `${cache}/${name}`, folder], { cwd, timeout: 600_000 });
  return `${cache}/${name}`;
}
