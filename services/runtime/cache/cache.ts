/** A value with the version of its row, which every change of the row increases. */
export interface Versioned<V> {
  /** A whole number of 1 or more. */
  readonly version: number;
  readonly value: V;
}

/** Text form of values in the shared level. */
export interface Codec<V> {
  encode(value: V, key: string): string;
  /** Returns undefined for a text that this version of the program cannot use; it then counts as a miss. */
  decode(text: string, key: string): V | undefined;
}

export interface CacheDefinition<V> {
  /** Name in keys and metrics: lower-case letters and hyphens. The same in every process. */
  readonly name: string;
  /**
   * Greatest age of a value through both levels, counted from the moment its load began. Bounds how stale a value can
   * be if its invalidation cannot be delivered.
   */
  readonly maxAgeMs: number;
  /** Most entries in this process. Default 10,000. */
  readonly maxEntries?: number;
  /** Greatest time in this process, at most 5 s. 0: values are read from the shared level each time. Default 5 s. */
  readonly localMs?: number;
  /** Most concurrent loads of this process; further ones wait. Default 64. */
  readonly maxLoads?: number;
  /** Without it values stay in this process. */
  readonly codec?: Codec<V>;
}

/** Reads the row from the primary database. Undefined, which is not cached: there is no such row. */
export type Load<V> = () => Promise<Versioned<V> | undefined>;

/**
 * A cache of rows in two levels: this process, and Redis if it is configured.
 *
 * - A read that begins after `invalidate(key, version)` has resolved never returns an older version from the shared
 *   level, and never in the process that called it. Other processes drop their local copy when the message arrives, or
 *   within 5 s.
 * - A value is never older than `maxAgeMs`, whatever fails.
 * - A failure of Redis never reaches a caller: the value is then loaded.
 *
 * Never decide about money or stock by a cached value.
 */
export interface Cache<V> {
  /** Returns the cached value, or loads it. Concurrent reads of a key share one load. Rejects if the load does. */
  get(key: string, load: Load<V>): Promise<V | undefined>;
  /**
   * Drops all values older than `version`. Call it after the commit that wrote that version. Resolves once the shared
   * level has dropped them too, which is retried until they would have expired anyway. Never rejects. Idempotent.
   */
  invalidate(key: string, version: number): Promise<void>;
}
