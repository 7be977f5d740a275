import { delimiter, dirname } from "node:path";

/** What a program that a test starts may see of this one's environment; `node` and `npm` run on the same Node. */
export const childEnvironment = {
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
  HOME: process.env["HOME"],
};
