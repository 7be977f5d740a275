import type { Job, Jobs } from "./job.ts";

/** Work in the background. Disposing it drains it, and aborts what is still in progress. */
export interface BackgroundWork extends AsyncDisposable {
  /** The longest interval between two looks for work. */
  readonly everyMs: number;
  /** Starts looking for work. */
  start(): void;
  /** Does what is due now, without having been started. */
  readonly runDue: Job;
  /** Stops looking for work; resolves when what is in progress is done or released. Idempotent. */
  drain(): Promise<void>;
}

/** One of the things that a service does by itself, now and then. */
export interface JobRow {
  /** Unique in its service. */
  readonly name: string;
  /** What it does, as a sentence. */
  readonly does: string;
  readonly work: BackgroundWork;
  /** Whether it is drained after the other jobs, because they give it work to do. */
  readonly drainsLast?: boolean;
}

/** The jobs of a service. Disposing it disposes of them, the last row first. */
export interface JobTable extends AsyncDisposable {
  readonly rows: readonly JobRow[];
  /** The jobs, to be run on demand. */
  readonly due: Jobs;
  /** Starts the jobs, the first row first. */
  start(): void;
  /** Drains the jobs, except those that are drained last. Idempotent. */
  pause(): Promise<void>;
  /** Drains the jobs. Idempotent. */
  drain(): Promise<void>;
}

/** @throws if two rows have the same name */
export function createJobTable(rows: readonly JobRow[]): JobTable {
  const stack = new AsyncDisposableStack();
  const due = new Map<string, Job>();
  for (const { name, work } of rows) {
    if (due.has(name)) {
      throw new Error(`two jobs are named "${name}"`);
    }
    due.set(name, work.runDue);
    stack.use(work);
  }
  const drainAll = (drained: readonly JobRow[]) => Promise.all(drained.map(({ work }) => work.drain()));
  return {
    rows,
    due: Object.fromEntries(due),
    start() {
      for (const { work } of rows) {
        work.start();
      }
    },
    async pause() {
      await drainAll(rows.filter((row) => row.drainsLast !== true));
    },
    async drain() {
      await drainAll(rows.filter((row) => row.drainsLast !== true));
      await drainAll(rows.filter((row) => row.drainsLast === true));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
