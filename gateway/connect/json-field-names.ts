import type { Message } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { type FieldNames, jsonFieldNames, withFieldNames } from "../fields/field-names.ts";

/** Names the fields in errors of Connect JSON streams as in their messages. */
export const namesFieldsAsJson: Interceptor = (next) => async (request) => {
  if (!/^application\/connect\+json\b/.test(request.header.get("content-type") ?? "")) return next(request);
  const names = jsonFieldNames(request.method.input);
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: renamedFailures(response.message, names) } : response;
  } catch (error) {
    throw withFieldNames(ConnectError.from(error), names);
  }
};

async function* renamedFailures(messages: AsyncIterable<Message>, names: FieldNames): AsyncGenerator<Message> {
  try {
    yield* messages;
  } catch (error) {
    throw withFieldNames(ConnectError.from(error), names);
  }
}
