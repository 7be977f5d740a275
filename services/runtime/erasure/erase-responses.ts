import { type DescMessage, fromBinary, type Message, type Registry, toBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { eraseCustomer } from "../api/personal-fields.ts";
import { type AnyTransaction, tablesOf, withTables } from "../db/any-transaction.ts";
import type { Database, DialectName } from "../db/connect.ts";
import { forUpdate } from "../db/sql.ts";
import type { IdempotencyTables } from "../idempotency/tables.ts";

const WINDOW = 500;

/**
 * Erases customer data from stored responses about this resource and its children. A repeated request receives the
 * erased response. Scans the tenant's stored responses in bounded batches. Idempotent.
 */
export async function eraseResponses<DB extends IdempotencyTables>(
  db: Database<DB>,
  { tenant, name, registry, signal }: { tenant: string; name: string; registry: Registry; signal: AbortSignal },
): Promise<void> {
  const keys = tablesOf<IdempotencyTables>(db.kysely);
  for (let after = ""; ; ) {
    signal.throwIfAborted();
    const rows = await keys
      .selectFrom("idempotency_keys")
      .select(["request_id", "method", "response"])
      .where("tenant_id", "=", tenant)
      .where("request_id", ">", after)
      .orderBy("request_id")
      .limit(WINDOW)
      .execute();
    for (const { request_id, method, response } of rows) {
      const output = outputOf(registry, method);
      if (response !== null && output !== undefined && Buffer.from(response).includes(name)) {
        await db.transaction((trx) => eraseResponse(trx, db.dialect, { tenant, requestId: request_id, output, name }));
      }
    }
    after = rows.at(-1)?.request_id ?? "";
    if (rows.length < WINDOW) {
      return;
    }
  }
}

/** Under a lock, because a response may hold several resources that are erased concurrently. */
async function eraseResponse(
  anyTrx: AnyTransaction,
  dialect: DialectName,
  { tenant, requestId, output, name }: { tenant: string; requestId: string; output: DescMessage; name: string },
): Promise<void> {
  const trx = withTables<IdempotencyTables>(anyTrx);
  const query = trx
    .selectFrom("idempotency_keys")
    .select("response")
    .where("tenant_id", "=", tenant)
    .where("request_id", "=", requestId);
  const row = await forUpdate(dialect, query).executeTakeFirst();
  if (row?.response) {
    await trx
      .updateTable("idempotency_keys")
      .set({ response: eraseNamed(output, row.response, name) })
      .where("tenant_id", "=", tenant)
      .where("request_id", "=", requestId)
      .execute();
  }
}

/** Erases the resources with this name in one response. */
export function eraseNamed(output: DescMessage, response: Uint8Array, name: string): Uint8Array {
  const message = fromBinary(output, response);
  eraseIn(output, message, name);
  return toBinary(output, message);
}

function eraseIn(schema: DescMessage, message: Message, name: string): void {
  const own = (message as { readonly name?: unknown }).name;
  if (own === name || (typeof own === "string" && own.startsWith(`${name}/`))) {
    eraseCustomer(schema, message);
    return;
  }
  const reflected = reflect(schema, message);
  for (const field of schema.fields) {
    if (field.fieldKind === "list" && field.listKind === "message") {
      for (const item of reflected.get(field)) {
        const part = item as { readonly desc: DescMessage; readonly message: Message };
        eraseIn(part.desc, part.message, name);
      }
    }
  }
}

function outputOf(registry: Registry, method: string): DescMessage | undefined {
  const [service = "", local] = method.split("/");
  return registry.getService(service)?.methods.find(({ name }) => name === local)?.output;
}
