import type { Command } from "commander";
import {
  type Saga,
  Saga_State,
  SagaSchema,
  type SagaStep,
  SagaStep_State,
} from "../../../gen/docket/operations/v1/operations_pb.js";
import type { Docket } from "../docket.ts";
import { paged } from "../pages.ts";
import { contextOf, parseCount, type Surroundings } from "./context.ts";
import type { Columns } from "./output.ts";
import { factsText, take, timeText } from "./text.ts";

const columns: Columns<Saga> = {
  NAME: (saga) => saga.name,
  DEFINITION: (saga) => saga.definition,
  OF: (saga) => saga.aggregate,
  STATE: (saga) => Saga_State[saga.state] ?? String(saga.state),
  FAILURE: (saga) => saga.failureMessage,
  CHANGED: (saga) => timeText(saga.updateTime),
};

const stepText = ({ step, state, attemptCount, lastError }: SagaStep) =>
  `  ${step}  ${SagaStep_State[state]}  attempts ${attemptCount}  ${lastError}`.trimEnd();

const sagaText = (saga: Saga) => [factsText(columns, saga), "steps", ...saga.steps.map(stepText)].join("\n");

/** `docket sagas …` */
export function addSagaCommands(program: Command, surroundings: Surroundings): void {
  const sagas = program.command("sagas").description("list, show, pause, resume, retry and compensate sagas");

  sagas
    .command("list")
    .description("list sagas, the newest first")
    .option("-f, --filter <filter>", "which sagas, for example: state = NEEDS_ATTENTION")
    .option("--tenant <tenant>", "whose sagas; - for all tenants")
    .option("-n, --limit <count>", "how many at the most", parseCount, 50)
    .action(async (options: { filter?: string; tenant?: string; limit: number }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const { filter = "", tenant = "", limit } = options;
      const pageSize = Math.min(limit, 1000);
      const found = paged(
        (pageToken) => docket.sagas.listSagas({ filter, tenant, pageToken, pageSize }),
        (page) => page.sagas,
      );
      await output.rows(SagaSchema, take(found, limit), columns);
    });

  const add = (verb: string, description: string, act: (docket: Docket, name: string) => Promise<Saga>) =>
    sagas
      .command(verb)
      .description(description)
      .argument("<saga>", "its name (sagas/…) or its id, or an order (orders/…): its newest saga")
      .action(async (given: string, _options: unknown, command: Command) => {
        const { docket, output } = contextOf(command, surroundings);
        const saga = await act(docket, await nameOf(docket, given));
        output.one(SagaSchema, saga, sagaText(saga));
      });

  add("get", "show a saga with its steps", (docket, name) => docket.sagas.getSaga({ name }));
  add("pause", "stop a saga after the step that it is at", (docket, name) => docket.sagas.pauseSaga({ name }));
  add("resume", "let a paused saga go on", (docket, name) => docket.sagas.resumeSaga({ name }));
  add("retry", "try the step again at which a saga failed", (docket, name) => docket.sagas.retrySaga({ name }));
  add("compensate", "undo what a saga has done", (docket, name) => docket.sagas.compensateSaga({ name }));
}

async function nameOf(docket: Docket, given: string): Promise<string> {
  if (!given.startsWith("orders/")) {
    return given.startsWith("sagas/") ? given : `sagas/${given}`;
  }
  const { sagas } = await docket.sagas.listSagas({ filter: `aggregate = ${JSON.stringify(given)}`, pageSize: 1 });
  const [saga] = sagas;
  if (saga === undefined) {
    throw new Error(`${given} has no saga`);
  }
  return saga.name;
}
