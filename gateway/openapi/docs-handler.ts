import { readFile } from "node:fs/promises";
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Request, Response } from "../http/body/request.ts";
import { writeResponse } from "../rest/response.ts";

/**
 * Serves `/openapi.json`, `/openapi/{service}.json`, the same in YAML, `/docs` and the page's assets; undefined for any
 * other path.
 */
export type DocsHandler = (request: Request, response: Response, path: string) => Promise<void> | undefined;

const assets: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "swagger-ui-standalone-preset.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

/** An API's documents, served verbatim. */
export interface OpenApiDocuments {
  /** The document over all services. */
  readonly json: string;
  readonly yaml: string;
  /** Title of the page; defaults to the document's. */
  readonly title?: string;
  /** One document per service, by full name. */
  readonly services?: Readonly<Record<string, { readonly json: string; readonly yaml: string }>>;
}

/** With several documents, the page has a bar to choose from. */
function startScript(title: string, services: readonly string[]): string {
  const urls = [
    { url: "/openapi.json", name: title },
    ...services.map((name) => ({ url: `/openapi/${name}.json`, name })),
  ];
  const which =
    services.length < 2
      ? 'url: "/openapi.json",'
      : `urls: ${JSON.stringify(urls)},
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: "StandaloneLayout",`;
  return `window.addEventListener("load", () => {
  SwaggerUIBundle({
    ${which}
    dom_id: "#docs",
    deepLinking: true,
    displayRequestDuration: true,
    filter: true,
    validatorUrl: null,
    // A key stays in the page's memory: every later page of this origin could read a stored one.
    persistAuthorization: false,
  });
});
`;
}

/**
 * All resources are same-origin. Styles may be inline because the viewer sets them, and images because its style sheet
 * contains some.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * Serves the documents and a browsable page over them, from files of the npm package swagger-ui-dist. The documents are
 * not read before the first request, so they may be built lazily.
 */
export function createDocs(openapi: OpenApiDocuments): DocsHandler {
  const services = Object.entries(openapi.services ?? {});
  const title = (): string => openapi.title ?? titleOf(openapi.json);
  const page = (): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title())}</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<style>body { margin: 0 } .renderedMarkdown table { display: block; overflow-x: auto }</style>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/swagger-ui-standalone-preset.js"></script>
<script src="/docs/start.js"></script>
</html>
`;
  const start = (): string =>
    startScript(
      title(),
      services.map(([name]) => name),
    );
  const documents = [
    ["/openapi", openapi] as const,
    ...services.map(([name, texts]) => [`/openapi/${name}`, texts] as const),
  ];
  const fixed = new Map<string, { type: string; text: () => string }>([
    ["/docs", { type: "text/html; charset=utf-8", text: page }],
    ["/docs/start.js", { type: "text/javascript; charset=utf-8", text: start }],
    ...documents.flatMap(([path, texts]): [string, { type: string; text: () => string }][] => [
      [`${path}.json`, { type: "application/json", text: () => texts.json }],
      [`${path}.yaml`, { type: "application/yaml", text: () => texts.yaml }],
    ]),
  ]);

  return (request, response, path) => {
    if (request.method !== "GET" && request.method !== "HEAD") return undefined;
    const known = fixed.get(path);
    if (known !== undefined) return serveText(request, response, known);
    if (path === "/docs/") return redirect(response);
    const name = path.startsWith("/docs/") ? path.slice("/docs/".length) : "";
    const type = Object.hasOwn(assets, name) ? assets[name] : undefined;
    return type === undefined ? undefined : serveAsset(request, response, name, type);
  };
}

async function serveText(
  request: Request,
  response: Response,
  { type, text }: { type: string; text: () => string },
): Promise<void> {
  await serve(request, response, type, Buffer.from(text()));
}

async function serveAsset(request: Request, response: Response, name: string, type: string): Promise<void> {
  const folder = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
  await serve(request, response, type, await readFile(join(folder, name)), "public, max-age=86400");
}

async function serve(
  request: Request,
  response: Response,
  type: string,
  body: Buffer,
  cacheControl = "no-cache",
): Promise<void> {
  const headers: OutgoingHttpHeaders = {
    "content-type": type,
    "cache-control": cacheControl,
    "content-security-policy": policy,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  };
  await writeResponse(request, response, 200, headers, body);
}

async function redirect(response: Response): Promise<void> {
  (response as ServerResponse).writeHead(308, { location: "/docs", "content-length": 0 });
  response.end();
}

function titleOf(json: string): string {
  const document = JSON.parse(json) as { info?: { title?: string } };
  return document.info?.title ?? "API";
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
