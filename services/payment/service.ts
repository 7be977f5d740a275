import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import { createCallbackInbox } from "../runtime/callbacks/callback-inbox.ts";
import { createCommandStore } from "../runtime/callbacks/command-store.ts";
import { callbackRetention } from "../runtime/callbacks/retention.ts";
import { outboxRetention } from "../runtime/outbox/retention.ts";
import type { CheckResult } from "../runtime/process/checks.ts";
import { RETENTION_BATCH, startRetention } from "../runtime/retention/retention.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import type { Service } from "../runtime/service/service.ts";
import { createServiceBase, type ServiceDeps } from "../runtime/service/service-base.ts";
import { deliveryRetention } from "../runtime/webhooks/retention.ts";
import { createWebhookSender } from "../runtime/webhooks/webhook-sender.ts";
import { applyCallback } from "./apply-callback.ts";
import { type PaymentConfig, paymentDefaults } from "./config.ts";
import type { PaymentContext } from "./context.ts";
import { migrations } from "./db/migrations.ts";
import type { PaymentDatabase } from "./db/schema.ts";
import type { ProviderReport } from "./domain/provider-report.ts";
import type { PaymentProvider } from "./providers/payment-provider.ts";
import { createSandboxProvider } from "./providers/sandbox/sandbox-provider.ts";
import { routes } from "./routes.ts";
import { findStuckOperation, pruneOperationKeys } from "./store/operations.ts";
import { deleteSandboxPayments } from "./store/sandbox.ts";
import { createOperationWorker } from "./workers/perform-operations.ts";
import { createPaymentReconciler } from "./workers/reconcile-payments.ts";

/** Dependencies that the payment service does not create itself. */
export interface PaymentDeps extends ServiceDeps {
  /** Providers besides the sandbox, or replacing it. */
  readonly providers?: readonly PaymentProvider[];
  /** Sends the sandbox's callbacks; defaults to `globalThis.fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * Creates the payment service: payments with their refunds and ledger, provider callbacks, and the sandbox. Migrates
 * its schema first.
 */
export async function createPaymentService(config: PaymentConfig, deps: PaymentDeps = {}): Promise<Service> {
  const settings = { ...paymentDefaults, ...config };
  const { databaseUrl } = settings;
  const base = await createServiceBase<PaymentDatabase>({ name: "payment", databaseUrl, migrations }, deps);
  const { db, commands, relay, clock, ids, random, log } = base;

  const secret = signingKeyOf(settings.sandboxSecret);
  const publicUrl = () => settings.publicUrl;
  const kept = settings.retention ?? defaultRetention;
  const sender = createWebhookSender({
    retentionMs: kept.deliveriesMs,
    db,
    ids,
    log,
    random,
    secret,
    baseUrl: publicUrl,
    ...(deps.fetch && { fetch: deps.fetch }),
  });
  const { sandboxDelayMs: delayMs, sandboxLateMs: lateMs } = settings;
  const sandbox = createSandboxProvider({ db, ids, sender, secret, publicUrl, delayMs, lateMs });

  const providers = new Map([sandbox, ...(deps.providers ?? [])].map((provider) => [provider.name, provider]));
  if (!providers.has(settings.defaultProvider)) {
    throw new Error(`unknown payment provider ${settings.defaultProvider}; known: ${[...providers.keys()]}`);
  }
  const retry = { initialMs: Math.min(200, settings.retryMaxMs), maxMs: settings.retryMaxMs };
  const { pollMs } = settings;
  const callbackStore = createCommandStore<PaymentDatabase, readonly ProviderReport[]>({
    db,
    commands,
    random,
    retry,
    patienceMs: settings.callbackPatienceMs,
    source: (name) => providers.get(name),
    apply: (callback) => applyCallback(payments, callback),
  });
  const callbacks = createCallbackInbox({ name: "payment", db, store: callbackStore, ids, clock, log, pollMs });
  const payments: PaymentContext = {
    db,
    commands,
    clock,
    ids,
    random,
    log,
    providers,
    defaultProvider: settings.defaultProvider,
    timing: {
      providerTimeoutMs: settings.providerTimeoutMs,
      retry,
      poll: { initialMs: settings.reconcileAfterMs, maxMs: 60 * settings.reconcileAfterMs },
    },
    callbacks,
    callbackStore,
    followUpDelayMs: 0,
    nudgeOperations: () => operations.nudge(),
  };
  const operations = createOperationWorker(payments, { pollMs });
  const background = [callbacks, createPaymentReconciler(payments, { pollMs }), operations, sender];
  const retention = startRetention({
    log,
    everyMs: kept.everyMs,
    rules: [
      outboxRetention(db, kept.outboxMs),
      callbackRetention(db, kept.callbacksMs),
      deliveryRetention(db, kept.deliveriesMs),
      {
        table: "payment_operations",
        keptMs: kept.idempotencyKeysMs,
        prune: async (keptMs) => (await pruneOperationKeys(db, keptMs, RETENTION_BATCH)) === RETENTION_BATCH,
      },
      {
        table: "sandbox_payments",
        keptMs: kept.sandboxMs,
        prune: (keptMs) => deleteSandboxPayments(db, clock, keptMs),
      },
    ],
  });

  return {
    name: "payment",
    specs: routes(payments, sandbox),
    checks: {
      ...base.checks,
      "payment-callbacks": callbacks.check,
      "payment-operations": { run: () => checkOperations(db.kysely), policy: "degraded" },
    },
    async start() {
      relay.start();
      for (const loop of background) {
        loop.start();
      }
    },
    async drain() {
      await Promise.all(background.map((loop) => loop.drain()));
      await relay.drain();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([retention, ...background].map((part) => part[Symbol.asyncDispose]()));
      await commands[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}

/**
 * Warns of operations without a response from the provider: they are retried indefinitely, so an operator should know.
 */
async function checkOperations(kysely: Kysely<PaymentDatabase>): Promise<CheckResult> {
  const stuck = await findStuckOperation(kysely);
  return stuck === undefined ? { status: "pass" } : { status: "warn", error: `no response yet to ${stuck}` };
}

/** Derives a Standard Webhooks key from text of any form. */
function signingKeyOf(secret: string): string {
  return secret.startsWith("whsec_") ? secret : `whsec_${createHash("sha256").update(secret).digest("base64")}`;
}
