import { ERASED } from "../api/personal-fields.ts";
import { type AnyTransaction, withTables } from "../db/any-transaction.ts";
import { decodeJson, encodeJson } from "../saga/store/record-codec.ts";
import type { SagaTables } from "../saga/store/tables.ts";

/** Free text of people, providers and carriers, and one-time secrets. */
const texts: ReadonlySet<string> = new Set(["message", "note", "owed", "paymentToken"]);

const ended = ["SUCCEEDED", "COMPENSATED", "NEEDS_ATTENTION"];

/** Erases the texts in the records of an aggregate's ended sagas. Idempotent. */
export async function eraseSagas(
  anyTrx: AnyTransaction,
  { tenant, aggregate }: { readonly tenant: string; readonly aggregate: string },
): Promise<void> {
  const trx = withTables<SagaTables>(anyTrx);
  const sagas = await trx
    .selectFrom("sagas")
    .select(["id", "data", "revision"])
    .where("tenant_id", "=", tenant)
    .where("aggregate", "=", aggregate)
    .where("status", "in", ended)
    .orderBy("id")
    .execute();
  for (const { id, data, revision } of sagas) {
    const erased = encodeJson(eraseTexts(decodeJson(data)));
    if (erased !== data) {
      await trx
        .updateTable("sagas")
        .set({ data: erased, revision: revision + 1 })
        .where("id", "=", id)
        .where("revision", "=", revision)
        .where("status", "in", ended)
        .execute();
    }
  }
}

function eraseTexts(value: unknown, name = ""): unknown {
  if (typeof value === "string") {
    return texts.has(name) && value !== "" ? ERASED : value;
  }
  if (Array.isArray(value)) {
    return value.map((item) => eraseTexts(item, name));
  }
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, eraseTexts(member, key)]));
  }
  return value;
}
