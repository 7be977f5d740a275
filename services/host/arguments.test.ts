import { expect, test } from "@jest/globals";
import { readArguments } from "./arguments.ts";

const nothing = { file: undefined, services: undefined };

test.each([
  [[], { command: "serve", ...nothing }],
  [["serve"], { command: "serve", ...nothing }],
  [["serve", "--services", "order,payment"], { command: "serve", ...nothing, services: "order,payment" }],
  [["--services=gateway"], { command: "serve", ...nothing, services: "gateway" }],
  [["serve", "--config", "a.yaml"], { command: "serve", ...nothing, file: "a.yaml" }],
  [["topics", "--config", "a.yaml"], { command: "topics", ...nothing, file: "a.yaml" }],
  [["topics", "--help"], { command: "help" }],
  [["--help"], { command: "help" }],
  [["serve", "-h"], { command: "help" }],
  [["config"], { command: "settings" }],
  [["config", "--help"], { command: "settings" }],
  [["config", "--check"], { command: "check", ...nothing }],
  [
    ["config", "--check", "--config=a.yaml", "--services=order"],
    { command: "check", file: "a.yaml", services: "order" },
  ],
])("reads the command line %j", (given, read) => {
  expect(readArguments(given)).toEqual(read);
});

test.each([
  [["start"], 'Unknown command "start"'],
  [["serve", "order"], 'Unknown command "serve order"'],
  [["--port", "1"], "--port"],
  [["--services"], "--services"],
  [["config", "order"], 'Unknown command "config order"'],
  [["topics", "--check"], "--check belongs to the command config"],
  [["serve", "--check"], "--check belongs to the command config"],
])("refuses the command line %j and names what is wrong", (given, problem) => {
  expect(readArguments(given)).toEqual({ command: "refused", problem: expect.stringContaining(problem) });
});
