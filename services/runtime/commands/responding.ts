import type { Command } from "./command.ts";

/** The command with its result converted, within the batch: what `convert` throws rejects the command. */
export function responding<From, To>(command: Command<From>, convert: (result: From) => To): Command<To> {
  return { keys: (need) => command.keys(need), decide: (batch) => convert(command.decide(batch)) };
}
