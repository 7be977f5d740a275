#!/usr/bin/env node
import { CommanderError } from "commander";
import { exitCodes, explain } from "./exit-code.ts";
import { createProgram } from "./program.ts";

const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());
// A closed pipe (`docket orders list | head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? 0 : exitCodes.failed),
);

const { stdin, stdout, stderr } = process;
const program = createProgram({ stdin, stdout, stderr, signal: interrupt.signal });
for (const command of [program, ...program.commands, ...program.commands.flatMap((group) => group.commands)]) {
  command.exitOverride();
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  } else if (interrupt.signal.aborted) {
    process.exitCode = 130;
  } else {
    const { exitCode, text } = explain(error, program.opts<{ url: string }>().url);
    stderr.write(`docket: ${text}\n`);
    process.exitCode = exitCode;
  }
}
