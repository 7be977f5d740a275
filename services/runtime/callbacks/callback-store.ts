import type { Claimed } from "../jobs/claim-due.ts";
import type { Backoff } from "../values/backoff.ts";
import type { CallbackSource, ParsedCallback } from "./callback-source.ts";
import type { NewCallback } from "./rows.ts";

/** A callback to apply. */
export interface CallbackToApply<Content> {
  readonly id: string;
  readonly source: string;
  readonly content: Content;
}

/** Outcome of applying a callback. */
export type Applied =
  /** The effect is written; `changed` is false for a callback without new information. */
  | { readonly kind: "applied"; readonly changed: boolean; readonly tenant?: string; readonly subject?: string }
  /** Permanent failure. Nothing was written. */
  | { readonly kind: "failed"; readonly problem: string; readonly tenant?: string; readonly subject?: string }
  /** Temporary failure. Nothing was written. `reference` is the source's id of the missing resource, see `wake`. */
  | { readonly kind: "early"; readonly problem: string; readonly reference?: string };

/** Stores verified callbacks and applies them. */
export interface CallbackStore<Content> {
  /**
   * Stores a callback and, with `parsed`, applies it in the same transaction. A stored event is not applied again; its
   * repetition is counted. Rejects if the callback cannot be applied; nothing is stored then.
   */
  receive(callback: NewCallback, parsed: ParsedCallback<Content> | undefined): Promise<void>;
  /** Applies a claimed callback, if it is still RECEIVED. Rejects if it cannot be applied; nothing is written then. */
  process(claim: Claimed): Promise<void>;
  /** Reschedules a claimed callback that could not be applied. */
  postpone(claim: Claimed, problem: string): Promise<void>;
}

export interface CallbackStoreOptions<Content> {
  /** Finds the source of a stored callback. Callbacks of a source that is not configured wait for it. */
  readonly source: (name: string) => CallbackSource<Content> | undefined;
  /** Random number in [0, 1) for jitter. */
  readonly random: () => number;
  /** Delays between attempts. */
  readonly retry: Backoff;
  /** How long a callback may wait for its resource before it is FAILED. */
  readonly patienceMs: number;
}
