import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { signingSecretFor } from "../host/signing-secret.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

const receivers = { payments: "/v1/webhooks/payments/sandbox", carriers: "/v1/webhooks/carriers/sandbox" } as const;

describe("the receivers of callbacks", () => {
  let docket: TestDocket;
  let folder: string;
  let installationSecret: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "docket-callbacks-"));
    docket = await startDocket({ DOCKET_DATA_DIR: folder });
    installationSecret = (await readFile(join(folder, "sandbox-secret"), "utf8")).trim();
  }, 60_000);
  afterAll(async () => {
    await docket[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const post = async (path: string, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
    const response = await fetch(`${docket.running.httpUrl}${path}`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...headers },
    });
    return { status: response.status, text: await response.text() };
  };
  const signed = (purpose: string, body: string) => {
    const at = new Date();
    return {
      "webhook-id": "e1",
      "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
      "webhook-signature": new Webhook(signingSecretFor(purpose, installationSecret)).sign("e1", at, body),
    };
  };

  test.each(Object.values(receivers))("%s refuses encoded, large and unsigned bodies", async (path) => {
    expect(await post(path, gzipSync("{}"), { "content-encoding": "gzip" })).toMatchObject({
      status: 415,
      text: expect.stringContaining("UNSUPPORTED_CONTENT_ENCODING"),
    });
    expect((await post(path, Buffer.alloc(1024 * 1024 + 1))).status).toBe(413);
    expect((await post(path, Buffer.from("{}"))).status).toBe(401);
  });

  test("a callback signed for one receiver is refused by the other", async () => {
    const body = '{"type":"ping"}';
    const forPayments = signed("sandbox payments", body);
    expect((await post(receivers.payments, Buffer.from(body), forPayments)).status).toBe(200);
    expect((await post(receivers.carriers, Buffer.from(body), forPayments)).status).toBe(401);
    const forCarriers = signed("sandbox carriers", body);
    expect((await post(receivers.carriers, Buffer.from(body), forCarriers)).status).toBe(200);
    expect((await post(receivers.payments, Buffer.from(body), forCarriers)).status).toBe(401);
  });
});
