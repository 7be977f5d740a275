import { create, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type DeadLetterService,
  ListDeadLettersResponseSchema,
} from "../../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { type DeadLetter, DeadLetterSchema } from "../../../gen/docket/operations/v1/operations_pb.js";
import type { OperationsContext } from "../context.ts";
import { listAcross } from "./across/list-across.ts";

export function listDeadLetters(ctx: OperationsContext): ServiceImpl<typeof DeadLetterService>["listDeadLetters"] {
  return async (request, call) => {
    const { rows, ...page } = await listAcross<DeadLetter>(
      ctx,
      {
        method: "ListDeadLetters",
        request,
        async ask(client, part) {
          const { deadLetters, more } = await client.listDeadLetters(part);
          return { rows: deadLetters, more };
        },
        idOf: ({ name }) => name.slice("deadLetters/".length),
        bytesOf: (letter) => toBinary(DeadLetterSchema, letter).length,
      },
      call,
    );
    return create(ListDeadLettersResponseSchema, { deadLetters: [...rows], ...page });
  };
}
