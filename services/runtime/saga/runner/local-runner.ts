import type { DatabaseClock } from "../../db/database-clock.ts";
import type { Definitions } from "../definition-registry.ts";
import type { ClaimedSaga } from "../store/saga-store.ts";

/** The runner of this process, which immediately runs sagas that a transaction or a batch makes due. */
export interface LocalRunner {
  readonly definitions: Definitions;
  readonly databaseClock: DatabaseClock;
  readonly owner: string;
  readonly leaseMs: number;
  /** Whether it has capacity for one more saga. */
  accepts(): boolean;
  /** Runs a saga that was stored as claimed by this runner. */
  take(saga: ClaimedSaga): void;
  /** Applies a request to a saga that it is executing after the saga's current step. */
  interrupt(id: string): void;
  /** Polls for due sagas. */
  nudge(): void;
}
