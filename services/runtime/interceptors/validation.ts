import type { DescMethod, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Validator, type Violation } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { accessOf } from "../auth/access.ts";
import { type FieldViolation, invalidArgument } from "../errors.ts";
import { isLargerThan } from "./message-size.ts";
import { ruleText } from "./rule-words.ts";
import { textViolations } from "./text-check.ts";

/** Largest invalid message, as {@link isLargerThan} counts, that is searched for all of its violations. */
const maxSearchedSize = 10_000;

interface Validators {
  /** Stops at the first violation. The size of a list or map is checked before its elements. */
  readonly first: Validator;
  readonly all: Validator;
}

/**
 * Validates every request message against the protovalidate rules of its schema. The first invalid message ends the
 * call with INVALID_ARGUMENT and a BadRequest of its violations, with fields by their proto names.
 *
 * No text may contain control characters or half of a surrogate pair, whatever its rules. Texts are single lines, except
 * in fields with the option `multiline`, which may contain tabs and line breaks. Requests of internal methods may contain
 * them everywhere, as they repeat texts that were stored earlier.
 * The cost is bounded independently of the message: checking stops at the first violation, and the others are collected
 * only for messages of ordinary size.
 *
 * Rules are compiled once per schema, on its first message.
 */
export function createValidationInterceptor(): Interceptor {
  const validators = { first: createValidator({ failFast: true }), all: createValidator() };
  return (next) => async (request) => {
    if (request.stream) {
      return next({ ...request, message: checked(validators, request.method, request.message) });
    }
    check(validators, request.method, request.message);
    return next(request);
  };
}

async function* checked(
  validators: Validators,
  method: DescMethod,
  messages: AsyncIterable<Message>,
): AsyncGenerator<Message> {
  for await (const message of messages) {
    check(validators, method, message);
    yield message;
  }
}

function check({ first, all }: Validators, method: DescMethod, message: Message): void {
  const { input: schema } = method;
  const textOptions = { singleLines: accessOf(method)?.kind !== "internal" };
  let result = first.validate(schema, message);
  if (result.kind === "valid") {
    const texts = textViolations(schema, message, textOptions);
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
        ...(isLarge ? [] : textViolations(schema, message, textOptions)),
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
