import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListSagasResponseSchema, type SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import { principalOf } from "../../../runtime/context-values.ts";
import { compileFilter } from "../../../runtime/db/filter-sql.ts";
import { decodePageToken, pageOf, pageSizeOf } from "../../../runtime/page-token.ts";
import type { OrderContext } from "../../context.ts";
import { sagaFilterFields } from "../../store/saga-filter.ts";
import { toSagaMessage } from "./saga-message.ts";

export function listSagas({ db, sagas }: OrderContext): ServiceImpl<typeof SagaService>["listSagas"] {
  return async ({ pageSize, pageToken, filter }, context) => {
    const { tenant } = principalOf(context);
    const limit = pageSizeOf(pageSize);
    const query = ["ListSagas", tenant, filter];
    const [beforeId] = decodePageToken(pageToken, query, ["text"]) ?? [];
    const where = compileFilter(filter, sagaFilterFields, db.dialect);
    const found = await sagas.list({
      tenant,
      limit: limit + 1,
      ...(beforeId !== undefined && { beforeId }),
      ...(where !== undefined && { where }),
    });
    const { rows, nextPageToken } = pageOf(found, limit, query, ({ id }) => [id]);
    return create(ListSagasResponseSchema, {
      sagas: rows.map(toSagaMessage),
      nextPageToken,
    });
  };
}
