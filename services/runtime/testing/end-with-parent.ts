import { type ChildProcess, spawn } from "node:child_process";

/**
 * Leaves a shell behind that kills a server and removes its folder within a second after this process ends, also when
 * this one is killed.
 */
export function endWithParent(server: ChildProcess, folder: string): void {
  const script = `
    while kill -0 "$1" 2>/dev/null && kill -0 "$2" 2>/dev/null; do sleep 1; done
    kill -0 "$1" 2>/dev/null && exit
    kill -9 "$2" 2>/dev/null
    sleep 0.2
    rm -rf "$3"`;
  spawn("sh", ["-c", script, "sh", String(process.pid), String(server.pid), folder], {
    stdio: "ignore",
    detached: true,
  }).unref();
}
