import { type DescMethod, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import type { Route } from "../routing/http-rules.ts";
import type { OpenApiPath } from "./names.ts";
import type { Access } from "./options.ts";
import type { Schemas } from "./schemas.ts";

/** The inputs of an operation. */
export interface OperationInput {
  readonly route: Route;
  readonly path: OpenApiPath;
  readonly operationId: string;
  readonly tag: string;
  readonly access: Access | undefined;
  /** Whether the server has no implementation of the method. */
  readonly unimplemented: boolean;
  /** Whether creating a resource returns 201. */
  readonly created: boolean;
  readonly schemas: Schemas;
  /** Names of the alternative security schemes. */
  readonly securitySchemes: readonly string[];
}

/** Strips the description and modifiers of a schema, which would only repeat those of the parameter. */
export function plain(schema: JsonObject): JsonObject {
  const { description: _, readOnly: __, writeOnly: ___, ...rest } = schema;
  return rest;
}

/** The `example` of a body, if there is one. */
export function example(value: JsonValue | undefined): JsonObject {
  return value === undefined ? {} : { example: value };
}

/** A JSON array with all messages of a stream. */
export function arrayOf(schema: JsonObject, value: JsonValue | undefined): JsonObject {
  const items = value === undefined ? undefined : [value];
  return { "application/json": { schema: { type: "array", items: schema }, ...example(items) } };
}

/** True if the method's response has an entity tag. */
export function hasEtag(method: DescMethod): boolean {
  return method.output.fields.some((field) => field.name === "etag" && field.scalar === ScalarType.STRING);
}
