import { expect, test } from "@jest/globals";
import { readArguments } from "./arguments.ts";

test.each([
  [[], { command: "serve", services: undefined }],
  [["serve"], { command: "serve", services: undefined }],
  [["serve", "--services", "order,payment"], { command: "serve", services: "order,payment" }],
  [["--services=gateway"], { command: "serve", services: "gateway" }],
  [["--help"], { command: "help" }],
  [["serve", "-h"], { command: "help" }],
])("reads the command line %j", (given, read) => {
  expect(readArguments(given)).toEqual(read);
});

test.each([
  [["start"], 'Unknown command "start"'],
  [["serve", "order"], 'Unknown command "serve order"'],
  [["--port", "1"], "--port"],
  [["--services"], "--services"],
])("refuses the command line %j and names what is wrong", (given, problem) => {
  expect(readArguments(given)).toEqual({ command: "refused", problem: expect.stringContaining(problem) });
});
