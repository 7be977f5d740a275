import type { SharedPut, SharedRead, SharedValue } from "../shared-level.ts";

/**
 * The rules of an entry in the shared level, as a pure state machine. The scripts in `redis-scripts.ts` do the same;
 * tests compare the two.
 *
 * ```
 *            read                       put (lease held, version ≥ floor)
 *   nothing ──────▶ leased ────────────────────────────────────▶ value
 *      ▲              │ release, expiry                            │
 *      └──────────────┴──────────── invalidate (version > value) ──┘   and floor = version
 * ```
 *
 * A value counts only on the server run that accepted it: a replica that replaces its master may lack the master's last
 * invalidations, and so may a server that restarts from its disk. The same holds for a lease, so a value that was read
 * before such a loss cannot be stored after it.
 */
export interface SharedEntry {
  /** Highest invalidated version: the tombstone. */
  readonly floor: number;
  readonly value?: Stamped & { readonly version: number; readonly data: string };
  readonly lease?: Stamped & { readonly token: string; readonly startedAtMs: number };
}

interface Stamped {
  /** Identifies the server's process: another one after each start and each failover. */
  readonly run: string;
  readonly expiresAtMs: number;
}

/** The server's run and time. */
export interface Server {
  readonly run: string;
  readonly nowMs: number;
}

export const emptyEntry: SharedEntry = { floor: 0 };

export function read(
  entry: SharedEntry,
  { run, nowMs }: Server,
  { token, leaseMs }: { token: string; leaseMs: number },
): { entry: SharedEntry; result: SharedRead } {
  const { floor, value, lease } = entry;
  if (value?.run === run && value.expiresAtMs > nowMs) {
    const { version, data, expiresAtMs } = value;
    return { entry, result: { kind: "hit", version, data, remainingMs: expiresAtMs - nowMs } };
  }
  if (lease?.run === run && lease.expiresAtMs > nowMs) {
    return { entry, result: { kind: "busy" } };
  }
  const taken = { token, run, startedAtMs: nowMs, expiresAtMs: nowMs + leaseMs };
  return { entry: { floor, lease: taken }, result: { kind: "lease", lease: token } };
}

export function put(
  entry: SharedEntry,
  { run, nowMs }: Server,
  { lease: token, version, data, maxAgeMs }: SharedValue,
): { entry: SharedEntry; result: SharedPut } {
  const { floor, lease } = entry;
  if (lease?.token !== token || lease.run !== run || lease.startedAtMs + maxAgeMs <= nowMs) {
    return { entry, result: "lost" };
  }
  if (version < floor) {
    return { entry: { floor }, result: "older" };
  }
  const value = { version, data, run, expiresAtMs: lease.startedAtMs + maxAgeMs };
  return { entry: { floor, value }, result: "stored" };
}

export function release(entry: SharedEntry, token: string): SharedEntry {
  const { lease, ...others } = entry;
  return lease?.token === token ? others : entry;
}

/** `told`: whether the processes are told, which a repetition does not. */
export function invalidate(entry: SharedEntry, version: number): { entry: SharedEntry; told: boolean } {
  if (entry.floor >= version) {
    return { entry, told: false };
  }
  const { value } = entry;
  const kept = value !== undefined && value.version >= version ? { value } : {};
  return { entry: { floor: version, ...kept }, told: true };
}
