import type { ServiceImplSpec } from "@connectrpc/connect";
import type { ServiceAdmin } from "../admin/service-admin.ts";
import type { JobTable } from "../jobs/job-table.ts";
import type { Checks } from "../process/checks.ts";

/**
 * A service as returned by every `createXService(config, overrides)`, created but not started.
 *
 * The composition root mounts `specs` on the wires, exposes `checks` as probes, and calls `start`, `pause`, `drain` and
 * `[Symbol.asyncDispose]` once each and in this order.
 */
export interface Service extends AsyncDisposable {
  /** Name in logs, metrics and health: `order`, `inventory`, … */
  readonly name: string;
  /** Every RPC with its implementation. */
  readonly specs: readonly ServiceImplSpec[];
  /** Its sagas and dead letters, if it has such tables. */
  readonly admin?: ServiceAdmin;
  /** Dependency checks, which decide whether the service is ready. */
  readonly checks: Checks;
  /** What it does by itself, now and then. Processes that run no loops run what is due in place of `start`. */
  readonly jobs: JobTable;
  /** Starts background work (saga runner, relay, consumers, timers). RPCs may be served before. */
  start(): Promise<void>;
  /** Ends endless streams with UNAVAILABLE, so that their callers resume elsewhere. Idempotent. */
  endStreams?(): void;
  /**
   * Stops claiming background work, except sending what RPCs still write; resolves when claimed work is done or
   * released. RPCs still work. Idempotent.
   */
  pause(): Promise<void>;
  /** Pauses, sends what is written, and releases every lease. RPCs still work. Idempotent. */
  drain(): Promise<void>;
}
