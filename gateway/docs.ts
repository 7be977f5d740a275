import { readFile } from "node:fs/promises";
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { writeWhole } from "./answer.ts";
import type { Request, Response } from "./http-io.ts";

/** Answers `/openapi.json`, `/openapi.yaml`, `/docs` and what the page needs; undefined for any other path. */
export type DocsHandler = (request: Request, response: Response, path: string) => Promise<void> | undefined;

const assets: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

const start = `window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    displayRequestDuration: true,
    filter: true,
    validatorUrl: null,
    persistAuthorization: true,
  });
});
`;

/** Everything comes from us; styles inline because the viewer sets them, pictures inline because its style sheet has some. */
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

/** Serves the documents and a browsable page over them, from files of the npm package swagger-ui-dist. */
export function createDocs(openapi: { json: string; yaml: string; title?: string }): DocsHandler {
  const title = escapeHtml(openapi.title ?? titleOf(openapi.json));
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
`;
  const fixed = new Map<string, { type: string; body: Buffer }>([
    ["/openapi.json", { type: "application/json", body: Buffer.from(openapi.json) }],
    ["/openapi.yaml", { type: "application/yaml", body: Buffer.from(openapi.yaml) }],
    ["/docs", { type: "text/html; charset=utf-8", body: Buffer.from(page) }],
    ["/docs/start.js", { type: "text/javascript; charset=utf-8", body: Buffer.from(start) }],
  ]);

  return (request, response, path) => {
    if (request.method !== "GET" && request.method !== "HEAD") return undefined;
    const known = fixed.get(path);
    if (known !== undefined) return serve(request, response, known.type, known.body);
    if (path === "/docs/") return redirect(response);
    const name = path.startsWith("/docs/") ? path.slice("/docs/".length) : "";
    const type = Object.hasOwn(assets, name) ? assets[name] : undefined;
    return type === undefined ? undefined : serveAsset(request, response, name, type);
  };
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
  await writeWhole(request, response, 200, headers, body);
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
