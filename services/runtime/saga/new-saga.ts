import type { SagaKind } from "./definition.ts";

/** A saga to start. */
export interface NewSaga<State> {
  readonly definition: SagaKind<State>;
  /** Unique among all sagas of the database, at most 64 characters; usually the id of the aggregate. */
  readonly id: string;
  readonly tenant: string;
  /** Resource name of its aggregate. */
  readonly aggregate: string;
  readonly state: State;
}
