/**
 * Source of time of a process. Tests and the simulator pass their own.
 *
 * Leases and timers in the database use the database's clock instead: see `nowMs` in `db/sql.ts`.
 */
export interface Clock {
  /** Wall clock, for times visible to people and other processes. It may jump in either direction. */
  now(): Date;
  /** Milliseconds since an arbitrary moment, monotonic: for intervals within this process. */
  monotonicMs(): number;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};
