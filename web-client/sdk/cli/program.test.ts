import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import type { Command } from "commander";
import { createProgram } from "./program.ts";

const everyCommand = (command: Command): Command[] => [command, ...command.commands.flatMap(everyCommand)];

const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
const program = createProgram({ ...streams, signal: new AbortController().signal });

test.each(everyCommand(program).map((command) => [command.name(), command] as const))(
  "explains %s, its defaults included",
  (name, command) => {
    expect(command.helpInformation()).toMatch(new RegExp(`^Usage: (docket .*)?${name}\\b`));
  },
);
