import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Folder with the databases and secrets of a standalone Docket. */
export interface DataFolder {
  /** Absolute or relative to the working directory. */
  readonly path: string;
  /** Path of a file in the folder. */
  file(name: string): string;
  /**
   * Returns the secret with this name: the content of that file, else the result of `make`, which is then stored.
   * Concurrent processes get the same secret.
   */
  secret(name: string, make?: () => string): Promise<{ value: string; isNew: boolean }>;
  /** Paths whose permissions could not be restricted, because another user owns them. */
  readonly exposed: readonly string[];
}

/** Databases and SQLite's files beside them. */
const databaseFile = /\.sqlite(-wal|-shm|-journal)?$/;

/**
 * Opens the folder, creating it if missing. Restricts the permissions of the folder, its databases and its secrets to
 * the owner.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const file = (name: string) => join(path, name);
  const exposed: string[] = [];
  const restrict = async (restricted: string, mode: number) => {
    await chmod(restricted, mode).catch((error: unknown) => {
      if (!hasCode(error, "EPERM") && !hasCode(error, "EROFS")) {
        throw error;
      }
      exposed.push(restricted);
    });
  };
  await restrict(path, 0o700);
  for (const name of (await readdir(path)).filter((each) => databaseFile.test(each))) {
    await restrict(file(name), 0o600);
  }
  return {
    path,
    file,
    exposed,
    async secret(name, make = () => randomBytes(32).toString("base64")) {
      const kept = await readSecret(file(name));
      if (kept !== undefined) {
        await restrict(file(name), 0o600);
        return { value: kept, isNew: false };
      }
      const value = make();
      return (await writeNew(file(name), value))
        ? { value, isNew: true }
        : { value: (await readSecret(file(name))) ?? value, isNew: false };
    },
  };
}

async function readSecret(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    return text === "" ? undefined : text;
  } catch (error) {
    if (hasCode(error, "ENOENT")) {
      return undefined;
    }
    throw error;
  }
}

/** Creates the file atomically; returns false if it exists. */
async function writeNew(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    await writeFile(draft, `${text}\n`, { mode: 0o600, flush: true });
    await link(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) {
      return false;
    }
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function hasCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}
