import { createCallbackSender } from "../runtime/callbacks/callback-sender.ts";
import type { Service } from "../runtime/service.ts";
import { createServiceBase, type ServiceDeps } from "../runtime/service-base.ts";
import type { WorkLoop } from "../runtime/work-loop.ts";
import type { Carrier } from "./carriers/carrier.ts";
import { createSandboxCarrier } from "./carriers/sandbox/sandbox-carrier.ts";
import type { LogisticsConfig } from "./config.ts";
import type { LogisticsClients, LogisticsContext, LogisticsTiming } from "./context.ts";
import { migrations } from "./db/migrations.ts";
import type { LogisticsDatabase } from "./db/schema.ts";
import { routes } from "./routes.ts";
import { createCallbackWorker } from "./workers/callbacks.ts";
import { startHousekeeping } from "./workers/housekeeping.ts";
import { createShipmentWorker } from "./workers/shipments.ts";

/** What the logistics service does not make itself. */
export interface LogisticsDeps extends ServiceDeps {
  readonly clients: LogisticsClients;
  /** Carriers beside the sandbox, or in its place. */
  readonly carriers?: readonly Carrier[];
  /** How the sandbox sends its callbacks; `globalThis.fetch` unless given. */
  readonly fetch?: typeof fetch;
}

/** Makes the logistics service: shipments, and the carriers that carry them. Its schema is brought up to date first. */
export async function createLogisticsService(config: LogisticsConfig, deps: LogisticsDeps): Promise<Service> {
  const { databaseUrl } = config;
  const base = await createServiceBase<LogisticsDatabase>({ name: "logistics", databaseUrl, migrations }, deps);
  const { db, outbox, relay, clock, ids, random, log } = base;

  const { sandboxSecret: secret, sandboxStepMs: stepMs, publicUrl: baseUrl } = config;
  const callbacks = createCallbackSender({
    db,
    ids,
    log,
    secret,
    baseUrl,
    random,
    ...(deps.fetch && { fetch: deps.fetch }),
  });
  const sandbox = createSandboxCarrier({ db, callbacks, clock, ids, secret, stepMs });
  const carriers = new Map([sandbox, ...(deps.carriers ?? [])].map((carrier) => [carrier.name, carrier]));

  const loops: { shipments?: WorkLoop; callbacks?: WorkLoop } = {};
  const logistics: LogisticsContext = {
    db,
    outbox,
    clients: deps.clients,
    carriers,
    defaultCarrier: config.defaultCarrier,
    clock,
    ids,
    random,
    log,
    timing: timingOf(config),
    nudgeShipments: () => loops.shipments?.nudge(),
    nudgeCallbacks: () => loops.callbacks?.nudge(),
  };
  const shipmentWorker = createShipmentWorker(logistics, { pollMs: config.workPollMs });
  const callbackWorker = createCallbackWorker(logistics, { pollMs: config.workPollMs });
  const housekeeping = startHousekeeping(logistics);
  Object.assign(loops, { shipments: shipmentWorker, callbacks: callbackWorker });

  return {
    name: "logistics",
    specs: routes(logistics),
    checks: base.checks,
    async start() {
      relay.start();
      callbacks.start();
      callbackWorker.start();
      shipmentWorker.start();
    },
    async drain() {
      await Promise.all([shipmentWorker.drain(), callbackWorker.drain(), callbacks.drain(), relay.drain()]);
    },
    async [Symbol.asyncDispose]() {
      for (const part of [housekeeping, shipmentWorker, callbackWorker, callbacks, relay, db]) {
        await part[Symbol.asyncDispose]();
      }
    },
  };
}

function timingOf(config: LogisticsConfig): LogisticsTiming {
  return {
    carrierTimeoutMs: config.carrierTimeoutMs,
    retry: { initialMs: 200, maxMs: 60_000 },
    pollAfterMs: config.trackAfterMs,
    expireAfterMs: config.expireAfterMs,
    callbackPatienceMs: 7 * 24 * 3_600_000,
    cancelWaitMs: 2 * config.carrierTimeoutMs,
  };
}
