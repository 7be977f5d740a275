import type { Message } from "@bufbuild/protobuf";

/**
 * Deep-copies a message. Equivalent to `clone` of `@bufbuild/protobuf` in a third of the time, because it copies the
 * underlying objects instead of reflecting on the schema.
 */
export function copyMessage<T extends Message>(message: T): T {
  return copyObject(message);
}

function copyObject<T extends object>(source: T): T {
  const prototype: unknown = Object.getPrototypeOf(source);
  // Messages with explicit presence have a prototype with the defaults of unset fields.
  const copy: T =
    prototype === Object.prototype ? { ...source } : Object.assign(Object.create(prototype as object), source);
  for (const key of Object.keys(source) as (keyof T)[]) {
    const value = source[key];
    if (typeof value === "object" && value !== null) {
      copy[key] = copyValue(value);
    }
  }
  return copy;
}

function copyValue<T extends object>(value: T): T {
  if (Array.isArray(value)) {
    return value.map((item: unknown) => (typeof item === "object" && item !== null ? copyValue(item) : item)) as T &
      unknown[];
  }
  return value instanceof Uint8Array ? (value.slice() as T & Uint8Array) : copyObject(value);
}
