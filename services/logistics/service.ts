import { chooseAdapters } from "../runtime/api/choose-adapters.ts";
import { createCallbackInbox } from "../runtime/callbacks/callback-inbox.ts";
import { createCommandStore } from "../runtime/callbacks/command-store.ts";
import { fixed, type Live, mapLive } from "../runtime/config/live.ts";
import { createJobTable } from "../runtime/jobs/job-table.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import type { Service } from "../runtime/service/service.ts";
import { createServiceBase, type ServiceDeps } from "../runtime/service/service-base.ts";
import { applyCallback } from "./apply-callback.ts";
import type { Carrier, CarrierReport } from "./carriers/carrier.ts";
import { carriers as table } from "./carriers.ts";
import type { LogisticsConfig, logisticsDefaults } from "./config.ts";
import type { LogisticsClients, LogisticsContext, LogisticsTiming } from "./context.ts";
import { migrations } from "./db/migrations.ts";
import type { LogisticsDatabase } from "./db/schema.ts";
import { jobs } from "./jobs.ts";
import { routes } from "./routes.ts";
import { createShipmentWorker } from "./workers/shipments.ts";

/** External dependencies of the logistics service. */
export interface LogisticsDeps extends ServiceDeps {
  readonly clients: LogisticsClients;
  /** Carriers besides the configured ones, or replacing them. */
  readonly carriers?: readonly Carrier[];
  /** Settings that change while the service runs; they take precedence over those of the configuration. */
  readonly settings?: Live<typeof logisticsDefaults>;
}

/**
 * How long a callback waits for its shipment before it becomes FAILED. A shipment that appears later still wakes it.
 */
const CALLBACK_PATIENCE_MS = 7 * 24 * 3_600_000;

/** Creates the logistics service, which manages shipments and carriers, after migrating its schema. */
export async function createLogisticsService(config: LogisticsConfig, deps: LogisticsDeps): Promise<Service> {
  const { databaseUrl } = config;
  const configured = chooseAdapters(table, config.carriers, "carrier", config.carrierSettings);
  const carriers = new Map([...configured, ...(deps.carriers ?? [])].map((carrier) => [carrier.name, carrier]));
  const base = await createServiceBase<LogisticsDatabase>({ name: "logistics", databaseUrl, migrations }, deps);
  await using opening = base.stack;
  const { db, commands, relay, clock, ids, random, log } = base;

  const kept = config.retention ?? defaultRetention;
  const timing = mapLive(deps.settings ?? fixed(config), timingOf);
  const callbackStore = createCommandStore<LogisticsDatabase, CarrierReport>({
    db,
    commands,
    random,
    retry: timing.current.retry,
    patienceMs: CALLBACK_PATIENCE_MS,
    source: (name) => carriers.get(name),
    apply: (callback) => applyCallback(ctx, callback),
  });
  const pollMs = config.workPollMs;
  const callbacks = createCallbackInbox({ name: "carrier", db, store: callbackStore, ids, clock, log, pollMs });
  const ctx: LogisticsContext = {
    db,
    commands,
    clients: deps.clients,
    carriers,
    defaultCarrier: config.carriers[0] ?? "",
    clock,
    ids,
    random,
    log,
    timing,
    callbacks,
    callbackStore,
    nudgeShipments: () => shipmentWorker.nudge(),
  };
  const shipmentWorker = createShipmentWorker(ctx, { pollMs: config.workPollMs });

  for (const carrier of configured) {
    opening.defer(() => carrier.close?.());
  }
  const background = opening.use(createJobTable(jobs(ctx, { relay, shipments: shipmentWorker, kept })));
  const stack = opening.move();
  return {
    name: "logistics",
    specs: routes(ctx),
    checks: { ...base.checks, "carrier-callbacks": callbacks.check },
    jobs: background,
    start: async () => background.start(),
    pause: () => background.pause(),
    drain: () => background.drain(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function timingOf(config: typeof logisticsDefaults): LogisticsTiming {
  return {
    carrierTimeoutMs: config.carrierTimeoutMs,
    claimLeaseMs: Math.min(3_000, config.carrierTimeoutMs / 4),
    retry: { initialMs: 200, maxMs: 60_000 },
    pollAfterMs: config.trackAfterMs,
    expireAfterMs: config.expireAfterMs,
    cancelWaitMs: config.carrierTimeoutMs / 2,
  };
}
