import { fixed, type Live } from "../runtime/config/live.ts";
import { openDatabase } from "../runtime/db/connect.ts";
import { migrate } from "../runtime/db/migrate.ts";
import { ping } from "../runtime/db/ping.ts";
import { createJobTable } from "../runtime/jobs/job-table.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import type { Service } from "../runtime/service/service.ts";
import type { ServiceDeps } from "../runtime/service/service-base.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { createIds } from "../runtime/values/ids.ts";
import { createWebhookSender } from "../runtime/webhooks/webhook-sender.ts";
import { type SandboxConfig, sandboxDefaults } from "./config.ts";
import type { SandboxContext } from "./context.ts";
import { migrations } from "./db/migrations.ts";
import type { SandboxDatabase } from "./db/schema.ts";
import { jobs } from "./jobs.ts";
import { PAYMENT_CALLBACK_PATH } from "./payments.ts";
import { routes } from "./routes.ts";

/** Dependencies that the sandbox does not create itself. It publishes and consumes no events. */
export interface SandboxDeps extends Omit<ServiceDeps, "bus"> {
  /** Sends the callbacks; defaults to `globalThis.fetch`. */
  readonly fetch?: typeof fetch;
  /** Settings that change while the service runs; they take precedence over those of the configuration. */
  readonly settings?: Live<typeof sandboxDefaults>;
}

/**
 * Creates the sandbox, a payment provider and a carrier that move nothing. It behaves like an external system: it has a
 * database of its own, is called over HTTP with a key, and reports later changes only by signed callbacks or when
 * polled. Migrates its schema first.
 */
export async function createSandboxService(config: SandboxConfig, deps: SandboxDeps = {}): Promise<Service> {
  const { databaseUrl, publicUrl, apiKey, paymentSecret, carrierSecret, retention, ...timing } = config;
  const {
    clock = systemClock,
    random = Math.random,
    onStatement,
    statementTimeoutMs,
    maxConnections,
    credentials,
  } = deps;
  const { ids = createIds(clock), log = createLogger({ level: "info", name: "sandbox" }) } = deps;
  const kept = retention ?? defaultRetention;
  await using opening = new AsyncDisposableStack();
  const db = opening.use(
    await openDatabase<SandboxDatabase>({
      url: databaseUrl,
      credentials,
      random,
      onStatement,
      statementTimeoutMs,
      maxConnections,
    }),
  );
  await migrate(db, migrations);
  const sender = createWebhookSender({
    retentionMs: kept.deliveriesMs,
    db,
    ids,
    log,
    random,
    secretFor: (url) => (url === PAYMENT_CALLBACK_PATH ? paymentSecret : carrierSecret),
    baseUrl: publicUrl,
    ...(deps.fetch && { fetch: deps.fetch }),
  });
  const ctx: SandboxContext = {
    db,
    clock,
    ids,
    sender,
    apiKey,
    publicUrl,
    timing: deps.settings ?? fixed({ ...sandboxDefaults, ...timing }),
  };
  const background = opening.use(createJobTable(jobs(ctx, log, kept)));
  const stack = opening.move();
  return {
    name: "sandbox",
    specs: routes(ctx),
    checks: { "sandbox-database": { run: () => ping(db.kysely) } },
    jobs: background,
    start: async () => background.start(),
    pause: () => background.pause(),
    drain: () => background.drain(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
