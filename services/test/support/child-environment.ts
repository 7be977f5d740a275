import { delimiter, dirname } from "node:path";

/**
 * Variables that npm and jest set for child programs, and Docket's own settings; hidden from a test's child process.
 */
const ours = /^(DOCKET_|JEST_|NODE_OPTIONS$|npm_(?!config_registry$))/;

/**
 * Environment of a program started by a test: the machine's (certificates, proxies, the home folder), without variables
 * meant for this process. `node` and `npm` run on the same Node.
 */
export const childEnvironment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))),
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
};
