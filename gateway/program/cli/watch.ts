import { type BigIntStats, statSync } from "node:fs";
import { stat } from "node:fs/promises";

/**
 * Reports changes of the files since this call: overwriting, renaming, or a changed symbolic link along the path, as
 * when Kubernetes mounts a new version. Disposing stops it.
 *
 * The files are polled four times a second, and a change is reported once two polls agree: files that change together
 * are reported once, and partially written files are not read.
 */
export function watchFiles(paths: readonly string[], onChange: () => void, intervalMs = 250): Disposable {
  let disposed = false;
  let seen = paths.map((path) => show(attempt(() => statSync(path, { bigint: true })))).join();
  let reported = seen;
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    const found = await Promise.all(
      paths.map((path) => stat(path, { bigint: true }).then(show, () => show(undefined))),
    );
    if (disposed) return;
    const now = found.join();
    const settled = now === seen;
    seen = now;
    if (settled && now !== reported) {
      reported = now;
      onChange();
    }
    // The callback may have disposed it.
    if (!disposed) wait();
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
