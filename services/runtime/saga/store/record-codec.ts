import type { SagaRecord } from "../record.ts";

/**
 * JSON that preserves bigint and bytes, as `{"$bigint":"12"}` and `{"$bytes":"base64"}`; states with such keys are not
 * supported. Otherwise as JSON: undefined members are dropped, dates become texts.
 */
export function encodeJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, converted: unknown) {
    const original = this[key];
    if (typeof original === "bigint") {
      return { $bigint: original.toString() };
    }
    return original instanceof Uint8Array ? { $bytes: Buffer.from(original).toString("base64") } : converted;
  });
}

/** The inverse of {@link encodeJson}. */
export function decodeJson(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== "object" || value === null) {
      return value;
    }
    if ("$bigint" in value && typeof value.$bigint === "string") {
      return BigInt(value.$bigint);
    }
    return "$bytes" in value && typeof value.$bytes === "string"
      ? new Uint8Array(Buffer.from(value.$bytes, "base64"))
      : value;
  });
}

/** Encodes the `data` column. The status has a column of its own. */
export function encodeRecord({ status: _, ...data }: SagaRecord): string {
  return encodeJson(data);
}

export function decodeRecord(row: { readonly status: string; readonly data: string }): SagaRecord {
  return { ...(decodeJson(row.data) as Omit<SagaRecord, "status">), status: row.status as SagaRecord["status"] };
}
