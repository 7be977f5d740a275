import type { HandlerContext } from "@connectrpc/connect";
import type { Kysely } from "kysely";
import { actorOf, principalOf, readPositionKey } from "../context-values.ts";
import type { Database } from "../db/connect.ts";

/** Query builder for a call's long reads, which are aborted when the call ends. See `Database.reading`. */
export function readsFor<DB>(db: Database<DB>, context: Pick<HandlerContext, "signal" | "values">): Kysely<DB> {
  const principal = principalOf(context);
  const after = context.values.get(readPositionKey);
  return db.reading({ signal: context.signal, after, caller: `${principal.tenant} ${actorOf(principal)}` });
}
