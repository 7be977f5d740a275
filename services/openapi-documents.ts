import { readdir, readFile } from "node:fs/promises";
import type { OpenApiDocuments } from "../gateway/openapi/docs-handler.ts";

/**
 * Reads the generated OpenAPI documents: `openapi.*` over all services, and a document for each by its full name.
 *
 * This file is in the folder of `main.ts`, so that the path below also holds in the bundle, which is one file there.
 */
export async function readOpenapi(): Promise<OpenApiDocuments> {
  const folder = new URL("../gen/openapi/", import.meta.url);
  const read = async (name: string) => {
    const file = (ending: string) => readFile(new URL(`${name}.${ending}`, folder), "utf8");
    const [json, yaml] = await Promise.all([file("json"), file("yaml")]);
    return { json, yaml };
  };
  const files = (await readdir(folder)).filter((file) => file.endsWith("Service.json")).sort();
  const names = files.map((file) => file.slice(0, -".json".length));
  const services = await Promise.all(names.map(async (name) => [name, await read(name)] as const));
  return { ...(await read("openapi")), title: "Docket", services: Object.fromEntries(services) };
}
