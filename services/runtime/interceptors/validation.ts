import type { DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Validator, type Violation } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { type FieldViolation, invalidArgument } from "../errors.ts";
import { isLargerThan } from "./message-size.ts";
import { ruleText } from "./rule-words.ts";
import { textViolations } from "./text-check.ts";

/** Up to this size, as {@link isLargerThan} counts, an invalid message is searched for all of its violations. */
const maxSearchedSize = 10_000;

interface Validators {
  /** Stops at the first violation; a list's or map's size is checked before its elements. */
  readonly first: Validator;
  readonly all: Validator;
}

/**
 * Checks every request message against the protovalidate rules of its schema. The first message that breaks one ends
 * the call with INVALID_ARGUMENT and a BadRequest of its violations, fields by their proto names.
 *
 * No text may hold control characters (but tabs and line breaks) or half of a surrogate pair, whatever its rules.
 *
 * Work is bounded by the rules and not by the message: checking stops at the first violation, and the others are only
 * searched for in a message of ordinary size.
 *
 * Rules are compiled once per schema, with its first message.
 */
export function createValidationInterceptor(): Interceptor {
  const validators = { first: createValidator({ failFast: true }), all: createValidator() };
  return (next) => async (request) => {
    const { input } = request.method;
    if (request.stream) {
      return next({ ...request, message: checked(validators, input, request.message) });
    }
    check(validators, input, request.message);
    return next(request);
  };
}

async function* checked(
  validators: Validators,
  schema: DescMessage,
  messages: AsyncIterable<Message>,
): AsyncGenerator<Message> {
  for await (const message of messages) {
    check(validators, schema, message);
    yield message;
  }
}

function check({ first, all }: Validators, schema: DescMessage, message: Message): void {
  let result = first.validate(schema, message);
  if (result.kind === "valid") {
    const texts = textViolations(schema, message);
    if (texts.length > 0) {
      throw invalidArgument(texts);
    }
    return;
  }
  const isLarge = isLargerThan(message, maxSearchedSize);
  if (!isLarge) {
    result = all.validate(schema, message);
  }
  switch (result.kind) {
    case "valid":
      return;
    case "invalid":
      throw invalidArgument([
        ...result.violations.map((violation) => toFieldViolation(violation, isLarge)),
        ...(isLarge ? [] : textViolations(schema, message)),
      ]);
    case "error":
      throw result.error;
    default:
      result satisfies never;
  }
}

function toFieldViolation(violation: Violation, isOnlyFirst: boolean): FieldViolation {
  const description = ruleText(violation);
  return {
    field: pathToString(violation.field),
    description: isOnlyFirst ? `${description}; the request is too large to list what else is invalid` : description,
  };
}
