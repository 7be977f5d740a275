/**
 * One saga, all of it: a checkpoint is one UPDATE of one row, conditional on `epoch` and `revision`.
 *
 * `due_at` alone says when a runner may claim the row: at once, after a pause, at a deadline, or, while a runner works
 * on it, when that runner's lease ends.
 */
export interface SagasTable {
  id: string;
  tenant_id: string;
  aggregate: string;
  definition: string;
  version: number;
  status: string;
  /** The current step's name. */
  step: string;
  /** The state, the steps' records and what is kept for later, as JSON; see `record.ts`. */
  data: string;
  /** Epoch milliseconds by the database's clock, as are all; null where nothing is planned. */
  due_at: number | null;
  /** The runner that works on it; null while it rests. */
  owner: string | null;
  /** Grows with each claim: the fence. Whoever claimed before can change nothing any more. */
  epoch: number;
  /** Grows with each change: commands and signals change a row without claiming it. */
  revision: number;
  /** How many runners were lost at this step. */
  takeovers: number;
  created_at: number;
  updated_at: number;
}

/** To be part of the schema type of every service that runs sagas. */
export interface SagaTables {
  sagas: SagasTable;
}
