import { readlinkSync } from "node:fs";
import { dirname, isAbsolute, join, parse, resolve, sep } from "node:path";

/** A name in a folder. */
export interface PathEntry {
  readonly folder: string;
  readonly name: string;
}

/** As many links as Linux follows. */
const maxLinks = 40;

/**
 * Returns the entries on which the content of a path depends: the symbolic links along it, and the file at its end.
 *
 * For `/run/tls/tls.crt` in a volume of Kubernetes these are the link `tls.crt` and the link `..data` in `/run/tls`, and
 * `tls.crt` in the folder with the current version. An update replaces `..data`.
 */
export function entriesOfPath(path: string): PathEntry[] {
  const entries: PathEntry[] = [];
  const absolute = resolve(path);
  let folder = parse(absolute).root;
  let rest = namesOf(absolute.slice(folder.length));
  let links = 0;
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const target = name === ".." ? undefined : targetOf(join(folder, name));
    if (target !== undefined) {
      entries.push({ folder, name });
      links += 1;
      if (links > maxLinks) break;
      if (isAbsolute(target)) folder = parse(target).root;
      rest = [...namesOf(target), ...rest];
    } else if (name === "..") {
      folder = dirname(folder);
    } else if (rest.length === 0) {
      entries.push({ folder, name });
    } else {
      folder = join(folder, name);
    }
  }
  return entries;
}

function namesOf(path: string): string[] {
  return path.split(sep).filter((name) => name !== "" && name !== ".");
}

/** Target of a symbolic link; undefined for anything else. */
function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
