import type { Command } from "./command.ts";

/** A command that writes nothing and rejects with the error. */
export function rejecting(error: unknown): Command<never> {
  return {
    keys: () => {},
    decide() {
      throw error;
    },
  };
}
