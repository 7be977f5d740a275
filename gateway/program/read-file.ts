import { readFileSync } from "node:fs";
import { ProgramError } from "./program-error.ts";

/**
 * Reads a file that the arguments or the configuration name.
 *
 * @param label how the user named the file, such as its path or `--tls-cert PATH`
 * @param advice appended to the message of the error
 * @throws ProgramError if there is no such file or it cannot be read
 */
export function readNamedFile(path: string, label: string = path, advice = ""): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new ProgramError(`${label}: ${missing ? "there is no such file" : "it cannot be read"}${advice}`);
  }
}
