import { createHash } from "node:crypto";
import { type FSWatcher, readFileSync, watch } from "node:fs";
import { basename } from "node:path";
import { entriesOfPath, type PathEntry } from "./path-entries.ts";

/** Timing in milliseconds. */
export interface WatchOptions {
  /** A change is reported once nothing has changed for this long, so that files that change together count once. */
  readonly quietMs?: number;
  /** Interval at which the files are read without an event, for file systems that report none. */
  readonly lookMs?: number;
  /** The same while a folder cannot be watched, for example because it does not exist yet. */
  readonly unwatchedLookMs?: number;
}

/**
 * Reports changes of the files' contents since this call: overwriting, renaming, or a changed symbolic link along the
 * path, as when Kubernetes mounts a new version. Disposing stops it.
 *
 * The folders are watched, not the files, because a watch of a file ends with its first replacement. Several changes
 * within `quietMs` are reported once, and changes that leave the contents the same are not reported.
 */
export function watchFiles(
  paths: readonly string[],
  onChange: () => void,
  { quietMs = 1000, lookMs = 30_000, unwatchedLookMs = 1000 }: WatchOptions = {},
): Disposable {
  let reported = digestOf(paths);
  let watchers: readonly FSWatcher[] = [];
  let regular: NodeJS.Timeout | undefined;
  let quiet: NodeJS.Timeout | undefined;

  const onEvent = (): void => {
    clearTimeout(quiet);
    quiet = setTimeout(look, quietMs).unref();
  };
  const look = (): void => {
    // Watching comes before reading, so that a change after the reading has an event.
    follow();
    const found = digestOf(paths);
    if (found === reported) return;
    reported = found;
    onChange();
  };
  /** Watches the folders along the paths as they are now, because a new version can be in others. */
  const follow = (): void => {
    close();
    const folders = Map.groupBy(paths.flatMap(entriesOfPath), ({ folder }) => folder);
    watchers = [...folders].flatMap(([folder, entries]) => watchFolder(folder, namesOf(entries), onEvent) ?? []);
    regular = setTimeout(look, watchers.length === folders.size ? lookMs : unwatchedLookMs).unref();
  };
  const close = (): void => {
    clearTimeout(regular);
    for (const watcher of watchers) watcher.close();
  };

  follow();
  return {
    [Symbol.dispose]() {
      close();
      clearTimeout(quiet);
    },
  };
}

const namesOf = (entries: readonly PathEntry[]): ReadonlySet<string> => new Set(entries.map(({ name }) => name));

/** Watches these names in a folder, and the folder itself; undefined if that is impossible. */
function watchFolder(folder: string, names: ReadonlySet<string>, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, (_, name) => {
      if (name === null || names.has(name) || name === basename(folder)) onEvent();
    });
    return watcher.on("error", onEvent);
  } catch {
    return undefined;
  }
}

function digestOf(paths: readonly string[]): string {
  return paths.map(digest).join();
}

function digest(path: string): string {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("base64");
  } catch {
    return "unreadable";
  }
}
