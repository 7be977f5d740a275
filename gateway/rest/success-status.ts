import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import type { Fields } from "../fields/field-path.ts";
import type { Route } from "../routing/http-rules.ts";

/** Status and Location of a successful call. */
export interface Success {
  readonly status: number;
  readonly location?: string;
}

/** Chooses the status of a unary response by its route and message. Must not throw. */
export type SuccessRule = (route: Route, message: Message) => Success;

/**
 * True for a POST on a collection (the last segment is a literal, without a verb) whose response has a `name`: by
 * Google's resource-oriented style it creates a resource.
 */
export function createsResource(route: Route): boolean {
  const { template, method } = route;
  const last = template.segments.at(-1);
  if (route.httpMethod !== "POST" || template.verb !== "" || last?.kind !== "literal") return false;
  return method.methodKind === "unary" && nameFieldOf(method.output) !== undefined;
}

/** True if a caller may request validation only (AIP-163), so that a create method may create nothing. */
export function mayOnlyValidate({ method }: Route): boolean {
  return method.input.fields.some((field) => field.name === "validate_only" && field.scalar === ScalarType.BOOL);
}

const ok: Success = { status: 200 };

/** What {@link defaultSuccessStatus} computes once per route. */
interface Creation {
  readonly nameField: string;
  readonly prefix: string;
  /** The response to a creation without a name to link to. */
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

/** Makes every response 200, without a Location. */
export const alwaysOk: SuccessRule = () => ok;

/**
 * Wraps a rule to omit Locations that no route serves.
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
 * The default: if {@link createsResource} and the response has a name, 201 with the Location of the resource below the
 * first segment of the template (`/v1/orders` → `/v1/{name}`); without a name, 201 alone, or 200 if nothing may have
 * been created. Everything else is 200.
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
