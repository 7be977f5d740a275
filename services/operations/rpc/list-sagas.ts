import { create, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Saga, SagaSchema } from "../../../gen/docket/operations/v1/operations_pb.js";
import { ListSagasResponseSchema, type SagaService } from "../../../gen/docket/operations/v1/saga_service_pb.js";
import type { OperationsContext } from "../context.ts";
import { listAcross } from "./across/list-across.ts";

export function listSagas(ctx: OperationsContext): ServiceImpl<typeof SagaService>["listSagas"] {
  return async (request, call) => {
    const { rows, ...page } = await listAcross<Saga>(
      ctx,
      {
        method: "ListSagas",
        request,
        async ask(client, part) {
          const { sagas, more } = await client.listSagas(part);
          return { rows: sagas, more };
        },
        idOf: ({ name }) => name.slice("sagas/".length),
        bytesOf: (saga) => toBinary(SagaSchema, saga).length,
      },
      call,
    );
    return create(ListSagasResponseSchema, { sagas: [...rows], ...page });
  };
}
