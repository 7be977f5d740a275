import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListSagasResponseSchema, type SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import { decodePageToken, pageSizeOf } from "../../../runtime/api/page-token.ts";
import { readPage } from "../../../runtime/api/read-page.ts";
import { readsFor } from "../../../runtime/api/reads-for.ts";
import { principalOf } from "../../../runtime/context-values.ts";
import { compileFilter } from "../../../runtime/db/filter-sql.ts";
import type { Saga } from "../../../runtime/saga/saga.ts";
import type { OrderContext } from "../../context.ts";
import { sagaFilterFields } from "../../store/saga-filter.ts";
import { toSagaMessage } from "./saga-message.ts";

export function listSagas({ db, sagas }: OrderContext): ServiceImpl<typeof SagaService>["listSagas"] {
  return async ({ pageSize, pageToken, filter }, context) => {
    const { tenant } = principalOf(context);
    const query = ["ListSagas", tenant, filter];
    const where = compileFilter(filter, sagaFilterFields, db.dialect);
    const reads = readsFor(db, context);
    const { rows, nextPageToken } = await readPage<Saga<unknown>, readonly [string]>({
      size: pageSizeOf(pageSize),
      query,
      after: decodePageToken(pageToken, query, ["text"]),
      keysOf: ({ id }) => [id],
      bytesOf: ({ steps }) => 500 + JSON.stringify(steps).length,
      read: (before, limit) =>
        sagas.list({
          reads,
          tenant,
          limit,
          ...(before && { beforeId: before[0] }),
          ...(where !== undefined && { where }),
        }),
    });
    return create(ListSagasResponseSchema, {
      sagas: rows.map(toSagaMessage),
      nextPageToken,
    });
  };
}
