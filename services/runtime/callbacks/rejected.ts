/** A rejected callback, for diagnosis. Its body is not stored. */
export interface RejectedCallback {
  readonly at: Date;
  readonly source: string;
  readonly reason: string;
  readonly bytes: number;
  /** Names of its headers, at most {@link MAX_NAMES}. */
  readonly headerNames: readonly string[];
}

const CAPACITY = 100;
const MAX_NAMES = 32;
const MAX_NAME_LENGTH = 64;

/** The last rejected callbacks of this process, in bounded memory. */
export interface RejectedCallbacks {
  add(rejected: { at: Date; source: string; reason: string; header: Headers; bytes: number }): RejectedCallback;
  /** Newest first. */
  list(): readonly RejectedCallback[];
  /** Number rejected since the process started. */
  readonly total: number;
}

export function createRejectedCallbacks(): RejectedCallbacks {
  const last: RejectedCallback[] = [];
  let total = 0;
  return {
    add({ header, ...rejected }) {
      const names = [...header.keys()].slice(0, MAX_NAMES).map((name) => name.slice(0, MAX_NAME_LENGTH));
      const entry = { ...rejected, headerNames: names };
      total += 1;
      last.unshift(entry);
      last.length = Math.min(last.length, CAPACITY);
      return entry;
    },
    list: () => [...last],
    get total() {
      return total;
    },
  };
}
