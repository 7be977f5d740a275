import { type Command, InvalidArgumentError } from "commander";
import { createDocket, type Docket } from "../docket.ts";
import { createOutput, type Output, type TextStreams } from "./output.ts";

/** Dependencies of a command. */
export interface CliContext {
  readonly docket: Docket;
  readonly output: Output;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The program's environment, replaceable in tests. */
export interface Surroundings extends TextStreams {
  readonly stdin: NodeJS.ReadableStream;
  readonly signal: AbortSignal;
}

/** Creates a context from the program's global options. */
export function contextOf(command: Command, surroundings: Surroundings): CliContext {
  const { url, key, json } = command.optsWithGlobals<{ url: string; key?: string; json?: boolean }>();
  return {
    docket: createDocket({ baseUrl: url, ...(key !== undefined && { apiKey: key }) }),
    output: createOutput(surroundings, json ?? false),
    signal: surroundings.signal,
  };
}

/** Parses a positive integer argument. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new InvalidArgumentError("give a whole number from 1 on.");
  }
  return count;
}

/** Parses a time argument. */
export function parseTime(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) {
    throw new InvalidArgumentError("give a time like 2027-01-01 or 2027-01-01T12:00:00Z.");
  }
  return time;
}
