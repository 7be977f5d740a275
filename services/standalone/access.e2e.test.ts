import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { DeadLetterService } from "../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { SagaService } from "../../gen/docket/operations/v1/saga_service_pb.js";
import { WebhookService } from "../../gen/docket/operations/v1/webhook_service_pb.js";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import { accessOf } from "../runtime/auth/access.ts";
import { readStandaloneConfig } from "./config.ts";
import { startDocket, type TestDocket } from "./testing/start-docket.ts";

const issuer = "https://issuer.example";
const audience = "docket";

const services = [
  ApiKeyService,
  DeadLetterService,
  SagaService,
  WebhookService,
  InventoryService,
  LogisticsService,
  OrderService,
  PaymentService,
];
const unaryMethods = services.flatMap(({ methods }) => methods).filter(({ methodKind }) => methodKind === "unary");

describe("access", () => {
  let docket: TestDocket;
  let issuerServer: Server;
  let sign: (
    claims: Record<string, unknown>,
    options?: { expires?: string; key?: Parameters<SignJWT["sign"]>[0] },
  ) => Promise<string>;

  beforeAll(async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const keys = { keys: [{ ...(await exportJWK(publicKey)), alg: "ES256", kid: "one" }] };
    issuerServer = createServer((_request, response) => response.end(JSON.stringify(keys))).listen(0, "127.0.0.1");
    await new Promise((resolve) => issuerServer.once("listening", resolve));
    sign = (claims, { expires = "5m", key = privateKey } = {}) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: "ES256", kid: "one" })
        .setIssuer(issuer)
        .setAudience(String(claims["aud"] ?? audience))
        .setSubject("somebody")
        .setExpirationTime(expires)
        .sign(key);
    const port = (issuerServer.address() as AddressInfo).port;
    docket = await startDocket({
      DOCKET_JWT_ISSUER: issuer,
      DOCKET_JWT_AUDIENCE: audience,
      DOCKET_JWT_KEYS_URL: `http://127.0.0.1:${port}/keys`,
    });
  }, 60_000);
  afterAll(async () => {
    await docket?.[Symbol.asyncDispose]();
    issuerServer?.close();
  });

  /** The HTTP status of a Connect call with an empty request: access is decided before the request is looked at. */
  async function statusOf(path: string, credential?: string): Promise<number> {
    const response = await fetch(`${docket.running.httpUrl}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(credential !== undefined && { authorization: `Bearer ${credential}` }),
      },
      body: "{}",
    });
    await response.arrayBuffer();
    return response.status;
  }

  const orders = "/docket.order.v1.OrderService/ListOrders";

  test("is given to a JWT of the configured issuer, within its scopes and its tenant", async () => {
    expect(await statusOf(orders, await sign({ tenant: "t1", scope: "orders.read items.read" }))).toBe(200);
    expect(await statusOf(orders, await sign({ tenant: "t1", scope: "items.read" }))).toBe(403);
  });

  test("is refused to any other JWT", async () => {
    const stranger = (await generateKeyPair("ES256")).privateKey;
    const claims = { tenant: "t1", scope: "orders.read" };
    const none = `${btoa('{"alg":"none"}').replace(/=/g, "")}.${btoa(JSON.stringify({ ...claims, iss: issuer, aud: audience, sub: "x", exp: 4e9 })).replace(/=/g, "")}.`;
    expect(await statusOf(orders, await sign(claims, { key: stranger }))).toBe(401);
    expect(await statusOf(orders, await sign(claims, { expires: "-5m" }))).toBe(401);
    expect(await statusOf(orders, await sign({ ...claims, aud: "another" }))).toBe(401);
    expect(await statusOf(orders, await sign({ scope: "orders.read" }))).toBe(401);
    expect(await statusOf(orders, none)).toBe(401);
  });

  test.each(unaryMethods.map((method) => [`${method.parent.typeName}/${method.name}`, method] as const))(
    "to %s is what the contract declares",
    async (name, method) => {
      const access = accessOf(method);
      const path = `/${name}`;
      const scopeless = await sign({ tenant: "t1", scope: "nothing" });
      if (access?.kind === "open") {
        expect([401, 403]).not.toContain(await statusOf(path));
        return;
      }
      expect(await statusOf(path)).toBe(401);
      expect(await statusOf(path, "dk_wrong")).toBe(401);
      expect(await statusOf(path, scopeless)).toBe(403);
      if (access?.kind === "internal") {
        expect(await statusOf(path, await sign({ tenant: "t1", scope: "admin" }))).toBe(403);
        return;
      }
      for (const scope of access?.anyOf ?? []) {
        expect([401, 403]).not.toContain(await statusOf(path, await sign({ tenant: "t1", scope })));
      }
    },
  );
});

test("JWT settings that belong together are asked for together", () => {
  expect(() => readStandaloneConfig({ DOCKET_JWT_ISSUER: issuer })).toThrow("go together");
});
