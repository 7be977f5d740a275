import { create, type DescField, type DescMessage, type DescMethod } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { type BadRequest, BadRequestSchema } from "../../gen/google/rpc/error_details_pb.js";
import { isGatewayError } from "../errors.ts";

/** The name of a field on a wire, by its path in the request message; undefined if the message has no such path. */
export type FieldNames = (path: string) => string | undefined;

/** The part of a route that determines where its requests carry fields. */
export interface BodyRule {
  readonly method: DescMethod;
  /** `none`: no body. `all`: the request message. Otherwise the field that the body maps to. */
  readonly body: "none" | "all" | DescField;
}

/** One step of a field path, with its subscript, if any: `[0]`, `["key"]`. */
interface Step {
  readonly field: DescField;
  readonly subscript: string;
}

const stepPattern = /([A-Za-z_]\w*)((?:\[(?:-?\d+|true|false|"(?:[^"\\]|\\.)*")\])?)(?:\.(?=[A-Za-z_])|$)/y;

/** Parses a path such as `order.line_items[0].sku`, in proto or JSON names; undefined if a name is unknown. */
function parsePath(root: DescMessage, path: string): Step[] | undefined {
  const steps: Step[] = [];
  let message: DescMessage | undefined = root;
  stepPattern.lastIndex = 0;
  while (stepPattern.lastIndex < path.length) {
    const [, name, subscript = ""] = stepPattern.exec(path) ?? [];
    const field: DescField | undefined = message?.fields.find(
      (candidate) => candidate.name === name || candidate.jsonName === name,
    );
    if (field === undefined || (subscript !== "" && field.fieldKind !== "list" && field.fieldKind !== "map")) {
      return undefined;
    }
    steps.push({ field, subscript });
    message = field.message;
  }
  return steps.length === 0 ? undefined : steps;
}

function jsonPath(steps: readonly Step[]): string {
  return steps.map(({ field, subscript }) => field.jsonName + subscript).join(".");
}

/** Names as in the JSON of the whole request message: `order.lineItems[0].sku`. */
export function jsonFieldNames(input: DescMessage): FieldNames {
  return (path) => {
    const steps = parsePath(input, path);
    return steps && jsonPath(steps);
  };
}

/**
 * Names as in the body, query or path of a REST request: `lineItems[0].sku` if the body is the field `order`. The body
 * itself is "".
 */
export function restFieldNames({ method, body }: BodyRule): FieldNames {
  return (path) => {
    const steps = parsePath(method.input, path);
    if (steps === undefined || typeof body !== "object" || steps[0]?.field !== body) {
      return steps && jsonPath(steps);
    }
    const [{ subscript }, ...inside] = steps as [Step, ...Step[]];
    const within = jsonPath(inside);
    return subscript === "" || within === "" ? subscript + within : `${subscript}.${within}`;
  };
}

/**
 * Renames the fields of an error's violations, in the BadRequest and in the message, for a wire. Paths unknown to the
 * request message are unchanged, and so are errors of the gateway, which already use REST names.
 */
export function withFieldNames(error: ConnectError, names: FieldNames): ConnectError {
  const badRequest = isGatewayError(error) ? undefined : badRequestOf(error);
  if (badRequest === undefined) return error;
  const violations = badRequest.fieldViolations.map((violation) => {
    const field = names(violation.field) ?? violation.field;
    const description = field === "" ? ofBody(violation.field, violation.description) : violation.description;
    return { ...violation, field, description };
  });
  if (violations.every(({ field }, index) => field === badRequest.fieldViolations[index]?.field)) return error;
  const renamed = new ConnectError(renameInText(error.rawMessage, badRequest, names), error.code, error.metadata);
  renamed.cause = error.cause;
  renamed.details = error.details.map((detail) =>
    isBadRequest(detail)
      ? { desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations: violations }) }
      : detail,
  );
  renamed.isWireError = error.isWireError;
  return renamed;
}

function isBadRequest(detail: ConnectError["details"][number]): boolean {
  return ("desc" in detail ? detail.desc.typeName : detail.type) === BadRequestSchema.typeName;
}

function badRequestOf(error: ConnectError): BadRequest | undefined {
  return error.details.some(isBadRequest) ? error.findDetails(BadRequestSchema)[0] : undefined;
}

/** A violation of the whole body has no field prefix. */
function ofBody(field: string, description: string): string {
  return field === "" ? description : `the body: ${description}`;
}

/** Services write their violations into the message as `field: description`, in order, separated by semicolons. */
function renameInText(message: string, { fieldViolations }: BadRequest, names: FieldNames): string {
  let text = "";
  let at = 0;
  for (const { field, description } of fieldViolations) {
    const name = names(field);
    // The message may be truncated.
    const sentence = `${field}: ${description.slice(0, 40)}`;
    let from = message.indexOf(sentence, at);
    while (from > 0 && !message.slice(0, from).endsWith("; ")) from = message.indexOf(sentence, from + 1);
    if (name === undefined || from === -1) continue;
    text += message.slice(at, from) + (name === "" ? "the body" : name);
    at = from + field.length;
  }
  return text + message.slice(at);
}
