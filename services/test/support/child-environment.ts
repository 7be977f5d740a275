import { delimiter, dirname } from "node:path";

/** What npm and jest tell the programs that they run, and Docket's own settings: which a test's child is not to see. */
const ours = /^(DOCKET_|JEST_|NODE_OPTIONS$|npm_(?!config_registry$))/;

/**
 * The environment of a program that a test starts: the machine's (certificates, proxies, the home folder), without what is
 * meant for this process alone. `node` and `npm` run on the same Node.
 */
export const childEnvironment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))),
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
};
