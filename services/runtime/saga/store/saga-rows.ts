import type { Selectable } from "kysely";
import { defineMapping } from "../../commands/mapping.ts";
import { defineTable } from "../../commands/table.ts";
import type { SagasTable } from "./tables.ts";

export type SagaRow = Selectable<SagasTable>;

const sagasTable = defineTable<SagaRow>({
  name: "sagas",
  key: ["id"],
  columns: [
    ...(["id", "tenant_id", "aggregate", "definition", "version", "status", "step", "data", "due_at"] as const),
    ...(["owner", "epoch", "revision", "takeovers", "created_at", "updated_at"] as const),
  ],
  version: "revision",
});

/** The sagas as commands read and write them: as rows, so that only a saga that a command changes is decoded. */
export const sagaRows = defineMapping({
  root: sagasTable,
  indexes: { aggregate: { columns: ["tenant_id", "aggregate"], name: "sagas_by_aggregate" } },
  keyOf: ({ id }: SagaRow): [id: string] => [id],
  fromRows: (row) => row,
  toRow: (row) => row,
});
