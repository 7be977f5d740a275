import type { DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Validator } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { invalidArgument } from "../errors.ts";

/**
 * Checks every request message against the protovalidate rules of its schema. The first message that breaks one ends
 * the call with INVALID_ARGUMENT and a BadRequest of all its violations, fields by their proto names.
 *
 * Rules are compiled once per schema, with its first message.
 */
export function createValidationInterceptor(): Interceptor {
  const validator = createValidator();
  return (next) => async (request) => {
    const { input } = request.method;
    if (request.stream) {
      return next({ ...request, message: checked(validator, input, request.message) });
    }
    check(validator, input, request.message);
    return next(request);
  };
}

async function* checked(
  validator: Validator,
  schema: DescMessage,
  messages: AsyncIterable<Message>,
): AsyncGenerator<Message> {
  for await (const message of messages) {
    check(validator, schema, message);
    yield message;
  }
}

function check(validator: Validator, schema: DescMessage, message: Message): void {
  const result = validator.validate(schema, message);
  switch (result.kind) {
    case "valid":
      return;
    case "invalid":
      throw invalidArgument(
        result.violations.map((violation) => ({
          field: pathToString(violation.field),
          description: violation.message === "" ? violation.ruleId : violation.message,
        })),
      );
    case "error":
      throw result.error;
    default:
      result satisfies never;
  }
}
