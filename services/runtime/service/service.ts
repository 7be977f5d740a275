import type { ServiceImplSpec } from "@connectrpc/connect";
import type { Checks } from "../process/checks.ts";

/**
 * What every `createXService(config, overrides)` returns: one service, made but not yet running.
 *
 * The composition root that made it mounts `specs` on the wires, shows `checks` at the probes, and calls
 * `start`, `drain` and `[Symbol.asyncDispose]` once each and in this order.
 */
export interface Service extends AsyncDisposable {
  /** The name in logs, metrics and health: `order`, `inventory`, … */
  readonly name: string;
  /** Every RPC with its implementation. */
  readonly specs: readonly ServiceImplSpec[];
  /** The dependencies that decide whether the service is ready. */
  readonly checks: Checks;
  /** Begins background work (saga runner, relay, consumers, timers). RPCs may be served before. */
  start(): Promise<void>;
  /** Stops claiming background work and resolves when what was claimed is done or handed back. RPCs still work. Repeatable. */
  drain(): Promise<void>;
}
