/** A statement as sent, `begin` and `commit` included. */
export interface Statement {
  sql: string;
  parameters: readonly unknown[];
  durationMs: number;
  /** Set if the statement failed. */
  error?: unknown;
}

/** Called after every statement: for tests, slow-statement logs and metrics. Must not throw. */
export type OnStatement = (statement: Statement) => unknown;

/** A value that both databases can store. */
export type BindValue = null | number | bigint | string | Uint8Array;

/**
 * Converts a parameter to a form that both databases accept. Booleans become 0 and 1, `undefined` NULL. Throws a
 * TypeError for values that they would store differently, such as a Date, and for numbers that no column can hold.
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

/** An integer as rows carry it: a number if exact, else a bigint. */
export function toRowInteger(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
