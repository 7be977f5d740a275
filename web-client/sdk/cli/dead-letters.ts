import type { Command } from "commander";
import { type DeadLetter, DeadLetterSchema } from "../../../gen/docket/operations/v1/operations_pb.js";
import { paged } from "../pages.ts";
import { contextOf, parseCount, type Surroundings } from "./context.ts";
import type { Columns } from "./output.ts";
import { factsText, take, timeText } from "./text.ts";

const columns: Columns<DeadLetter> = {
  NAME: (letter) => letter.name,
  CONSUMER: (letter) => letter.consumer,
  EVENT: (letter) => letter.eventType,
  OF: (letter) => letter.aggregate,
  ATTEMPTS: (letter) => String(letter.attemptCount),
  CREATED: (letter) => timeText(letter.createTime),
  REPLAYED: (letter) => timeText(letter.replayTime),
};

const letterText = (letter: DeadLetter) => [factsText(columns, letter), "error", letter.errorMessage].join("\n");

const nameOf = (given: string) => (given.startsWith("deadLetters/") ? given : `deadLetters/${given}`);

/** `docket dead-letters …` */
export function addDeadLetterCommands(program: Command, surroundings: Surroundings): void {
  const letters = program
    .command("dead-letters")
    .description("list, show and replay events that consumers could not process");

  letters
    .command("list")
    .description("list dead letters, the newest first")
    .option("-f, --filter <filter>", "which dead letters, for example: NOT replay_time:*")
    .option("--tenant <tenant>", "whose dead letters; - for all tenants")
    .option("-n, --limit <count>", "how many at the most", parseCount, 50)
    .action(async (options: { filter?: string; tenant?: string; limit: number }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const { filter = "", tenant = "", limit } = options;
      const pageSize = Math.min(limit, 1000);
      const found = paged(
        (pageToken) => docket.deadLetters.listDeadLetters({ filter, tenant, pageToken, pageSize }),
        (page) => page.deadLetters,
      );
      await output.rows(DeadLetterSchema, take(found, limit), columns);
    });

  letters
    .command("get")
    .description("show a dead letter with its error")
    .argument("<dead letter>", "its name (deadLetters/…) or its id")
    .action(async (given: string, _options: unknown, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const letter = await docket.deadLetters.getDeadLetter({ name: nameOf(given) });
      output.one(DeadLetterSchema, letter, letterText(letter));
    });

  letters
    .command("replay")
    .description("process dead letters again, in the given order")
    .argument("<dead letters...>", "their names (deadLetters/…) or ids")
    .action(async (given: string[], _options: unknown, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      for (const name of given.map(nameOf)) {
        const letter = await docket.deadLetters.replayDeadLetter({ name });
        output.one(DeadLetterSchema, letter, `${letter.name} was replayed`);
      }
    });
}
