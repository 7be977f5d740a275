import { create, type DescField, type DescMessage, type DescMethod } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { type BadRequest, BadRequestSchema } from "../../gen/google/rpc/error_details_pb.js";
import { isGatewayError } from "../errors.ts";

/** The name of a field on a wire, by its path in the request message; undefined for a path that the message does not have. */
export type FieldNames = (path: string) => string | undefined;

/** What of a route decides where its requests have their fields. */
export interface BodyRule {
  readonly method: DescMethod;
  /** `none`: no body. `all`: the request message. Else the field that the body is. */
  readonly body: "none" | "all" | DescField;
}

/** A field along a path, with its subscript where it has one: `[0]`, `["key"]`. */
interface Step {
  readonly field: DescField;
  readonly subscript: string;
}

const stepPattern = /([A-Za-z_]\w*)((?:\[(?:-?\d+|true|false|"(?:[^"\\]|\\.)*")\])?)(?:\.(?=[A-Za-z_])|$)/y;

/** The fields of a path such as `order.line_items[0].sku`, by their proto or JSON names; undefined where it names none. */
function parsePath(root: DescMessage, path: string): Step[] | undefined {
  const steps: Step[] = [];
  let message: DescMessage | undefined = root;
  stepPattern.lastIndex = 0;
  while (stepPattern.lastIndex < path.length) {
    const [, name, subscript = ""] = stepPattern.exec(path) ?? [];
    const field: DescField | undefined = message?.fields.find((each) => each.name === name || each.jsonName === name);
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

/** Names as JSON of the whole request message has them: `order.lineItems[0].sku`. */
export function jsonFieldNames(input: DescMessage): FieldNames {
  return (path) => {
    const steps = parsePath(input, path);
    return steps && jsonPath(steps);
  };
}

/**
 * Names as a REST request has them in its body, query or path: `lineItems[0].sku` where the body is the field `order`.
 * The body itself is "".
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
 * The error with the fields of its violations, in the BadRequest and in the message, under the names of a wire. Paths that
 * the request message does not have are kept, and so are errors of the gateway, which have the names of REST already.
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

/** A violation of the body as a whole has no field to stand under. */
function ofBody(field: string, description: string): string {
  return field === "" ? description : `the body: ${description}`;
}

/** Services write their violations into the message as `field: description`, in order, with semicolons between. */
function renameInText(message: string, { fieldViolations }: BadRequest, names: FieldNames): string {
  let text = "";
  let at = 0;
  for (const { field, description } of fieldViolations) {
    const name = names(field);
    // The message may be cut.
    const sentence = `${field}: ${description.slice(0, 40)}`;
    let from = message.indexOf(sentence, at);
    while (from > 0 && !message.slice(0, from).endsWith("; ")) from = message.indexOf(sentence, from + 1);
    if (name === undefined || from === -1) continue;
    text += message.slice(at, from) + (name === "" ? "the body" : name);
    at = from + field.length;
  }
  return text + message.slice(at);
}
