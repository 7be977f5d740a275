/** What a read of the shared level found. */
export type SharedRead =
  | { readonly kind: "hit"; readonly version: number; readonly data: string; readonly remainingMs: number }
  /** Nothing, and the caller is the one that loads: it calls `put` or `release` with the lease. */
  | { readonly kind: "lease"; readonly lease: string }
  /** Nothing, and another process loads. */
  | { readonly kind: "busy" }
  /** The level cannot be used at the moment. */
  | { readonly kind: "away" };

/**
 * Outcome of a `put`. `older`: a later version is known, so load again. `lost`: the lease has ended, by an invalidation
 * or by a failover. Only `stored` values may be kept in the process.
 */
export type SharedPut = "stored" | "older" | "lost" | "away";

/**
 * The level that all processes share. Its entries follow the rules of `testing/shared-entry.ts`. Nothing rejects:
 * trouble is `away` or `false`.
 */
export interface SharedLevel {
  read(cache: string, key: string): Promise<SharedRead>;
  put(cache: string, key: string, entry: SharedValue): Promise<SharedPut>;
  /** Gives up a lease without a value. Best effort. */
  release(cache: string, key: string, lease: string): Promise<void>;
  /** Drops all values older than `version` and tells every process. Resolves with whether that is certain. */
  invalidate(cache: string, key: string, version: number): Promise<boolean>;
  /** Whether this process may be missing invalidations of others. */
  readonly interrupted: boolean;
}

export interface SharedValue {
  readonly lease: string;
  readonly version: number;
  readonly data: string;
  /** Age at which the value expires, counted from the beginning of the lease. */
  readonly maxAgeMs: number;
}
