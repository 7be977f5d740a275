import { parseArgs } from "node:util";
import { targetNames } from "./targets.ts";

/** Usage text, as printed by `--help`. */
export const usage = `Usage: node services/main.ts [serve] [--services LIST]

  --services LIST   what this process runs, between commas: all (the default), or some of
                    ${targetNames.join(", ")}
  --help            this text

Everything else is set by environment variables; README.md lists them.
`;

export type Arguments =
  | { readonly command: "serve"; readonly services: string | undefined }
  | { readonly command: "help" }
  | { readonly command: "refused"; readonly problem: string };

/** Parses the command line. */
export function readArguments(given: readonly string[]): Arguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...given],
      allowPositionals: true,
      options: { services: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help === true) {
      return { command: "help" };
    }
    const [command = "serve", ...rest] = positionals;
    if (command !== "serve" || rest.length > 0) {
      return { command: "refused", problem: `Unknown command "${positionals.join(" ")}". The only command is serve.` };
    }
    return { command: "serve", services: values.services };
  } catch (error) {
    return { command: "refused", problem: (error as Error).message };
  }
}
