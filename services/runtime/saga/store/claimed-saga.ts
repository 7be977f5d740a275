import { decodeRecord } from "./record-codec.ts";
import type { SagaRow } from "./saga-rows.ts";
import type { ClaimedSaga } from "./saga-store.ts";

/** Converts a row to a saga claimed with this epoch. */
export function claimedOf(row: SagaRow, epoch: number): ClaimedSaga {
  return {
    id: row.id,
    tenant: row.tenant_id,
    aggregate: row.aggregate,
    definition: row.definition,
    version: row.version,
    createdAt: row.created_at,
    record: decodeRecord(row),
    epoch,
    revision: row.revision,
    takeovers: row.takeovers,
  };
}
