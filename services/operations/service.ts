import { createDeadLetterAdmin } from "../runtime/admin/dead-letter-admin.ts";
import { createInProcessBus } from "../runtime/bus/in-process.ts";
import type { Live } from "../runtime/config/live.ts";
import { withTables } from "../runtime/db/any-transaction.ts";
import { openDatabase } from "../runtime/db/connect.ts";
import { migrate } from "../runtime/db/migrate.ts";
import { ping } from "../runtime/db/ping.ts";
import { replicaChecks } from "../runtime/db/replica-check.ts";
import { parkedCheck } from "../runtime/inbox/parked-check.ts";
import { createJobTable } from "../runtime/jobs/job-table.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import type { Service } from "../runtime/service/service.ts";
import type { ServiceDeps } from "../runtime/service/service-base.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { createIds } from "../runtime/values/ids.ts";
import type { OperationsConfig } from "./config.ts";
import { createAuditConsumer } from "./consumers/audit.ts";
import type { AdministeredService, OperationsContext } from "./context.ts";
import { migrations } from "./db/migrations.ts";
import type { OperationsDatabase } from "./db/schema.ts";
import { configuredKeyId, hashKey, prefixOf } from "./domain/api-key.ts";
import { configuredScopes } from "./domain/scopes.ts";
import { jobs } from "./jobs.ts";
import { routes } from "./routes.ts";
import { recordAct } from "./rpc/audit/record-act.ts";
import { replaceApiKey } from "./store/api-keys.ts";

/** Dependencies that the operations service does not create itself. */
export interface OperationsDeps extends ServiceDeps {
  /** The services with sagas or dead letters. Default: none. */
  readonly administered?: readonly AdministeredService[];
  /** The administrator key, which takes precedence over that of the configuration and may change. */
  readonly adminKey?: Live<string>;
  /** Called with the hash of a key once its revocation is committed. Best effort: the process may crash first. */
  readonly onKeyEnded?: (hash: string) => void;
}

/**
 * Creates the operations service, which manages API keys and the audit trail, after migrating its schema. Its
 * methods for sagas and dead letters ask the services that have them. The methods of webhooks are registered and return
 * UNIMPLEMENTED.
 */
export async function createOperationsService(config: OperationsConfig, deps: OperationsDeps = {}): Promise<Service> {
  const { clock = systemClock, ids = createIds(clock) } = deps;
  const { log = createLogger({ level: "info", name: "operations" }) } = deps;
  const { bus = createInProcessBus({ log }) } = deps;
  const { onStatement, statementTimeoutMs, maxConnections, credentials, position } = deps;
  await using opening = new AsyncDisposableStack();
  const db = opening.use(
    await openDatabase<OperationsDatabase>({
      url: config.databaseUrl,
      credentials,
      onStatement,
      statementTimeoutMs,
      maxConnections,
      position,
    }),
  );
  await migrate(db, migrations);
  const { administered = [], onKeyEnded = () => {} } = deps;
  const ctx: OperationsContext = { db, clock, ids, administered, onKeyEnded };
  await installAdminKey(ctx, { ...config, ...(deps.adminKey && { adminKey: deps.adminKey.current }) });
  deps.adminKey?.onChange((adminKey) => {
    installAdminKey(ctx, { ...config, adminKey }).catch((err) =>
      log.error({ err }, "the changed administrator key could not be installed; a restart installs it"),
    );
  });
  const audit = createAuditConsumer(ctx, bus, log);
  const kept = { ...(config.retention ?? defaultRetention), auditMs: config.auditRetentionMs };
  const background = opening.use(createJobTable(jobs(ctx, { audit, log, kept })));
  const stack = opening.move();
  return {
    name: "operations",
    specs: routes(ctx),
    admin: {
      deadLetters: createDeadLetterAdmin({
        service: "operations",
        db,
        consumers: [audit],
        record: (trx, call, act) => recordAct(ctx, withTables<OperationsDatabase>(trx), call, act),
      }),
    },
    checks: {
      "operations-database": { run: () => ping(db.kysely) },
      "operations-parked-events": parkedCheck(db, "operations"),
      ...replicaChecks("operations", db),
    },
    jobs: background,
    start: async () => background.start(),
    pause: () => background.pause(),
    drain: () => background.drain(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Installs the configured administrator key, replacing or, if none is configured, removing the previous one. */
async function installAdminKey({ db, clock }: OperationsContext, config: OperationsConfig): Promise<void> {
  if (config.adminKey === undefined) {
    return replaceApiKey(db, configuredKeyId, undefined);
  }
  await replaceApiKey(db, configuredKeyId, {
    id: configuredKeyId,
    tenant_id: config.adminTenant,
    display_name: "Administrator (from the configuration)",
    key_hash: hashKey(config.adminKey),
    key_prefix: prefixOf(config.adminKey),
    scopes: configuredScopes.join(" "),
    expires_at: null,
    revoked_at: null,
    last_used_at: null,
    created_at: clock.now().getTime(),
  });
}
