import type { HttpHandler } from "../../gateway/http/listener/listener.ts";
import type { Telemetry } from "../../gateway/telemetry/start-telemetry.ts";
import type { EventBus } from "../runtime/bus/event-bus.ts";
import { ConfigError } from "../runtime/config/config-error.ts";
import { createLifecycle } from "../runtime/process/lifecycle.ts";
import { createLogger, type Logger } from "../runtime/telemetry/log.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { composeHost } from "./compose.ts";
import type { HostConfig } from "./config.ts";
import { createDueWork, type DueWork } from "./due-work.ts";
import { createHostHandler } from "./http-handler.ts";

/**
 * The configured services in a process that the platform suspends between requests: without ports, and without
 * background work of their own. Disposing it closes the databases.
 */
export interface FunctionHost extends AsyncDisposable {
  /** REST, Connect and gRPC-Web. */
  readonly handler: HttpHandler;
  /** The bus to the consumers of this process. */
  readonly bus: EventBus;
  readonly work: DueWork;
  /** Calls the listener after each commit that leaves work. */
  onWork(listener: () => void): void;
  readonly log: Logger;
}

/** Lambda ends a process this long after SIGTERM, in milliseconds. */
const drainBudgetMs = 300;

/**
 * Creates the host of a function.
 *
 * @throws ConfigError if the configuration would keep anything in files, which are lost with the process
 */
export async function createFunctionHost(
  config: HostConfig,
  { telemetry }: { readonly telemetry?: Telemetry } = {},
): Promise<FunctionHost> {
  const problems = functionProblems(config);
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  const clock = systemClock;
  const log = createLogger({ level: config.logLevel, name: "docket" });
  const lifecycle = createLifecycle({ log, clock, budgetMs: drainBudgetMs });
  const listeners: (() => void)[] = [];
  const composition = await composeHost({
    ...{ config, log, clock, lifecycle, httpUrl: config.publicUrl ?? "" },
    takesRecords: true,
    onCommitted: () => {
      for (const listener of listeners) {
        listener();
      }
    },
  });
  lifecycle.onDrain("telemetry", "spans", async () => telemetry?.shutdown());
  // The documents are not part of a function's bundle.
  const handler = await createHostHandler({ config, log, composition, docs: false });
  lifecycle.ready();
  return {
    handler,
    bus: composition.localBus,
    work: createDueWork({ services: composition.services, log }),
    onWork: (listener) => void listeners.push(listener),
    log,
    [Symbol.asyncDispose]: () => lifecycle.shutdown("the function ends"),
  };
}

function functionProblems({ targets, databaseUrl, adminKey, sandboxSecret, publicUrl }: HostConfig): string[] {
  const problems: string[] = [];
  const has = (...names: readonly ("operations" | "payment" | "logistics" | "sandbox")[]) =>
    names.some((name) => targets.has(name));
  if (databaseUrl === undefined) {
    problems.push("DOCKET_DATABASE_URL is required in a function: its files are lost with each process");
  }
  if (adminKey === undefined && has("operations")) {
    problems.push("DOCKET_ADMIN_KEY is required in a function: a generated one is lost with each process");
  }
  if (sandboxSecret === undefined && has("payment", "logistics", "sandbox")) {
    problems.push("DOCKET_SANDBOX_SECRET is required in a function: a generated one is lost with each process");
  }
  if (publicUrl === undefined && has("payment", "logistics", "sandbox")) {
    problems.push("DOCKET_PUBLIC_URL is required in a function: providers and carriers send callbacks there");
  }
  return problems;
}
