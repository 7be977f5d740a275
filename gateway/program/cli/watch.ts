import { type BigIntStats, statSync } from "node:fs";
import { stat } from "node:fs/promises";

/**
 * Tells of changes of the files since this was called: what they are written over with, renamed to, or come to by a
 * link along their path that points elsewhere, as when Kubernetes mounts a new version. Disposing ends it.
 *
 * They are looked at four times a second, and what changed is told of when it was the same twice: files that change
 * together are told of once, and nobody reads one that is being written.
 */
export function watchFiles(paths: readonly string[], onChange: () => void, intervalMs = 250): Disposable {
  let disposed = false;
  let seen = paths.map((path) => show(attempt(() => statSync(path, { bigint: true })))).join();
  let told = seen;
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    const found = await Promise.all(
      paths.map((path) => stat(path, { bigint: true }).then(show, () => show(undefined))),
    );
    if (disposed) return;
    const now = found.join();
    const settled = now === seen;
    seen = now;
    if (settled && now !== told) {
      told = now;
      onChange();
    }
    wait();
  };
  const wait = (): void => {
    timer = setTimeout(() => void look(), intervalMs).unref();
  };
  wait();
  return {
    [Symbol.dispose]() {
      disposed = true;
      clearTimeout(timer);
    },
  };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function show(stats: BigIntStats | undefined): string {
  return stats === undefined ? "missing" : [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(" ");
}
