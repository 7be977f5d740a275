import { create, type DescService, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, createClient, createContextValues } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { AuditEvent_Outcome, AuditEventSchema, AuditRecordedSchema } from "../../gen/docket/audit/v1/audit_pb.js";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { AuditService } from "../../gen/docket/operations/v1/audit_service_pb.js";
import { WebhookService } from "../../gen/docket/operations/v1/webhook_service_pb.js";
import { createInProcessBus } from "../runtime/bus/in-process.ts";
import { createLocalTransport } from "../runtime/call/local-transport.ts";
import { type Principal, principalKey } from "../runtime/context-values.ts";
import { openDatabase } from "../runtime/db/connect.ts";
import { pruneTable } from "../runtime/retention/prune.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { describeEachDatabase, type OpenTestDatabase } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { createIds } from "../runtime/values/ids.ts";
import type { OperationsDatabase } from "./db/schema.ts";
import { operationsRetention } from "./retention.ts";
import { createOperationsService } from "./service.ts";

const adminKey = "dk_test-admin-key";
const log = createLogger({ level: "silent", name: "test" });

/** Starts the service on an empty database, with clients for arbitrary principals. */
async function start(open: OpenTestDatabase, now = () => new Date()) {
  const { url } = await open();
  const config = { databaseUrl: url, adminKey, adminTenant: "default", auditRetentionMs: 3_600_000 };
  const clock = { now, monotonicMs: () => performance.now() };
  const bus = createInProcessBus({ log });
  const service = await createOperationsService(config, { clock, bus, log });
  const { transport, mount } = createLocalTransport({ interceptors: [] });
  mount(service.specs);
  const clientOf = <Desc extends DescService>(desc: Desc, principal: Partial<Principal>): Client<Desc> => {
    const caller = {
      kind: "api_key" as const,
      tenant: "default",
      subject: "test",
      scopes: new Set(["admin", "platform.admin"]),
      ...principal,
    };
    return createClient(desc, {
      ...transport,
      unary: (method, signal, timeoutMs, header, input) =>
        transport.unary(method, signal, timeoutMs, header, input, createContextValues().set(principalKey, caller)),
    });
  };
  const as = (principal: Partial<Principal>) => clientOf(ApiKeyService, principal);
  const audit = (principal: Partial<Principal>) => clientOf(AuditService, principal);
  const usable = async (key: string) => (await as({}).authenticateApiKey({ key })).apiKey !== undefined;
  return {
    config,
    service,
    bus,
    transport,
    as,
    audit,
    usable,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

describeEachDatabase("the operations service", (open) => {
  test("creates a working key, and never shows it again", async () => {
    await using running = await start(open);
    const keys = running.as({});
    const made = await keys.createApiKey({ apiKey: { displayName: "Shop", scopes: ["orders.write", "orders.read"] } });
    expect(made.key).toMatch(/^dk_/);

    const { apiKey } = await keys.authenticateApiKey({ key: made.key });
    expect(apiKey).toMatchObject({
      name: made.name,
      tenant: "default",
      scopes: ["orders.read", "orders.write"],
      key: "",
    });
    const listed = await keys.listApiKeys({});
    expect(listed.apiKeys.map(({ name, key }) => [name, key])).toContainEqual([made.name, ""]);
  });

  test("refuses a revoked key immediately, and revoking it again has no effect", async () => {
    await using running = await start(open);
    const keys = running.as({});
    const { name, key } = await keys.createApiKey({ apiKey: { displayName: "Shop", scopes: ["orders.read"] } });
    expect(await running.usable(key)).toBe(true);

    const revoked = await keys.revokeApiKey({ name });
    expect(await running.usable(key)).toBe(false);
    expect((await keys.revokeApiKey({ name })).revokeTime).toEqual(revoked.revokeTime);
  });

  test("refuses an expired key", async () => {
    let nowMs = Date.parse("2026-01-01T00:00:00Z");
    await using running = await start(open, () => new Date(nowMs));
    const expireTime = { seconds: BigInt(nowMs / 1000 + 60), nanos: 0 };
    const made = await running
      .as({})
      .createApiKey({ apiKey: { displayName: "x", scopes: ["orders.read"], expireTime } });
    expect(await running.usable(made.key)).toBe(true);
    nowMs += 60_000;
    expect(await running.usable(made.key)).toBe(false);
  });

  test("rejects unknown keys", async () => {
    await using running = await start(open);
    expect(await running.usable("dk_guessed")).toBe(false);
  });

  test("accepts the configured admin key, and only the latest one", async () => {
    await using running = await start(open);
    expect(await running.usable(adminKey)).toBe(true);
    const again = await createOperationsService({ ...running.config, adminKey: "dk_another" });
    await again[Symbol.asyncDispose]();
    expect(await running.usable(adminKey)).toBe(false);
    expect(await running.usable("dk_another")).toBe(true);
  });

  test("does not allow revoking the configured key, as the next start would restore it", async () => {
    await using running = await start(open);
    await expect(running.as({}).revokeApiKey({ name: "apiKeys/admin" })).rejects.toThrow(
      "change DOCKET_ADMIN_KEY, or delete the file admin-key",
    );
    expect(await running.usable(adminKey)).toBe(true);
  });

  test("removes the configured key when none is configured any more", async () => {
    await using running = await start(open);
    const { adminKey: _, ...keyless } = running.config;
    await using _again = await createOperationsService(keyless);
    expect(await running.usable(adminKey)).toBe(false);
  });

  test("allows revoking a key only with all of its scopes", async () => {
    await using running = await start(open);
    const powerful = await running.as({}).createApiKey({ apiKey: { displayName: "x", scopes: ["admin"] } });
    const clerk = running.as({ scopes: new Set(["operations.write", "orders.read"]) });
    for (const name of [powerful.name, "apiKeys/admin"]) {
      await expect(clerk.revokeApiKey({ name })).rejects.toThrow("permission_denied");
    }
    await expect(clerk.revokeApiKey({ name: powerful.name })).rejects.toThrow("the credential lacks the scope admin");
    expect(await running.usable(powerful.key)).toBe(true);
    const weak = await running.as({}).createApiKey({ apiKey: { displayName: "y", scopes: ["orders.read"] } });
    await clerk.revokeApiKey({ name: weak.name });
    expect(await running.usable(weak.key)).toBe(false);
  });

  describe("keeps an administrator within its tenant", () => {
    const admin = { scopes: new Set(["admin"]) };

    test("who creates, lists and revokes its own keys and no others", async () => {
      await using running = await start(open);
      const foreign = await running.as({}).createApiKey({
        apiKey: { displayName: "x", scopes: ["orders.read"], tenant: "other" },
      });
      const local = running.as(admin);
      const own = await local.createApiKey({ apiKey: { displayName: "y", scopes: ["admin"], tenant: "default" } });
      await expect(
        local.createApiKey({ apiKey: { displayName: "z", scopes: ["orders.read"], tenant: "other" } }),
      ).rejects.toThrow("permission_denied");
      for (const tenant of ["other", "-"]) {
        await expect(local.listApiKeys({ tenant })).rejects.toThrow("permission_denied");
      }
      await expect(local.revokeApiKey({ name: foreign.name, tenant: "other" })).rejects.toThrow("permission_denied");
      await expect(local.revokeApiKey({ name: foreign.name })).rejects.toThrow("does not exist");
      expect(await running.usable(foreign.key)).toBe(true);
      expect((await local.revokeApiKey({ name: own.name, tenant: "default" })).revokeTime).toBeDefined();
    });

    test("and platform scopes cannot be granted, not even by the configured key", async () => {
      await using running = await start(open);
      for (const caller of [admin, {}]) {
        const wanted = { displayName: "x", scopes: ["platform.admin"] };
        await expect(running.as(caller).createApiKey({ apiKey: wanted })).rejects.toThrow(
          "platform.admin cannot be granted",
        );
      }
    });
  });

  test("lets a platform administrator list and revoke the keys of other tenants", async () => {
    await using running = await start(open);
    const platform = running.as({});
    const made = await platform.createApiKey({
      apiKey: { displayName: "x", scopes: ["orders.read"], tenant: "other" },
    });
    expect((await platform.listApiKeys({ tenant: "other" })).apiKeys.map(({ name }) => name)).toEqual([made.name]);
    const everywhere = (await platform.listApiKeys({ tenant: "-" })).apiKeys;
    expect(everywhere.map(({ tenant, name }) => [tenant, name])).toEqual(
      expect.arrayContaining([
        ["other", made.name],
        ["default", "apiKeys/admin"],
      ]),
    );
    await platform.revokeApiKey({ name: made.name, tenant: "other" });
    expect(await running.usable(made.key)).toBe(false);
  });

  describe("grants no more than the caller has", () => {
    const clerk = { scopes: new Set(["operations.write", "orders.read"]) };

    test.each([
      ["another scope", { scopes: ["orders.write"] }],
      ["the scope admin", { scopes: ["admin"] }],
      ["another tenant", { scopes: ["orders.read"], tenant: "other" }],
    ])("%s", async (_what, wanted) => {
      await using running = await start(open);
      await expect(running.as(clerk).createApiKey({ apiKey: { displayName: "x", ...wanted } })).rejects.toThrow(
        "permission_denied",
      );
    });

    test("but that it does", async () => {
      await using running = await start(open);
      const made = await running.as(clerk).createApiKey({ apiKey: { displayName: "x", scopes: ["orders.read"] } });
      expect(made.tenant).toBe("default");
    });
  });

  test("reports every scope that does not exist", async () => {
    await using running = await start(open);
    const wrong = running.as({}).createApiKey({ apiKey: { displayName: "x", scopes: ["orders.fly", "orders.swim"] } });
    await expect(wrong).rejects.toThrow(/orders\.fly.*orders\.swim/);
  });

  test("hides a tenant's keys from other tenants", async () => {
    await using running = await start(open);
    const made = await running.as({}).createApiKey({ apiKey: { displayName: "x", scopes: ["orders.read"] } });
    const stranger = running.as({ tenant: "other" });
    await expect(stranger.revokeApiKey({ name: made.name })).rejects.toThrow("does not exist");
    expect((await stranger.listApiKeys({})).apiKeys).toEqual([]);
    expect(await running.usable(made.key)).toBe(true);
  });

  test("lists keys page by page, each once", async () => {
    await using running = await start(open);
    const keys = running.as({ tenant: "paged" });
    const made: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      made.unshift((await keys.createApiKey({ apiKey: { displayName: `key ${i}`, scopes: ["orders.read"] } })).name);
    }
    const listed: string[] = [];
    let pageToken = "";
    do {
      const page = await keys.listApiKeys({ pageSize: 2, pageToken });
      listed.push(...page.apiKeys.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(listed).toEqual(made);
    await expect(running.as({ tenant: "other" }).listApiKeys({ pageToken: "AAAA" })).rejects.toThrow("page_token");
  });

  describe("keeps an audit trail", () => {
    const auditor = { subject: "apiKeys/1", scopes: new Set(["admin", "platform.admin"]) };

    test("of keys that are created and revoked, in the tenants of the key and of the caller", async () => {
      await using running = await start(open);
      const keys = running.as(auditor);
      const made = await keys.createApiKey({
        apiKey: { displayName: "Ada's shop", scopes: ["orders.read"], tenant: "other" },
      });
      await keys.revokeApiKey({ name: made.name, tenant: "other" });
      await keys.revokeApiKey({ name: made.name, tenant: "other" });
      await expect(keys.revokeApiKey({ name: "apiKeys/admin" })).rejects.toThrow("failed_precondition");

      for (const tenant of ["", "other"]) {
        const { auditEvents } = await running.audit(auditor).listAuditEvents({ tenant });
        expect(auditEvents).toMatchObject([
          { method: "docket.operations.v1.ApiKeyService/RevokeApiKey", resource: made.name },
          {
            method: "docket.operations.v1.ApiKeyService/CreateApiKey",
            actor: "api_key:apiKeys/1",
            resource: made.name,
            details: { tenant: "other", scopes: "orders.read" },
          },
        ]);
        expect(JSON.stringify(auditEvents.map(({ details }) => details))).not.toMatch(/Ada|dk_/);
      }
      await expect(running.audit({ scopes: new Set(["admin"]) }).listAuditEvents({ tenant: "other" })).rejects.toThrow(
        "permission_denied",
      );
    });

    test("of acts reported by other services, once per event despite redelivery", async () => {
      await using running = await start(open);
      const auditEvent = create(AuditEventSchema, {
        actor: "jwt:ann",
        method: "docket.payment.v1.PaymentService/RefundPayment",
        resource: "orders/1/payments/1",
        details: { amount: "100" },
        clientAddress: "192.0.2.1",
        requestId: "r-1",
      });
      const event = {
        id: "01h0000000000000000000000a",
        type: AuditRecordedSchema.typeName,
        source: "docket/payment",
        aggregate: "orders/1",
        sequence: 1,
        tenant: "default",
        time: new Date("2026-01-01T00:00:00Z"),
        data: toBinary(AuditRecordedSchema, create(AuditRecordedSchema, { auditEvent })),
        extensions: {},
      };
      await running.bus.publish([event]);
      await running.bus.publish([event]);
      const listed = async () => (await running.audit(auditor).listAuditEvents({})).auditEvents;
      await until(async () => (await listed()).length > 0);
      const createTime = timestampFromMs(event.time.getTime());
      // Events from versions without outcomes describe acts that were carried out.
      const outcome = AuditEvent_Outcome.ALLOWED;
      expect(await listed()).toEqual([{ ...auditEvent, name: `auditEvents/${event.id}`, createTime, outcome }]);
    });

    test("that is filtered and listed page by page, each act once, and pruned after its retention period", async () => {
      let nowMs = Date.parse("2026-01-01T00:00:00Z");
      await using running = await start(open, () => new Date(nowMs));
      const keys = running.as(auditor);
      for (let i = 0; i < 5; i += 1) {
        nowMs += 1_000;
        await keys.createApiKey({ apiKey: { displayName: `key ${i}`, scopes: ["orders.read"] } });
      }
      await running.as({ subject: "apiKeys/2" }).createApiKey({ apiKey: { displayName: "x", scopes: ["admin"] } });
      const { listAuditEvents } = running.audit(auditor);
      const filter = 'actor = "api_key:apiKeys/1" AND create_time > "2026-01-01T00:00:01Z"';
      const listed: string[] = [];
      let pageToken = "";
      do {
        const page = await listAuditEvents({ pageSize: 3, pageToken, filter });
        listed.push(...page.auditEvents.map(({ name }) => name));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(listed).toHaveLength(4);
      expect(new Set(listed).size).toBe(4);

      await using db = await openDatabase<OperationsDatabase>({ url: running.config.databaseUrl });
      const clock = { ...systemClock, now: () => new Date("2026-01-01T00:00:02.999Z") };
      const ctx = { db, clock, ids: createIds(clock), administered: [], onKeyEnded: () => {} };
      const rule = operationsRetention(ctx, { ...defaultRetention, auditMs: 0 }).find(
        ({ table }) => table === "audit_events",
      );
      while (rule !== undefined && (await pruneTable(db, { ...rule, batch: 1 })));
      expect((await listAuditEvents({})).auditEvents).toHaveLength(4);
    });
  });

  test("returns UNIMPLEMENTED for methods that are not built yet", async () => {
    await using running = await start(open);
    const webhooks = createClient(WebhookService, running.transport);
    await expect(webhooks.listWebhookEndpoints({})).rejects.toThrow("ListWebhookEndpoints is not implemented");
  });
});
