import type { EventBus } from "../bus/event-bus.ts";
import { createInProcessBus } from "../bus/in-process.ts";
import { type Database, openDatabase } from "../db/connect.ts";
import { type Migration, migrate } from "../db/migrate.ts";
import { ping } from "../db/ping.ts";
import type { OnStatement } from "../db/statement.ts";
import { outboxLagCheck } from "../outbox/lag-check.ts";
import { createOutbox, type Outbox } from "../outbox/outbox.ts";
import { createOutboxRelay, type OutboxRelay } from "../outbox/relay.ts";
import type { OutboxTables } from "../outbox/tables.ts";
import type { Checks } from "../process/checks.ts";
import { createLogger, type Logger } from "../telemetry/log.ts";
import { type Clock, systemClock } from "../values/clock.ts";
import { createIds, type Ids } from "../values/ids.ts";

/** What any service may be given; it makes for itself what it is not given. */
export interface ServiceDeps {
  /** Where events come from and go to. Unless given, a bus that nobody else is on. */
  readonly bus?: EventBus;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** A number in [0, 1), for the jitter of pauses. */
  readonly random?: () => number;
  readonly log?: Logger;
  /** How long a SELECT may take, see `OpenOptions`. */
  readonly statementTimeoutMs?: number;
  /** Told of every statement. */
  readonly onStatement?: OnStatement;
}

/** What a service that stores something and tells others of it stands on. It disposes of `relay` and `db`, in this order. */
export interface ServiceBase<DB> {
  readonly db: Database<DB>;
  readonly bus: EventBus;
  readonly outbox: Outbox;
  /** Not started yet. */
  readonly relay: OutboxRelay;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: () => number;
  readonly log: Logger;
  /** Whether the database answers, and how long events wait to be sent. */
  readonly checks: Checks;
}

/** Opens a service's database, brings its schema up to date, and makes the way out for its events. */
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

  const { onStatement, statementTimeoutMs } = deps;
  const db = await openDatabase<DB>({ url: service.databaseUrl, random, onStatement, statementTimeoutMs });
  await migrate(db, service.migrations);
  const outbox = createOutbox({ source: `docket/${name}`, ids, clock });
  const relay = createOutboxRelay({ db, bus, outbox, log, clock, random });
  const checks = { [`${name}-database`]: { run: () => ping(db.kysely) }, [`${name}-outbox-lag`]: outboxLagCheck(db) };
  return { db, bus, outbox, relay, clock, ids, random, log, checks };
}
