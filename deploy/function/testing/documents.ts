import { readFile } from "node:fs/promises";
import type { JsonObject } from "@bufbuild/protobuf";

/** The OpenAPI document, which a function does not serve. */
export async function openApiDocument(): Promise<JsonObject> {
  return JSON.parse(
    await readFile(new URL("../../../gen/openapi/openapi.json", import.meta.url), "utf8"),
  ) as JsonObject;
}
