import { isDeepStrictEqual } from "node:util";

/** A value that can change while the process runs, such as a setting of a file that is read again. */
export interface Live<T> {
  /** The value in use. Read it at each use and do not keep it. */
  readonly current: T;
  /** Calls the listener after each change, with the new value. Returns a function to unsubscribe. */
  onChange(listener: (value: T) => void): () => void;
}

/** A live value that its owner changes. */
export interface LiveSource<T> extends Live<T> {
  set(value: T): void;
}

/** Creates a live value. Every listener is called at each change, also if another one throws; the first error is rethrown. */
export function createLive<T>(initial: T): LiveSource<T> {
  const listeners = new Set<(value: T) => void>();
  let current = initial;
  return {
    get current() {
      return current;
    },
    set(value) {
      current = value;
      const failures: unknown[] = [];
      for (const listener of listeners) {
        try {
          listener(value);
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) {
        throw failures[0];
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** A value that never changes, for tests and for parts that run without a host. */
export function fixed<T>(current: T): Live<T> {
  return { current, onChange: () => () => {} };
}

/** A live value derived from another one, computed once per change of its source. It lives as long as its source. */
export function mapLive<T, U>(source: Live<T>, derive: (value: T) => U): Live<U> {
  const derived = createLive(derive(source.current));
  source.onChange((value) => {
    const next = derive(value);
    // Changes of other settings concern no listener.
    if (!isDeepStrictEqual(next, derived.current)) {
      derived.set(next);
    }
  });
  return derived;
}
