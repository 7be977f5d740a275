import { parseArgs } from "node:util";
import { targetNames } from "./targets.ts";

/** Usage text, as printed by `--help`. */
export const usage = `Usage: node services/main.ts [serve] [--config FILE] [--services LIST]
       node services/main.ts topics [--config FILE]
       node services/main.ts config [--check] [--config FILE]

  serve             runs Docket until it gets SIGTERM
  topics            creates and configures Kafka's topics, for DOCKET_KAFKA_BROKERS
  config            lists all settings
  config --check    checks the configuration and prints what is in use, without secrets

  --config FILE     settings as YAML or JSON; environment variables take precedence
  --services LIST   what this process runs, between commas: all (the default), or some of
                    ${targetNames.join(", ")}
  --help            this text; after config, all settings
`;

/** Options of every command. */
interface Given {
  /** Path of the configuration file. */
  readonly file: string | undefined;
  readonly services: string | undefined;
}

export type Arguments =
  | ({ readonly command: "serve" | "topics" | "check" } & Given)
  | { readonly command: "help" | "settings" }
  | { readonly command: "refused"; readonly problem: string };

/** Parses the command line. */
export function readArguments(given: readonly string[]): Arguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...given],
      allowPositionals: true,
      options: {
        services: { type: "string" },
        config: { type: "string" },
        check: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const [command = "serve", ...rest] = positionals;
    if ((command !== "serve" && command !== "topics" && command !== "config") || rest.length > 0) {
      const problem = `Unknown command "${positionals.join(" ")}". The commands are serve, topics and config.`;
      return { command: "refused", problem };
    }
    const sources = { file: values.config, services: values.services };
    if (command === "config") {
      return values.check && !values.help ? { command: "check", ...sources } : { command: "settings" };
    }
    if (values.help) {
      return { command: "help" };
    }
    return values.check
      ? { command: "refused", problem: "--check belongs to the command config." }
      : { command, ...sources };
  } catch (error) {
    return { command: "refused", problem: (error as Error).message };
  }
}
