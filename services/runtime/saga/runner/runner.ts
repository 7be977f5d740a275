import type { Commands } from "../../commands/command.ts";
import type { Database } from "../../db/connect.ts";
import { createDatabaseClock } from "../../db/database-clock.ts";
import type { Job } from "../../jobs/job.ts";
import type { BackgroundWork } from "../../jobs/job-table.ts";
import { createWorkLoop } from "../../jobs/work-loop.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { Logger } from "../../telemetry/log.ts";
import { type Clock, systemClock } from "../../values/clock.ts";
import { createIds, type Ids } from "../../values/ids.ts";
import { createSagaClient, type SagaClient } from "../create-saga-client.ts";
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
  /** The client whose sagas it runs; by default the runner creates its own. */
  readonly sagas?: SagaClient;
  /** All definitions and versions that this process can run; other sagas are left to other processes. */
  readonly definitions: readonly SagaDefinition<unknown>[];
  readonly log: Logger;
  /** The command processor of `db`, which stores the sagas. Disposed of after the runner. */
  readonly commands: Commands;
  /** Outbox for the events of steps and hooks. */
  readonly outbox: Pick<Outbox, "publish">;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** Random number in [0, 1) for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Most sagas run concurrently by this process. Default 64. */
  readonly concurrency?: number;
  /** Lease duration. After a crash, other runners can claim the saga once it expires. Default 10 s. */
  readonly leaseMs?: number;
  /** Poll interval for due sagas. Default 500 ms. */
  readonly pollMs?: number;
  /** Time for running steps to end on shutdown before their signal is aborted. Default 5 s. */
  readonly drainMs?: number;
}

/** Runs sagas. */
export interface SagaRunner extends BackgroundWork {
  readonly sagas: Sagas;
  /** Starts claiming sagas. */
  start(): void;
  /** Claims and runs due sagas, without the loop. After the signal, sagas are released when their current step ends. */
  readonly runDue: Job;
  /** Polls for due sagas now. Commands through `sagas` of this process do so automatically. */
  nudge(): void;
  /** Stops claiming, lets running steps end, and releases their sagas to other processes. Idempotent. */
  drain(): Promise<void>;
}

/**
 * Creates the runner of a service's sagas. Several processes may run one on the same database: each saga is run by one
 * of them at a time, and the sagas of a crashed process are claimed by others within `leaseMs` plus one second.
 *
 * ```ts
 * const sagas = createSagaClient({ db, outbox });
 * const runner = createSagaRunner({ db, commands, sagas, outbox, log, definitions: [bookTrip(clients)] });
 * runner.start();          // in the service's start()
 * await runner.drain();    // in the service's drain()
 * ```
 */
export function createSagaRunner<DB extends SagaTables>(options: SagaRunnerOptions<DB>): SagaRunner {
  const { db, commands, outbox, log, clock = systemClock, random = Math.random, concurrency = 64 } = options;
  const { leaseMs = 10_000, pollMs = 500, drainMs = 5_000 } = options;
  const owner = (options.ids ?? createIds(clock)).next();
  const definitions = createDefinitions(options.definitions);
  const databaseClock = createDatabaseClock(db.dialect, clock);
  const store = createSqlSagaStore({
    db,
    owner,
    leaseMs,
    definitions: options.definitions,
    log,
  });
  const commit = createCommitter({ commands, owner, leaseMs });
  const shutdown = new AbortController();
  let running = false;
  let wake: NodeJS.Timeout | undefined;

  const worker = createWorker({
    ...{ definitions, commit, clock, databaseClock, random, log },
    shutdown: shutdown.signal,
    segmentMs: leaseMs / 3,
    draining: () => !running,
  });

  /** Time of the next poll, by the monotonic clock. The loop also polls when a saga frees capacity. */
  let lookAtMs = 0;
  const nudge = () => {
    lookAtMs = 0;
    loop.nudge();
  };

  /** Sagas started as claimed by transactions of this process, beyond its capacity. */
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

  /** Renews the leases of long-running sagas; a checkpoint renews its own. */
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

  const runDue: Job = async (signal) => {
    const stop = () => {
      running = false;
    };
    signal.addEventListener("abort", stop, { once: true });
    running = !signal.aborted;
    let any = false;
    try {
      while (running) {
        // The last look may be younger than the poll interval.
        lookAtMs = 0;
        if (!(await loop.runDue(signal))) {
          break;
        }
        any = true;
      }
      return any;
    } finally {
      signal.removeEventListener("abort", stop);
      running = false;
      clearTimeout(wake);
      backlog.splice(0).forEach(loop.add);
      await loop.runDue(AbortSignal.abort());
    }
  };

  const { sagas = createSagaClient({ db, outbox }) } = options;
  sagas.attach({
    ...{ definitions, databaseClock, owner, leaseMs, nudge, take, interrupt: worker.interrupt },
    accepts: () => running && backlog.length === 0 && loop.room() > 0,
  });

  return {
    sagas,
    everyMs: pollMs,
    start() {
      running = true;
      loop.start();
    },
    runDue,
    nudge,
    drain,
    async [Symbol.asyncDispose]() {
      shutdown.abort();
      await drain();
      await loop[Symbol.asyncDispose]();
    },
  };
}
