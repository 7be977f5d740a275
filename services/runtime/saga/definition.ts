import type { Transaction } from "kysely";
import type { OutboxEvent } from "../outbox/outbox.ts";
import type { Saga } from "./saga.ts";

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
 *           checkpoint: (trx) => markHeld(trx, state.trip),     // commits together with the step
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
 *   onCompensated: (trx, saga) => markCancelled(trx, saga.aggregate),
 * };
 * ```
 *
 * A version never changes once sagas of it run: give changed steps a new version and keep both in the list of
 * definitions until the old sagas have ended.
 */
export interface SagaDefinition<State, DB = unknown> {
  /** Kebab-case, at most 64 characters. */
  readonly name: string;
  /** 1, 2, 3, … */
  readonly version: number;
  /** At least one; their names differ. */
  readonly steps: readonly SagaStep<State, DB>[];
  /** How long after its start a saga that has not succeeded is compensated, with the reason `DEADLINE_EXCEEDED`. */
  readonly deadlineMs?: number;
  /** In the transaction that completes the last step. */
  onSucceeded?(trx: Transaction<DB>, saga: Saga<State>): Promise<void>;
  /** In the transaction that turns the saga round, whatever the cause: a refusal, a deadline, a command. */
  onCompensating?(trx: Transaction<DB>, saga: Saga<State>): Promise<void>;
  /** In the transaction that completes the last compensation. */
  onCompensated?(trx: Transaction<DB>, saga: Saga<State>): Promise<void>;
  /** In the transaction that gives up; `saga.attention` says why. */
  onNeedsAttention?(trx: Transaction<DB>, saga: Saga<State>): Promise<void>;
  /** In the transaction of the command with which somebody lets a saga in NEEDS_ATTENTION go on. */
  onRetried?(trx: Transaction<DB>, saga: Saga<State>): Promise<void>;
}

/** One step. Both functions are called at least once, outside any transaction, and possibly again after a crash. */
export interface SagaStep<State, DB = unknown> {
  /** Unique in the definition; the idempotency key is made from it, so it never changes. At most 64 characters. */
  readonly name: string;
  /** The saga rests before this step until a signal or the deadline comes; `invoke` then learns which. */
  readonly waitFor?: WaitFor<State>;
  /** How long one attempt may take; its outcome then counts as unknown. 10 s unless given. */
  readonly timeoutMs?: number;
  /** For attempts that throw or time out. */
  readonly retry?: RetryPolicy;
  /** What follows the last attempt: undo everything, or stop for a person to look. `compensate` unless given. */
  readonly whenExhausted?: "compensate" | "needs-attention";
  /**
   * Does the step. Throwing means that the outcome is not known: it is tried again with the same key.
   * A refusal is for good, and says that the step had no effect.
   */
  invoke(context: StepContext<State>): Promise<StepOutcome<State, DB>>;
  /**
   * Undoes the step. It must do no harm where the step had no effect or is undone already, and a call of `invoke` that
   * arrives after it must have no effect. Steps without it have nothing to undo.
   */
  compensate?(context: CompensationContext<State>): Promise<CompensationOutcome<State, DB>>;
  /** For compensations that throw or time out; after the last the saga NEEDS_ATTENTION. */
  readonly compensationRetry?: RetryPolicy;
}

/** Pauses grow from `initialMs` twofold to `maxMs`, each drawn evenly from nothing to there (full jitter). */
export interface RetryPolicy {
  /** How many attempts in all. 8 unless given, 20 for compensations. */
  readonly maxAttempts?: number;
  /** 100 ms unless given. */
  readonly initialMs?: number;
  /** 30 s unless given. */
  readonly maxMs?: number;
}

/** What a step waits for. */
export interface WaitFor<State> {
  /** Any of these names, as given to `Sagas.signal`; one that came before is not missed. */
  readonly signals: readonly string[];
  /** Until when, by the database's clock: that long after the saga came to the step, or a moment. None: for ever. */
  deadline?(state: State): { readonly afterMs: number } | { readonly atMs: number } | undefined;
}

/** What ended the waiting. `payload` is what was given to `Sagas.signal`. */
export type Wake =
  | { readonly kind: "signal"; readonly name: string; readonly payload: unknown }
  | { readonly kind: "deadline" };

/** What a compensation gets. */
export interface CompensationContext<State> {
  readonly sagaId: string;
  readonly tenant: string;
  readonly aggregate: string;
  readonly state: State;
  /** 1 on the first attempt, as far as is recorded. */
  readonly attempt: number;
  /** `{saga id}/{step name}`, with `/undo` for compensations: the same over every attempt and crash. */
  readonly idempotencyKey: string;
  /** Aborted by the step's timeout and when the process ends. Hand it to every call. */
  readonly signal: AbortSignal;
}

/** What `invoke` gets. */
export interface StepContext<State> extends CompensationContext<State> {
  /** What ended the waiting, for steps with `waitFor`. */
  readonly wake: Wake | undefined;
}

/** What becomes durable together with the step, in one transaction. */
export interface StepEffects<State, DB> {
  /** The saga's state from now on; the old one when absent. */
  readonly state?: State;
  /** Domain writes. It must be repeatable, as transactions are; nothing but the database is awaited in it. */
  checkpoint?(trx: Transaction<DB>): Promise<void>;
  /** Published through the runner's outbox. Cheaper than publishing in `checkpoint`: many sagas share the statement. */
  readonly events?: readonly OutboxEvent[];
}

/** The step is done; the next one follows. */
export interface Done<State, DB> extends StepEffects<State, DB> {
  readonly kind: "done";
}

/** The step was refused for good and had no effect; what was done before is undone. */
export interface Refused<State, DB> extends StepEffects<State, DB> {
  readonly kind: "refused";
  /** UPPER_SNAKE. */
  readonly reason: string;
  readonly message: string;
}

/** What came is not yet what the step waits for: rest on, until the same deadline. */
export interface KeepWaiting<State, DB> extends StepEffects<State, DB> {
  readonly kind: "keep-waiting";
}

/** Neither done nor failed: ask again after that time. No attempt is counted. */
export interface Later<State, DB> extends StepEffects<State, DB> {
  readonly kind: "later";
  readonly afterMs: number;
}

export type StepOutcome<State, DB = unknown> =
  | Done<State, DB>
  | Refused<State, DB>
  | KeepWaiting<State, DB>
  | Later<State, DB>;
export type CompensationOutcome<State, DB = unknown> = Done<State, DB> | Later<State, DB>;

export function done<State, DB>(effects: StepEffects<State, DB> = {}): Done<State, DB> {
  return { ...effects, kind: "done" };
}

export function refused<State, DB>(
  reason: string,
  options: StepEffects<State, DB> & { readonly message?: string } = {},
): Refused<State, DB> {
  return { message: reason, ...options, kind: "refused", reason };
}

export function keepWaiting<State, DB>(effects: StepEffects<State, DB> = {}): KeepWaiting<State, DB> {
  return { ...effects, kind: "keep-waiting" };
}

export function later<State, DB>(afterMs: number, effects: StepEffects<State, DB> = {}): Later<State, DB> {
  return { ...effects, kind: "later", afterMs };
}
