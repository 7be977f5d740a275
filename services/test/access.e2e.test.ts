import type { DescMethod } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { ServerReflection as ReflectionV1 } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { readHostConfig } from "../host/config.ts";
import { eventually } from "./support/eventually.ts";
import { expectedAccess, needsSandboxKey } from "./support/expected-access.ts";
import { namedRules, type RawWire, rawWires, type Verdict } from "./support/raw-calls.ts";
import { declaredAccess, servedMethods } from "./support/served-methods.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";
import { startTokenIssuer, type TokenIssuer } from "./support/token-issuer.ts";

/** A caller, and what it is known to be: undefined for one that is not accepted at all. */
interface Caller {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly scopes: ReadonlySet<string> | undefined;
  /** Which methods it is tried on, by their access: all unless given. */
  readonly concerns?: (access: string) => boolean;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const nameOf = ({ parent, name }: DescMethod) => `${parent.typeName}/${name}`;
const callsAtOnce = 32;

describe("access", () => {
  let docket: TestDocket;
  let issuer: TokenIssuer;
  let wires: RawWire[];
  let methods: readonly DescMethod[];

  beforeAll(async () => {
    issuer = await startTokenIssuer();
    docket = await startDocket({
      ...issuer.environment,
      DOCKET_JWT_PLATFORM_ADMIN: "true",
      DOCKET_FAILED_AUTH_LIMIT: "0",
    });
    const { httpUrl, grpcAddress } = docket.running;
    wires = rawWires(httpUrl, grpcAddress);
    // Reflection does not list itself.
    methods = [...(await servedMethods(grpcAddress)), ...ReflectionV1.methods, ...ReflectionV1Alpha.methods];
  }, 120_000);
  afterAll(async () => {
    for (const wire of wires ?? []) {
      wire[Symbol.dispose]();
    }
    await docket?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  const createKey = (scopes: readonly string[], options: { tenant?: string; expiresAtMs?: number } = {}) =>
    docket.admin.apiKeys.createApiKey({
      apiKey: {
        displayName: "matrix",
        scopes: [...scopes],
        tenant: options.tenant ?? "acme",
        ...(options.expiresAtMs !== undefined && { expireTime: timestampFromMs(options.expiresAtMs) }),
      },
    });

  /** Whether the key opens a method that any key with its scope may call. */
  const isAccepted = async (key: string): Promise<boolean> => {
    const { status } = await fetch(`${docket.running.httpUrl}/v1/orders`, { headers: bearer(key) });
    return status === 200;
  };

  async function unknownCallers(): Promise<Caller[]> {
    const revoked = await createKey(["admin"]);
    const expired = await createKey(["admin"], { expiresAtMs: Date.now() + 2_000 });
    await docket.admin.apiKeys.revokeApiKey({ name: revoked.name, tenant: "acme" });
    await eventually(() => isAccepted(revoked.key), false);
    await eventually(() => isAccepted(expired.key), false);
    const claims = { tenant: "acme", scope: "admin platform.admin" };
    const headers: Record<string, Record<string, string>> = {
      "no credential": {},
      "a malformed credential": bearer("a, Bearer b"),
      "a guessed key": bearer("dk_guessed"),
      "a key that is too long": { "x-api-key": "k".repeat(2_000) },
      "a revoked key": bearer(revoked.key),
      "an expired key": { "x-api-key": expired.key },
      "an expired token": bearer(await issuer.sign(claims, { expires: "-5m" })),
      "a forged token": bearer(await issuer.sign(claims, { forged: true })),
      "a forged service token": { authorization: `Service ${await issuer.sign(claims)}` },
    };
    return Object.entries(headers).map(([name, header]) => ({ name, headers: header, scopes: undefined }));
  }

  async function knownCallers(): Promise<Caller[]> {
    const asked = [...new Set(Object.values(expectedAccess).flatMap(scopesOf))].sort();
    const jwt = async (name: string, scopes: readonly string[]): Promise<Caller> => ({
      name,
      headers: bearer(await issuer.sign({ tenant: "acme", scope: scopes.join(" ") })),
      scopes: new Set(scopes),
    });
    const key = async (name: string, scopes: readonly string[], tenant: string): Promise<Caller> => ({
      name,
      headers: bearer((await createKey(scopes, { tenant })).key),
      scopes: new Set(scopes),
    });
    const alternatives = new Set(Object.values(expectedAccess).map((access) => scopesOf(access).join(" ")));
    return Promise.all([
      jwt("no scope", []),
      jwt("an unknown scope", ["orders", "orders.", "ORDERS.WRITE", "admins", "*"]),
      jwt("platform.admin alone", ["platform.admin"]),
      ...[...asked].map(async (scope) => ({
        ...(await jwt(`${scope} alone`, [scope])),
        concerns: (access: string) => scopesOf(access).includes(scope),
      })),
      ...[...alternatives].map(async (needed) => ({
        ...(await jwt(
          `all scopes but ${needed || "none"}`,
          asked.filter((scope) => !needed.split(" ").includes(scope)),
        )),
        concerns: (access: string) => scopesOf(access).join(" ") === needed,
      })),
      key("a key with orders.read", ["orders.read"], "acme"),
      key("an administrator", ["admin"], "acme"),
      key("an administrator of another tenant", ["admin"], "other"),
      { name: "the configured key", headers: bearer(docket.running.adminKey), scopes: new Set(["admin"]) },
    ]);
  }

  test("is declared for every method that is served, as this list expects it", () => {
    const declared = methods.map((method) => [
      nameOf(method),
      nameOf(method).startsWith("docket.") ? declaredAccess(method) : "open",
    ]);
    expect(Object.fromEntries(declared)).toEqual(expectedAccess);
  });

  test("is what the list expects, for every caller, on every wire", async () => {
    const callers = [...(await unknownCallers()), ...(await knownCallers())];
    const cells = methods.flatMap((method) =>
      callers
        .filter(({ concerns }) => concerns?.(expectedAccess[nameOf(method)] ?? "") ?? true)
        .flatMap((caller) => wires.filter((wire) => wire.serves(method)).map((wire) => ({ method, caller, wire }))),
    );
    expect(cells.length).toBeGreaterThan(1_000);
    const wrong: string[] = [];
    const work = cells.values();
    const worker = async () => {
      for (const { method, caller, wire } of work) {
        const wanted = expectedVerdict(expectedAccess[nameOf(method)] ?? "undeclared", caller);
        const got = await wire.call(method, caller.headers).catch((error: unknown) => String(error));
        const lacksSandboxKey = got === "UNAUTHENTICATED" && needsSandboxKey.test(nameOf(method));
        if (got !== wanted && !lacksSandboxKey) {
          wrong.push(`${nameOf(method)} with ${caller.name} over ${wire.name}: ${got} instead of ${wanted}`);
        }
      }
    };
    await Promise.all(Array.from({ length: callsAtOnce }, worker));
    expect(wrong).toEqual([]);
  }, 600_000);

  test("reaches nothing of another tenant, for none of the methods that name a resource", async () => {
    const { docket: shop, key } = await docket.tenant("owner");
    const stranger = bearer((await createKey(["admin"], { tenant: "stranger" })).key);
    await stockTea(shop, 5);
    const { name } = await shop.orders.createOrder({ order: teaOrder() });
    const before = await untilState(shop, name, [Order_State.COMPLETED], 60_000);
    const listed = await fetch(`${docket.running.httpUrl}/v1/sagas`, { headers: bearer(key) });
    const { sagas } = (await listed.json()) as { sagas: { name: string }[] };
    const names: Readonly<Record<string, string>> = {
      "sagas/*": sagas[0]?.name ?? "",
      "orders/*": name,
      "orders/*/payments/*": `${name}/payments/1`,
      "orders/*/shipments/*": `${name}/shipments/1`,
      "items/*": "items/TEA",
      "apiKeys/*": (await createKey(["orders.read"], { tenant: "owner" })).name,
    };
    const tried: string[] = [];
    const reached: string[] = [];
    for (const { verb, path, pattern, body } of methods.flatMap(namedRules)) {
      const resource = names[pattern];
      if (resource !== undefined) {
        const response = await fetch(`${docket.running.httpUrl}${path.replace(/\{.*\}/, resource)}`, {
          method: verb,
          headers: { ...stranger, "content-type": "application/json" },
          ...(body && { body: "{}" }),
        });
        const text = await response.text();
        tried.push(pattern);
        // A list of what is in another tenant's resource may be empty instead of not found.
        if (response.ok ? /"name"/.test(text) : ![400, 404].includes(response.status)) {
          reached.push(`${verb} ${path}: ${response.status} ${text.slice(0, 200)}`);
        }
      }
    }
    expect(reached).toEqual([]);
    expect(new Set(tried)).toEqual(new Set(Object.keys(names)));
    expect(tried.length).toBeGreaterThan(15);
    expect(await shop.orders.getOrder({ name })).toEqual(before);
  }, 120_000);
});

function scopesOf(access: string): string[] {
  return access === "open" || access === "internal" ? [] : access.split(" | ");
}

function expectedVerdict(access: string, { scopes }: Caller): Verdict {
  if (access === "open") {
    return "admitted";
  }
  if (scopes === undefined) {
    return "UNAUTHENTICATED";
  }
  const isAllowed = access !== "internal" && (scopes.has("admin") || scopesOf(access).some((it) => scopes.has(it)));
  return isAllowed ? "admitted" : "PERMISSION_DENIED";
}

test("JWT settings that belong together are asked for together", () => {
  expect(() => readHostConfig({ DOCKET_JWT_ISSUER: "https://issuer.example" })).toThrow("go together");
});
