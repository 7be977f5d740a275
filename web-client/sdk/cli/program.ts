import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import type { Surroundings } from "./context.ts";
import { addCustomerCommands } from "./customers.ts";
import { addDeadLetterCommands } from "./dead-letters.ts";
import { addFileCommands } from "./files.ts";
import { addItemCommands } from "./items.ts";
import { addKeyCommands } from "./keys.ts";
import { addOrderCommands } from "./orders.ts";
import { addPaymentCommands } from "./payments.ts";
import { addSagaCommands } from "./sagas.ts";
import { addShipmentCommands } from "./shipments.ts";
import { addStatisticsCommand } from "./statistics.ts";

/** The `docket` command. */
export function createProgram(surroundings: Surroundings): Command {
  const program = new Command("docket")
    .description(
      "Works with a Docket: orders, payments, shipments, items, imports and exports, sagas, dead letters, API keys.",
    )
    .version(version())
    .addOption(new Option("--url <url>", "where Docket is").env("DOCKET_URL").default("http://127.0.0.1:8080"))
    .addOption(new Option("--key <key>", "the API key to call with").env("DOCKET_API_KEY"))
    .option("--json", "proto3 JSON in place of text, one object a line in lists")
    .showHelpAfterError("(add --help for help)")
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 not found, 5 not allowed, 6 not reachable or too slow.",
    );
  addOrderCommands(program, surroundings);
  addPaymentCommands(program, surroundings);
  addShipmentCommands(program, surroundings);
  addItemCommands(program, surroundings);
  addFileCommands(program, surroundings);
  addStatisticsCommand(program, surroundings);
  addSagaCommands(program, surroundings);
  addDeadLetterCommands(program, surroundings);
  addKeyCommands(program, surroundings);
  addCustomerCommands(program, surroundings);
  return program;
}

/** Reads the version from the nearest package.json, which is the SDK's in both source and published form. */
function version(): string {
  for (const path of ["../package.json", "../../../../package.json"]) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
      if (name === "@docket/sdk") {
        return version;
      }
    } catch {
      // Absent in this form of the package.
    }
  }
  return "unknown";
}
