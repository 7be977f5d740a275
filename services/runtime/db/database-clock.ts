import { type QueryExecutorProvider, sql } from "kysely";
import type { Clock } from "../values/clock.ts";
import type { DialectName } from "./connect.ts";
import { nowMs } from "./sql.ts";

/**
 * Estimates the database's time without a query: its last response plus the time since then by this process's monotonic
 * clock.
 */
export interface DatabaseClock {
  /** Records a time that the database returned. */
  set(nowMs: number): void;
  /** The estimated time, or undefined if the last response is too old. */
  peek(): number | undefined;
  /** The estimated time; queries the database if the last response is too old. */
  read(executor: QueryExecutorProvider): Promise<number>;
}

/** After this long the two clocks may have drifted by a millisecond. */
const TRUSTED_MS = 10_000;

export function createDatabaseClock(dialect: DialectName, clock: Clock): DatabaseClock {
  let said: { readonly nowMs: number; readonly atMs: number } | undefined;
  const peek = () => {
    const elapsedMs = said === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() - said.atMs;
    return said === undefined || elapsedMs > TRUSTED_MS ? undefined : Math.floor(said.nowMs + elapsedMs);
  };
  const set = (now: number) => {
    said = { nowMs: now, atMs: clock.monotonicMs() };
  };
  return {
    set,
    peek,
    async read(executor) {
      const known = peek();
      if (known !== undefined) {
        return known;
      }
      const { rows } = await sql<{ now: number }>`select ${nowMs(dialect)} as now`.execute(executor);
      const now = Number(rows[0]?.now);
      set(now);
      return now;
    },
  };
}
