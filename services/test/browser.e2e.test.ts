import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { build } from "esbuild";
import { stockTea } from "./support/shop.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

/** What a shop's page does: places an order, follows it to its end, and meets typed errors. It posts what it saw to its own server. */
const script = `
  import { createDocket } from "./web-client/sdk/index.ts";
  const [baseUrl, apiKey] = location.hash.slice(1).split(",").map(decodeURIComponent);
  const docket = createDocket({ baseUrl, apiKey });
  const seen = [];
  try {
    const end = new AbortController();
    const watching = (async () => {
      for await (const { event } of docket.watchOrders({}, { signal: end.signal })) {
        seen.push(event.type);
        if (event.type === "OrderCompleted") end.abort();
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const order = await docket.placeOrder({
      currencyCode: "EUR",
      customer: { id: "c1" },
      shippingAddress: { recipient: "Ada", addressLines: ["1 Main St"], locality: "Berlin", regionCode: "DE" },
      lineItems: [{ sku: "TEA", quantity: 1 }],
      paymentToken: "tok_success",
    });
    await watching;
    const failure = await docket.orders.getOrder({ name: "orders/none" }).catch((error) => error);
    const imported = await docket.importOrders("external_id\\n", { contentType: "text/csv" }).catch((error) => error);
    const result = { total: order.total.units.toString(), seen, code: failure.code, imported: imported.code ?? imported.rowCount.toString() };
    await fetch("/done", { method: "POST", body: JSON.stringify(result) });
  } catch (error) {
    await fetch("/done", { method: "POST", body: JSON.stringify({ failed: String(error) }) });
  }
`;

(chromium ? describe : describe.skip)("the SDK in a browser", () => {
  let docket: TestDocket;
  let page: Server;
  const reported = Promise.withResolvers<string>();

  beforeAll(async () => {
    docket = await startDocket();
    const { outputFiles } = await build({
      stdin: { contents: script, resolveDir: join(import.meta.dirname, "../..") },
      bundle: true,
      write: false,
      format: "esm",
      platform: "browser",
    });
    const html = `<!doctype html><body>running<script type="module">${outputFiles[0]?.text.replaceAll("</script", "<\\/script")}</script>`;
    page = createServer(async (request, response) => {
      if (request.method === "POST") {
        reported.resolve(await text(request));
      }
      response.setHeader("content-type", "text/html").end(html);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => page.once("listening", resolve));
  }, 60_000);
  afterAll(async () => {
    page?.close();
    await docket?.[Symbol.asyncDispose]();
  });

  test("places and follows an order from a page of another origin, and meets typed errors", async () => {
    const { docket: shop, key } = await docket.tenant("browser", ["admin"]);
    await stockTea(shop, 5);
    const profile = await mkdtemp(join(tmpdir(), "docket-chromium-"));
    const { port } = page.address() as AddressInfo;
    const hash = [docket.running.httpUrl, key].map(encodeURIComponent).join(",");
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
    ];
    const more = ["--disable-component-update", "--disable-sync", `--user-data-dir=${profile}`];
    const browser = spawn(chromium ?? "", [...flags, ...more, `http://127.0.0.1:${port}/#${hash}`], {
      stdio: "ignore",
      detached: true,
    });
    const result = JSON.parse(await reported.promise);
    // Its whole process group, as a browser is many processes.
    process.kill(-(browser.pid ?? 0), "SIGKILL");
    await once(browser, "exit");
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });

    expect(result).toMatchObject({ total: "4", code: "NOT_FOUND", imported: "INVALID_ARGUMENT" });
    expect(result.seen).toEqual(expect.arrayContaining(["OrderPlaced", "OrderConfirmed", "OrderCompleted"]));
  });
});
