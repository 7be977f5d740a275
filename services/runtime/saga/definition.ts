import type { Batch, Command, KeySet } from "../commands/command.ts";
import type { OutboxEvent } from "../outbox/outbox.ts";
import type { Saga } from "./saga.ts";

declare const stateOf: unique symbol;

/** Identifies a definition, for starting its sagas. `State` is known to the compiler alone. */
export interface SagaKind<State> {
  /** Kebab-case, at most 64 characters. */
  readonly name: string;
  /** 1, 2, 3, … */
  readonly version: number;
  readonly [stateOf]?: State;
}

/**
 * A saga: steps done one after the other, each remembered, and undone in reverse when one is refused.
 *
 * `State` is what the saga carries from step to step, written with JSON (bigint and Uint8Array are kept). `DB` is the
 * schema of the service's database.
 *
 * ```ts
 * export const bookTrip: SagaDefinition<BookTripState, TripTables> = {
 *   name: "book-trip",
 *   version: 1,
 *   steps: [
 *     {
 *       name: "hold-seat",
 *       timeoutMs: 5_000,
 *       async invoke({ state, tenant, idempotencyKey, signal }) {
 *         const held = await flights.for(tenant).holdSeat({ …, requestId: idempotencyKey }, { signal });
 *         return done({
 *           state: { ...state, seat: held.name },
 *           command: markHeld(state.trip),                       // commits together with the step
 *           events: [seatHeld(state)],                           // so do these
 *         });
 *       },
 *       async compensate({ state, tenant, idempotencyKey, signal }) {
 *         await flights.for(tenant).releaseSeat({ …, requestId: idempotencyKey }, { signal });
 *         return done();
 *       },
 *     },
 *     {
 *       name: "await-visa",
 *       waitFor: { signals: ["visa"], deadline: (state) => ({ atMs: state.expiresAtMs }) },
 *       async invoke({ wake }) {
 *         return wake?.kind === "signal" ? done() : refused("EXPIRED");
 *       },
 *     },
 *   ],
 *   hooks: {
 *     keys: (need, saga) => need.one(trips, keyOf(saga)),
 *     onCompensated: (batch, saga) => batch.update(trips, cancelled(batch.get(trips, keyOf(saga)))),
 *   },
 * };
 * ```
 *
 * A version never changes once sagas of it run: give changed steps a new version and keep both in the list of
 * definitions until the old sagas have ended.
 */
export interface SagaDefinition<State> extends SagaKind<State> {
  /** At least one, with unique names. */
  readonly steps: readonly SagaStep<State>[];
  /**
   * Time after its start within which the saga must succeed. It is then compensated, with the reason
   * `DEADLINE_EXCEEDED`.
   */
  readonly deadlineMs?: number;
  /** Hooks in the batch that stores the change. */
  readonly hooks?: SagaHooks<State>;
}

/**
 * What a definition does in the batch that stores a change of its saga, besides storing it. As in any `decide`, hooks
 * are synchronous and repeatable.
 */
export interface SagaHooks<State> {
  /** Names the rows that the hooks read or change. */
  keys?(need: KeySet, saga: Pick<Saga, "tenant" | "aggregate">): void;
  /** The last step is done. */
  onSucceeded?(batch: Batch, saga: Saga<State>): void;
  /** Compensation begins, whatever the cause: a refusal, a deadline, a command. */
  onCompensating?(batch: Batch, saga: Saga<State>): void;
  /** The last compensation is done. */
  onCompensated?(batch: Batch, saga: Saga<State>): void;
  /** The saga failed permanently; `saga.attention` holds the reason. */
  onNeedsAttention?(batch: Batch, saga: Saga<State>): void;
  /** A command retries a saga in NEEDS_ATTENTION. */
  onRetried?(batch: Batch, saga: Saga<State>): void;
}

/**
 * A step. Both functions are called at least once, outside any transaction, and possibly again after a crash.
 *
 * A saga is stored where it rests (for a signal, a deadline, a delay), where it begins to compensate, at its end, after
 * a step that returns a new state, and before and after an `isolated` step. After a crash the steps since then are
 * repeated with the same keys and the same state; if the saga is compensated instead, all steps that may have been
 * begun are undone.
 */
