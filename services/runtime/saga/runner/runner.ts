import type { Database } from "../../db/connect.ts";
import { createDatabaseClock } from "../../db/database-clock.ts";
import { createWorkLoop } from "../../jobs/work-loop.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { Logger } from "../../telemetry/log.ts";
import { type Clock, systemClock } from "../../values/clock.ts";
import { createIds, type Ids } from "../../values/ids.ts";
import { createSagas } from "../create-sagas.ts";
import type { SagaDefinition } from "../definition.ts";
import { createDefinitions } from "../definition-registry.ts";
import type { Sagas } from "../saga-client.ts";
import type { ClaimedSaga } from "../store/saga-store.ts";
import { createSqlSagaStore } from "../store/sql-store.ts";
import type { SagaTables } from "../store/tables.ts";
import { createCommitter } from "./committer.ts";
import { createWorker } from "./worker.ts";

export interface SagaRunnerOptions<DB extends SagaTables> {
  readonly db: Database<DB>;
  /** All definitions and versions that this process can run; sagas of others are left to other processes. */
  readonly definitions: readonly SagaDefinition<unknown, DB>[];
  readonly log: Logger;
  /** Where steps' `events` are published. */
  readonly outbox?: Outbox;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** A number in [0, 1), for the jitter of pauses; `Math.random` unless given. */
  readonly random?: () => number;
  /** How many sagas this process works on at once. 64 unless given. */
  readonly concurrency?: number;
  /** How long a dead process's sagas stay with it. 10 s unless given. */
  readonly leaseMs?: number;
  /** How often it looks for due sagas without being nudged. 500 ms unless given. */
  readonly pollMs?: number;
  /** How long steps that run may take when the process ends, before their signal is aborted. 5 s unless given. */
  readonly drainMs?: number;
}

/** Runs sagas. */
export interface SagaRunner<DB> extends AsyncDisposable {
  readonly sagas: Sagas<DB>;
  /** Begins to claim sagas. */
  start(): void;
  /** Looks for due sagas now. Commands given through `sagas` of this process do it by themselves. */
  nudge(): void;
  /** Claims no more, lets the steps that run end, and hands their sagas to other processes. Repeatable. */
  drain(): Promise<void>;
}

/**
 * The runner of one service's sagas. Any number of processes may run one on the same database: each saga is worked on
 * by one of them at a time, and a dead one's sagas go to the others within `leaseMs` plus one second.
 *
 * ```ts
 * const runner = createSagaRunner({ db, outbox, log, definitions: [bookTrip(clients)] });
 * context.sagas = runner.sagas;
 * runner.start();          // in the service's start()
 * await runner.drain();    // in the service's drain()
 * ```
 */
export function createSagaRunner<DB extends SagaTables>(options: SagaRunnerOptions<DB>): SagaRunner<DB> {
  const { db, log, clock = systemClock, random = Math.random, concurrency = 64 } = options;
  const { leaseMs = 10_000, pollMs = 500, drainMs = 5_000 } = options;
  const owner = (options.ids ?? createIds(clock)).next();
  const definitions = createDefinitions(options.definitions);
  const databaseClock = createDatabaseClock(db.dialect, clock);
  const store = createSqlSagaStore({
    db,
    owner,
    leaseMs,
    definitions: options.definitions,
    outbox: options.outbox,
    log,
  });
  const commit = createCommitter(store, { parallel: db.dialect === "sqlite" ? 1 : 2, batch: 64 });
  const shutdown = new AbortController();
  let running = false;
  let wake: NodeJS.Timeout | undefined;

  const worker = createWorker({
    ...{ definitions, commit, clock, databaseClock, random, log },
    shutdown: shutdown.signal,
    draining: () => !running,
  });

  /** When to look again without being nudged, by the monotonic clock. The loop also asks when a saga has left room. */
  let lookAtMs = 0;
  const nudge = () => {
    lookAtMs = 0;
    loop.nudge();
  };

  /** Sagas that transactions of this process started as claimed, more at once than there was room for. */
  const backlog: ClaimedSaga[] = [];
  const take = (saga: ClaimedSaga) => {
    if (loop.room() > 0 || !running) {
      loop.add(saga);
    } else {
      worker.hold(saga.id);
      backlog.push(saga);
    }
  };

  const claim = async (limit: number): Promise<readonly ClaimedSaga[]> => {
    if (backlog.length > 0) {
      return backlog.splice(0, limit);
    }
    const startedMs = clock.monotonicMs();
    if (startedMs < lookAtMs) {
      return [];
    }
    lookAtMs = startedMs + pollMs * 0.9;
    await renew();
    const { now, dueAt } = await store.look();
    databaseClock.set(now);
    if (dueAt === null || dueAt > now) {
      if (dueAt !== null && dueAt < now + pollMs) {
        clearTimeout(wake);
        wake = setTimeout(nudge, dueAt - now + 1).unref();
      }
      return [];
    }
    const claimed = await store.claim(limit);
    if (claimed.length === limit) {
      lookAtMs = 0;
    }
    return claimed;
  };

  const loop = createWorkLoop({ name: "sagas", log, claim, work: worker.run, concurrency, pollMs });

  /** Leases are renewed for what runs for long; a checkpoint renews its own. */
  const renew = async () => {
    const ids = worker.olderThan(leaseMs / 3);
    if (ids.length > 0) {
      await store.renew(ids);
      worker.renewed(ids);
    }
  };
  const renewing = setInterval(() => {
    renew().catch((error: unknown) => log.warn({ err: error }, "could not renew the leases of sagas"));
  }, leaseMs / 6);
  renewing.unref();

  const drain = async () => {
    running = false;
    clearTimeout(wake);
    const timer = setTimeout(() => shutdown.abort(), drainMs);
    backlog.splice(0).forEach(loop.add);
    await loop.drain();
    clearTimeout(timer);
    clearInterval(renewing);
  };

  const sagas = createSagas({
    ...{ db, definitions, databaseClock },
    runner: {
      ...{ owner, leaseMs, nudge, take },
      accepts: () => running && backlog.length === 0 && loop.room() > 0,
    },
  });

  return {
    sagas,
    start() {
      running = true;
      loop.start();
    },
    nudge,
    drain,
    async [Symbol.asyncDispose]() {
      shutdown.abort();
      await drain();
      await loop[Symbol.asyncDispose]();
    },
  };
}
