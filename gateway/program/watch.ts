import { type StatsListener, unwatchFile, watchFile } from "node:fs";

/**
 * Tells once of changes of the files, looked at twice a second: what they are written over with, renamed to, or come to
 * by a link along their path that points elsewhere, as when Kubernetes mounts a new version. Disposing ends it.
 *
 * Files that change together are told of once, a tenth of a second after the last, so that nobody reads one of them too
 * early.
 */
export function watchFiles(paths: readonly string[], onChange: () => void, intervalMs = 500): Disposable {
  let timer: NodeJS.Timeout | undefined;
  const changed: StatsListener = () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, 100);
  };
  for (const path of paths) watchFile(path, { interval: intervalMs }, changed);
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const path of paths) unwatchFile(path, changed);
    },
  };
}
