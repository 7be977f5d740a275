/**
 * Where a process gets the time from. A test or the simulator passes its own.
 * Leases and timers of the database use the database's clock instead: see `nowMs` in `db/sql.ts`.
 */
export interface Clock {
  /** The wall clock, for times that people and other processes see. It may jump either way. */
  now(): Date;
  /** Milliseconds since an arbitrary moment, never going back: for intervals inside this process. */
  monotonicMs(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};
