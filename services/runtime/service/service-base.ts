import type { EventBus } from "../bus/event-bus.ts";
import { createInProcessBus } from "../bus/in-process.ts";
import type { Commands } from "../commands/command.ts";
import { createCommands } from "../commands/commands.ts";
import { reportBatches } from "../commands/report-batches.ts";
import type { Live } from "../config/live.ts";
import { type Database, openDatabase } from "../db/connect.ts";
import type { DatabaseCredentials } from "../db/credentials.ts";
import { type Migration, migrate } from "../db/migrate.ts";
import { ping } from "../db/ping.ts";
import type { ReadPosition } from "../db/read-position.ts";
import { replicaChecks } from "../db/replica-check.ts";
import type { OnStatement } from "../db/statement.ts";
import { outboxLagCheck } from "../outbox/lag-check.ts";
import { createOutbox, type Outbox } from "../outbox/outbox.ts";
import { createOutboxRelay, type OutboxRelay } from "../outbox/relay.ts";
import type { OutboxTables } from "../outbox/tables.ts";
import type { Checks } from "../process/checks.ts";
import { createLogger, type Logger } from "../telemetry/log.ts";
import { type Clock, systemClock } from "../values/clock.ts";
import { createIds, type Ids } from "../values/ids.ts";

/** Dependencies of a service. It creates those that are omitted. */
export interface ServiceDeps {
  /** Event bus. Default: a separate in-process bus. */
  readonly bus?: EventBus;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** Random number in [0, 1) for jitter. */
  readonly random?: () => number;
  readonly log?: Logger;
  /** Time limit of a SELECT, see `OpenOptions`. */
  readonly statementTimeoutMs?: number;
  /** Most connections to a database server, see `OpenOptions`. */
  readonly maxConnections?: number;
  /** How far this process has written to the server, shared by its databases. */
  readonly position?: ReadPosition;
  /** Called after every statement. */
  readonly onStatement?: OnStatement;
  /** See `OpenOptions.credentials`. */
  readonly credentials?: Live<DatabaseCredentials> | undefined;
  /** Called after each commit that published events. */
  readonly onCommitted?: () => void;
}

/**
 * Foundation of a service with a database and events. The service disposes of `stack`.
 */
export interface ServiceBase<DB> {
  readonly db: Database<DB>;
  readonly bus: EventBus;
  /** The command processor of `db`. */
  readonly commands: Commands;
  readonly outbox: Outbox;
  /** Not started yet. */
  readonly relay: OutboxRelay;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: () => number;
  readonly log: Logger;
  /** Checks of the database connection and of the outbox lag. */
  readonly checks: Checks;
  /**
   * Owner of `commands`, `relay` and `db`, which are disposed of in this order, after all that the service adds. A
   * service holds it with `await using` while it is created, and moves it when it is complete.
   */
  readonly stack: AsyncDisposableStack;
}

/** Opens a service's database, migrates its schema, and creates its outbox and relay. */
export async function createServiceBase<DB extends OutboxTables>(
  service: {
    readonly name: string;
    /** See `OpenOptions.url`. */
    readonly databaseUrl: string;
    readonly migrations: Readonly<Record<string, Migration>>;
  },
  deps: ServiceDeps,
): Promise<ServiceBase<DB>> {
  const { name } = service;
  const { clock = systemClock, random = Math.random } = deps;
  const { ids = createIds(clock), log = createLogger({ level: "info", name }) } = deps;
  const { bus = createInProcessBus({ log }) } = deps;

  const { onStatement, statementTimeoutMs, maxConnections, credentials, position } = deps;
  await using opening = new AsyncDisposableStack();
  const db = opening.use(
    await openDatabase<DB>({
      url: service.databaseUrl,
      credentials,
      random,
      onStatement,
      statementTimeoutMs,
      maxConnections,
      position,
    }),
  );
  await migrate(db, service.migrations);
  const outbox = createOutbox({ source: `docket/${name}`, ids, clock });
  if (deps.onCommitted !== undefined) {
    outbox.onCommitted(deps.onCommitted);
  }
  const relay = opening.use(createOutboxRelay({ db, bus, outbox, log, clock, random }));
  const commands = opening.use(createCommands({ db, outbox, log, clock, onBatch: reportBatches(name) }));
  const checks = {
    [`${name}-database`]: { run: () => ping(db.kysely) },
    [`${name}-outbox-lag`]: outboxLagCheck(db, name),
    ...replicaChecks(name, db),
  };
  return { db, bus, commands, outbox, relay, clock, ids, random, log, checks, stack: opening.move() };
}
