/** One statement as it was sent, `begin` and `commit` included. */
export interface Statement {
  sql: string;
  parameters: readonly unknown[];
  durationMs: number;
  /** Set when the statement failed. */
  error?: unknown;
}

/** Told of every statement after it ended: for counting in tests, slow-statement logs and metrics. Must not throw. */
export type OnStatement = (statement: Statement) => unknown;

/** A value that both databases can hold. */
export type BindValue = null | number | bigint | string | Uint8Array;

/**
 * A parameter as both databases take it. Booleans become 0 and 1, `undefined` NULL. Throws a TypeError for what would
 * be stored differently by each, such as a Date, and for numbers that no column can hold.
 */
export function toBindValue(value: unknown): BindValue {
  switch (typeof value) {
    case "string":
    case "bigint":
      return value;
    case "number":
      if (!Number.isFinite(value)) {
        throw new TypeError(`${value} cannot be stored`);
      }
      return value;
    case "boolean":
      return value ? 1 : 0;
    case "undefined":
      return null;
    default:
      if (value === null || value instanceof Uint8Array) {
        return value;
      }
      throw new TypeError(
        `a parameter cannot be ${Object.prototype.toString.call(value)}; write it as text or a number`,
      );
  }
}

/** An integer as rows carry it: a number while that is exact, else a bigint. */
export function toRowInteger(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