export interface SagaStep<State> {
  /** Unique in the definition and immutable, because idempotency keys contain it. At most 64 characters. */
  readonly name: string;
  /** Suspends the saga before this step until a signal or the deadline; `invoke` receives which one. */
  readonly waitFor?: WaitFor<State>;
  /** Timeout of an attempt, whose outcome is then unknown. Default 10 s. */
  readonly timeoutMs?: number;
  /**
   * Stores the saga before and after this step, instead of only where the saga rests. For a step that relies on what
   * earlier steps store in the database, or that should not be repeated because a later step was not stored.
   */
  readonly isolated?: boolean;
  /** Retry policy for attempts that throw or time out. */
  readonly retry?: RetryPolicy;
  /** After the last attempt: compensate the saga, or stop for an operator. Default `compensate`. */
  readonly whenExhausted?: "compensate" | "needs-attention";
  /**
   * Executes the step. An exception means an unknown outcome: it is retried with the same key.
   *
   * A refusal is final, and states that the step had no effect.
   */
  invoke(context: StepContext<State>): Promise<StepOutcome<State>>;
  /**
   * Undoes the step. Must be safe if the step had no effect or is undone already, and a call of `invoke` that arrives
   * later must have no effect. Steps without it have nothing to undo.
   */
  compensate?(context: CompensationContext<State>): Promise<CompensationOutcome<State>>;
  /** Retry policy for compensations that throw or time out; after the last attempt the saga NEEDS_ATTENTION. */
  readonly compensationRetry?: RetryPolicy;
}

/** Exponential backoff from `initialMs`, doubling up to `maxMs`, with full jitter. */
export interface RetryPolicy {
  /** Total attempts. Default 8, for compensations 20. */
  readonly maxAttempts?: number;
  /** Default 100 ms. */
  readonly initialMs?: number;
  /** Default 30 s. */
  readonly maxMs?: number;
}

/** The wait condition of a step. */
export interface WaitFor<State> {
  /** Any of these names, as passed to `Sagas.signal`. Earlier signals count. */
  readonly signals: readonly string[];
  /** End of the wait by the database's clock: a duration after the saga reached the step, or a time. Default: none. */
  deadline?(state: State): { readonly afterMs: number } | { readonly atMs: number } | undefined;
}

/** What ended the wait. `payload` is the argument of `Sagas.signal`. */
export type Wake =
  | { readonly kind: "signal"; readonly name: string; readonly payload: unknown }
  | { readonly kind: "deadline" };

/** Argument of a compensation. */
export interface CompensationContext<State> {
  readonly sagaId: string;
  readonly tenant: string;
  readonly aggregate: string;
  readonly state: State;
  /** 1 on the first recorded attempt. */
  readonly attempt: number;
  /** `{saga id}/{step name}`, with `/undo` for compensations: stable across attempts and crashes. */
  readonly idempotencyKey: string;
  /** Aborted by the step's timeout and on shutdown. Pass it to every call. */
  readonly signal: AbortSignal;
}

/** Argument of `invoke`. */
export interface StepContext<State> extends CompensationContext<State> {
  /** What ended the wait, for steps with `waitFor`. */
  readonly wake: Wake | undefined;
}

/** Effects committed together with the step, when the saga is stored. */
export interface StepEffects<State> {
  /** The saga's new state. Default: unchanged. */
  readonly state?: State;
  /** Domain changes, in the batch that stores the step. */
  readonly command?: Command<void>;
  /** Published through the runner's outbox. */
  readonly events?: readonly OutboxEvent[];
}

/** The step succeeded; the next one follows. */
export interface Done<State> extends StepEffects<State> {
  readonly kind: "done";
}

/** The step failed permanently without an effect; earlier steps are compensated. */
export interface Refused<State> extends StepEffects<State> {
  readonly kind: "refused";
  /** UPPER_SNAKE. */
  readonly reason: string;
  readonly message: string;
}

/** The signal is not the expected one: keep waiting, until the same deadline. */
export interface KeepWaiting<State> extends StepEffects<State> {
  readonly kind: "keep-waiting";
}

/** Neither done nor failed: retry after this time. Does not count as an attempt. */
export interface Later<State> extends StepEffects<State> {
  readonly kind: "later";
  readonly afterMs: number;
}

export type StepOutcome<State> = Done<State> | Refused<State> | KeepWaiting<State> | Later<State>;
export type CompensationOutcome<State> = Done<State> | Later<State>;

export function done<State>(effects: StepEffects<State> = {}): Done<State> {
  return { ...effects, kind: "done" };
}

export function refused<State>(
  reason: string,
  options: StepEffects<State> & { readonly message?: string } = {},
): Refused<State> {
  return { message: reason, ...options, kind: "refused", reason };
}

export function keepWaiting<State>(effects: StepEffects<State> = {}): KeepWaiting<State> {
  return { ...effects, kind: "keep-waiting" };
}

export function later<State>(afterMs: number, effects: StepEffects<State> = {}): Later<State> {
  return { ...effects, kind: "later", afterMs };
}
