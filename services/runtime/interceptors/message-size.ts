import type { Message } from "@bufbuild/protobuf";

/** Characters or bytes that count as one value. */
const unitLength = 64;

/**
 * Whether a message contains more than `limit` values, where each started 64 characters or bytes count as one. Inspects
 * at most `limit` values.
 */
export function isLargerThan(message: Message, limit: number): boolean {
  let rest = limit;
  const pending: unknown[] = [message];
  while (pending.length > 0) {
    const value = pending.pop();
    rest -= 1;
    if (typeof value === "string" || value instanceof Uint8Array) {
      rest -= Math.floor(value.length / unitLength);
    } else if (Array.isArray(value)) {
      if (value.length > rest) {
        return true;
      }
      pending.push(...value);
    } else if (typeof value === "object" && value !== null) {
      for (const key in value) {
        if (pending.length > rest) {
          return true;
        }
        pending.push((value as Record<string, unknown>)[key]);
      }
    }
    if (rest < 0) {
      return true;
    }
  }
  return false;
}
