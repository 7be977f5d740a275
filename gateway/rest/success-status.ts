import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import type { Fields } from "../fields/field-path.ts";
import type { Route } from "../routing/http-rules.ts";

/** How a call that went well is answered, beside its body. */
export interface Success {
  readonly status: number;
  readonly location?: string;
}

/** Chooses the status of a unary answer by its route and message. Must not throw. */
export type SuccessRule = (route: Route, message: Message) => Success;

/**
 * True for a POST on a collection (a last segment that is a literal, no verb) whose answer has a `name`: by Google's
 * resource-oriented style it makes a resource.
 */
export function createsResource(route: Route): boolean {
  const { template, method } = route;
  const last = template.segments.at(-1);
  if (route.httpMethod !== "POST" || template.verb !== "" || last?.kind !== "literal") return false;
  return method.methodKind === "unary" && nameFieldOf(method.output) !== undefined;
}

/** True where a caller may ask that nothing be done (AIP-163), so that a method that makes something may not. */
export function mayOnlyValidate({ method }: Route): boolean {
  return method.input.fields.some((field) => field.name === "validate_only" && field.scalar === ScalarType.BOOL);
}

const ok: Success = { status: 200 };

/** What {@link defaultSuccessStatus} finds out about a route once. */
interface Creation {
  readonly nameField: string;
  readonly prefix: string;
  /** The answer to a creation that has no name to lead to. */
  readonly nameless: Success;
}

const creations = new WeakMap<Route, Creation | false>();

function creationOf(route: Route): Creation | false {
  const nameField = nameFieldOf(route.method.output);
  if (!createsResource(route) || nameField === undefined) return false;
  const { segments } = route.template;
  const first = segments[0];
  return {
    nameField: nameField.localName,
    prefix: segments.length > 1 && first?.kind === "literal" ? `/${first.text}` : "",
    nameless: mayOnlyValidate(route) ? ok : { status: 201 },
  };
}

/** Every answer is 200, without a Location. */
export const alwaysOk: SuccessRule = () => ok;

/**
 * The rule without Locations that lead nowhere.
 *
 * @param isServed true for a path that a GET route serves.
 */
export function withServedLocations(rule: SuccessRule, isServed: (path: string) => boolean): SuccessRule {
  return (route, message) => {
    const success = rule(route, message);
    return success.location === undefined || isServed(success.location) ? success : { status: success.status };
  };
}

/**
 * The default: where {@link createsResource} and the answer has its name, 201 with the Location of the resource below
 * the first segment of the template (`/v1/orders` → `/v1/{name}`); without a name 201 alone, or 200 where it may be that
 * nothing was made. Everything else is 200.
 */
export const defaultSuccessStatus: SuccessRule = (route, message) => {
  let creation = creations.get(route);
  if (creation === undefined) {
    creation = creationOf(route);
    creations.set(route, creation);
  }
  if (creation === false) return ok;
  const name = (message as unknown as Fields)[creation.nameField];
  if (typeof name !== "string" || name === "") return creation.nameless;
  return { status: 201, location: `${creation.prefix}/${name.split("/").map(encodeURIComponent).join("/")}` };
};

function nameFieldOf(message: DescMessage): DescField | undefined {
  return message.fields.find((field) => field.name === "name" && field.scalar === ScalarType.STRING && !field.oneof);
}
