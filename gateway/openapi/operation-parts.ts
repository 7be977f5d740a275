import { type DescMethod, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import type { Route } from "../routing/http-rules.ts";
import type { OpenApiPath } from "./names.ts";
import type { Access } from "./options.ts";
import type { Schemas } from "./schemas.ts";

/** What an operation is made of. */
export interface OperationInput {
  readonly route: Route;
  readonly path: OpenApiPath;
  readonly operationId: string;
  readonly tag: string;
  readonly access: Access | undefined;
  /** Whether what makes a resource is answered 201. */
  readonly created: boolean;
  readonly schemas: Schemas;
  /** Names of the security schemes, any of which will do. */
  readonly securitySchemes: readonly string[];
}

/** Parameters are described on their own; a schema's description and modifiers would only repeat it. */
export function plain(schema: JsonObject): JsonObject {
  const { description: _, readOnly: __, writeOnly: ___, ...rest } = schema;
  return rest;
}

/** The `example` of a body, where there is one. */
export function example(value: JsonValue | undefined): JsonObject {
  return value === undefined ? {} : { example: value };
}

/** JSON with all messages of a stream in one array. */
export function arrayOf(schema: JsonObject, value: JsonValue | undefined): JsonObject {
  const items = value === undefined ? undefined : [value];
  return { "application/json": { schema: { type: "array", items: schema }, ...example(items) } };
}

/** True where what the method answers has an entity tag. */
export function hasEtag(method: DescMethod): boolean {
  return method.output.fields.some((field) => field.name === "etag" && field.scalar === ScalarType.STRING);
}
