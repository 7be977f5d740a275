import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

const run = promisify(execFile);

const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

interface Document {
  readonly tags: { readonly name: string }[];
  readonly paths: Record<string, Record<string, { readonly operationId: string; readonly tags: string[] }>>;
}

(chromium ? describe : describe.skip)("the page of the API's documents", () => {
  let docket: TestDocket;
  let profile: string;
  beforeAll(async () => {
    docket = await startDocket();
    profile = await mkdtemp(join(tmpdir(), "docket-docs-"));
  });
  afterAll(async () => {
    await docket?.[Symbol.asyncDispose]();
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  });

  /** The page as a browser has it after its scripts, with no other host to be reached. */
  async function open(path: string): Promise<string> {
    const flags = [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
      ...["--disable-component-update", "--disable-sync", `--user-data-dir=${profile}`],
      ...["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--virtual-time-budget=20000", "--dump-dom"],
    ];
    const options = { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
    const { stdout } = await run(chromium ?? "", [...flags, `${docket.running.httpUrl}${path}`], options);
    return stdout;
  }

  const documentAt = async (path: string): Promise<Document> => {
    const response = await fetch(`${docket.running.httpUrl}${path}`);
    expect(response.status).toBe(200);
    return (await response.json()) as Document;
  };

  const idsOf = ({ paths }: Document): string[] =>
    Object.values(paths).flatMap((item) =>
      Object.values(item).map(({ operationId, tags }) => `operations-${tags[0]}-${operationId}`),
    );

  test("shows every operation of all services, and a choice of each service's own document", async () => {
    const dom = await open("/docs");
    const merged = await documentAt("/openapi.json");
    const missing = idsOf(merged).filter((id) => !dom.includes(`id="${id}"`));
    expect(missing).toEqual([]);
    expect(dom).toMatch(/<button[^>]*class="btn authorize/);
    const options = [...dom.matchAll(/<option value="(\/openapi[^"]*\.json)"/g)].map(([, url]) => url ?? "");
    expect(options).toHaveLength(1 + merged.tags.length);
    const documents = await Promise.all(options.slice(1).map(documentAt));
    expect(documents.flatMap(idsOf).sort()).toEqual(idsOf(merged).sort());
  });

  test("begins with an introduction and the orders, and marks what is not implemented", async () => {
    const dom = await open("/docs");
    const headings = [...dom.matchAll(/<h2[^>]*>([^<]*)<\/h2>/g)].map(([, text]) => text);
    expect(headings).toEqual(
      expect.arrayContaining(["Authentication", "States of an order", "Errors", "Repeating a request", "Test tokens"]),
    );
    const tags = [...dom.matchAll(/id="operations-tag-(\w+)"/g)].map(([, tag]) => tag);
    expect(tags[0]).toBe("OrderService");
    const summaries = [...dom.matchAll(/class="opblock-summary-description"[^>]*>([^<]*)</g)].map(
      ([, text = ""]) => text,
    );
    expect(summaries.filter((text) => text.endsWith("(not implemented yet)"))).toHaveLength(7);
    // Summaries are shown as plain text.
    expect(summaries.filter((text) => text.includes("`"))).toEqual([]);
  });

  test("opens one operation of one service with what it takes, answers and refuses", async () => {
    const name = "docket.order.v1.OrderService";
    const dom = await open(`/docs?urls.primaryName=${name}#/OrderService/OrderService_CreateOrder`);
    const ids = idsOf(await documentAt(`/openapi/${name}.json`));
    expect([...new Set(dom.match(/operations-OrderService-\w+/g))].sort()).toEqual(ids.sort());
    for (const part of ["Idempotency-Key", "shippingAddress", "ETag", "INVALID_REQUEST", "UNAUTHENTICATED"]) {
      expect(dom).toContain(part);
    }
  });
});
