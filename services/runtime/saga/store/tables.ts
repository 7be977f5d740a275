/**
 * A whole saga: a checkpoint is one UPDATE of one row, conditional on `epoch` and `revision`.
 *
 * `due_at` alone determines when a runner may claim the row: immediately, after a delay, at a deadline, or, while a
 * runner executes it, when that runner's lease expires.
 */
export interface SagasTable {
  id: string;
  tenant_id: string;
  aggregate: string;
  definition: string;
  version: number;
  status: string;
  /** Name of the current step. */
  step: string;
  /** The state, the steps' records and pending signals, as JSON; see `record.ts`. */
  data: string;
  /** Epoch milliseconds by the database's clock, like all times; null if nothing is planned. */
  due_at: number | null;
  /** The runner that holds it; null if none. */
  owner: string | null;
  /** Fencing token, incremented by each claim. Writes with an older one have no effect. */
  epoch: number;
  /** Incremented by each change: commands and signals change a row without claiming it. */
  revision: number;
  /** Number of runners lost at this step. */
  takeovers: number;
  created_at: number;
  updated_at: number;
}

/** Part of the schema type of every service with sagas. */
export interface SagaTables {
  sagas: SagasTable;
}
