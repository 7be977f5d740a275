import type { Kysely } from "kysely";
import { chooseAdapters } from "../runtime/api/choose-adapters.ts";
import { createCallbackInbox } from "../runtime/callbacks/callback-inbox.ts";
import { createCommandStore } from "../runtime/callbacks/command-store.ts";
import { fixed, type Live, mapLive } from "../runtime/config/live.ts";
import { createJobTable } from "../runtime/jobs/job-table.ts";
import type { CheckResult } from "../runtime/process/checks.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import type { Service } from "../runtime/service/service.ts";
import { createServiceBase, type ServiceDeps } from "../runtime/service/service-base.ts";
import { applyCallback } from "./apply-callback.ts";
import { type PaymentConfig, paymentDefaults } from "./config.ts";
import type { PaymentContext, PaymentTiming } from "./context.ts";
import { migrations } from "./db/migrations.ts";
import type { PaymentDatabase } from "./db/schema.ts";
import type { ProviderReport } from "./domain/provider-report.ts";
import { jobs } from "./jobs.ts";
import type { PaymentProvider } from "./providers/payment-provider.ts";
import { providers as table } from "./providers.ts";
import { routes } from "./routes.ts";
import { findStuckOperation } from "./store/operations.ts";
import { createOperationWorker } from "./workers/perform-operations.ts";

/** Dependencies that the payment service does not create itself. */
export interface PaymentDeps extends ServiceDeps {
  /** Providers besides the configured ones, or replacing them. */
  readonly providers?: readonly PaymentProvider[];
  /** Settings that change while the service runs; they take precedence over those of the configuration. */
  readonly settings?: Live<typeof paymentDefaults>;
}

/**
 * Creates the payment service: payments with their refunds and ledger, and provider callbacks. Migrates its schema
 * first.
 */
export async function createPaymentService(config: PaymentConfig, deps: PaymentDeps = {}): Promise<Service> {
  const settings = { ...paymentDefaults, ...config };
  const { databaseUrl } = settings;
  const configured = chooseAdapters(table, settings.providers, "payment provider", settings.providerSettings);
  const providers = new Map([...configured, ...(deps.providers ?? [])].map((provider) => [provider.name, provider]));
  const base = await createServiceBase<PaymentDatabase>({ name: "payment", databaseUrl, migrations }, deps);
  await using opening = base.stack;
  const { db, commands, relay, clock, ids, random, log } = base;

  const kept = settings.retention ?? defaultRetention;
  const timing = mapLive(deps.settings ?? fixed(settings), timingOf);
  const { pollMs } = settings;
  const callbackStore = createCommandStore<PaymentDatabase, readonly ProviderReport[]>({
    db,
    commands,
    random,
    retry: timing.current.retry,
    patienceMs: settings.callbackPatienceMs,
    source: (name) => providers.get(name),
    apply: (callback) => applyCallback(ctx, callback),
  });
  const callbacks = createCallbackInbox({ name: "payment", db, store: callbackStore, ids, clock, log, pollMs });
  const ctx: PaymentContext = {
    db,
    commands,
    clock,
    ids,
    random,
    log,
    providers,
    defaultProvider: settings.providers[0] ?? "",
    timing,
    callbacks,
    callbackStore,
    followUpDelayMs: 0,
    nudgeOperations: () => operations.nudge(),
  };
  const operations = createOperationWorker(ctx, { pollMs });

  for (const provider of configured) {
    opening.defer(() => provider.close?.());
  }
  const background = opening.use(createJobTable(jobs(ctx, { relay, operations, pollMs, kept })));
  const stack = opening.move();
  return {
    name: "payment",
    specs: routes(ctx),
    checks: {
      ...base.checks,
      "payment-callbacks": callbacks.check,
      "payment-operations": { run: () => checkOperations(db.kysely), policy: "degraded" },
    },
    jobs: background,
    start: async () => background.start(),
    pause: () => background.pause(),
    drain: () => background.drain(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function timingOf({ providerTimeoutMs, retryMaxMs, reconcileAfterMs }: typeof paymentDefaults): PaymentTiming {
  return {
    providerTimeoutMs,
    retry: { initialMs: Math.min(200, retryMaxMs), maxMs: retryMaxMs },
    poll: { initialMs: reconcileAfterMs, maxMs: 60 * reconcileAfterMs },
  };
}

/**
 * Warns of operations without a response from the provider: they are retried indefinitely, so an operator should know.
 */
async function checkOperations(kysely: Kysely<PaymentDatabase>): Promise<CheckResult> {
  const stuck = await findStuckOperation(kysely);
  return stuck === undefined ? { status: "pass" } : { status: "warn", error: `no response yet to ${stuck}` };
}
