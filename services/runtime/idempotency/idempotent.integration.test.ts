import { create, type DescMethodUnary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, jest, test } from "@jest/globals";
import type { Transaction } from "kysely";
import { type Order, OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import {
  CancelOrderRequestSchema,
  CreateOrderRequestSchema,
  OrderService,
} from "../../../gen/docket/order/v1/order_service_pb.js";
import { RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { text } from "../db/columns.ts";
import { type Database, openDatabase } from "../db/connect.ts";
import { migrate } from "../db/migrate.ts";
import { reasonOf } from "../errors.ts";
import { pruneTable } from "../retention/prune.ts";
import { startCutProxy } from "../testing/cut-proxy.ts";
import { describeEachDatabase, describeMariadb, type OpenTestDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { systemClock } from "../values/clock.ts";
import { idempotent, type Mutation } from "./idempotent.ts";
import { idempotencyMigrations } from "./migrations.ts";
import { idempotencyRetention } from "./retention.ts";
import type { IdempotencyTables } from "./tables.ts";

interface Tables extends IdempotencyTables {
  effects: { id: string };
}

async function openEffects(open: OpenTestDatabase, options: Parameters<OpenTestDatabase>[0] = {}) {
  const db = await open<Tables>(options);
  await migrate(db, {
    ...idempotencyMigrations,
    effects: {
      async up({ schema }) {
        await schema
          .createTable("effects")
          .addColumn("id", text(40), (column) => column.primaryKey())
          .execute();
      },
    },
  });
  return db;
}

let effects = 0;

async function effect(trx: Transaction<Tables>) {
  effects += 1;
  const id = `e${effects}`;
  await trx.insertInto("effects").values({ id }).execute();
  return create(OrderSchema, { name: `orders/${id}`, labels: { made: id } });
}

interface Options {
  requestId?: string;
  caller?: string;
  externalId?: string;
  tenant?: string;
  at?: number;
  fn?: typeof effect | Mutation<Tables, string, Order>;
}

function run(
  db: Database<Tables>,
  { requestId, caller = "", externalId = "A-1", tenant = "t", at = Date.now(), fn = effect }: Options,
) {
  const request = create(CreateOrderRequestSchema, { order: { externalId }, requestId: requestId ?? "" });
  const clock = { now: () => new Date(at), monotonicMs: () => 0 };
  const key = requestId === undefined ? undefined : { id: requestId, caller };
  return idempotent(db, { tenant, method: OrderService.method.createOrder, requestId: key, request, clock }, fn);
}

const countEffects = async (db: Database<Tables>) =>
  (await db.kysely.selectFrom("effects").select("id").execute()).length;

describeEachDatabase("a mutation with a key", (open, dialect) => {
  test("is carried out once and answered alike, in another process too", async () => {
    await using db = await openEffects(open);
    await using second = await openDatabase<Tables>({ url: db.url });

    const first = await run(db, { requestId: "k" });

    expect(await run(db, { requestId: "k" })).toEqual(first);
    expect(await run(second, { requestId: "k" })).toEqual(first);
    expect(await countEffects(db)).toBe(1);
  });

  test("is carried out once by 50 connections at once, and gives 50 equal answers", async () => {
    await using db = await openEffects(open, { maxConnections: 50 });

    const answers = await Promise.all(Array.from({ length: 50 }, () => run(db, { requestId: "k" })));

    expect(new Set(answers.map((it) => it.name)).size).toBe(1);
    expect(await countEffects(db)).toBe(1);
  });

  test("is carried out again when the first of many attempts fails", async () => {
    await using db = await openEffects(open, { maxConnections: 20 });
    let calls = 0;
    const failFirst: typeof effect = async (trx) => {
      calls += 1;
      const order = await effect(trx);
      if (calls === 1) {
        throw new Error("no luck");
      }
      return order;
    };

    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => run(db, { requestId: "k", fn: failFirst })),
    );

    const answers = outcomes.flatMap((it) => (it.status === "fulfilled" ? [it.value.name] : []));
    expect(answers).toHaveLength(19);
    expect(new Set(answers).size).toBe(1);
    expect(await countEffects(db)).toBe(1);
  });

  test("is refused for another request, and free for another tenant", async () => {
    await using db = await openEffects(open);
    await run(db, { requestId: "k" });

    const refused = await run(db, { requestId: "k", externalId: "A-2" }).catch((error) => error);
    expect(refused).toBeInstanceOf(ConnectError);
    expect(refused.code).toBe(Code.AlreadyExists);
    expect(reasonOf(refused)).toBe("IDEMPOTENCY_KEY_REUSED");

    await run(db, { requestId: "k", tenant: "u", externalId: "A-2" });
    expect(await countEffects(db)).toBe(2);
  });

  test("is refused for another caller of the tenant, who gets no response that is not its own", async () => {
    await using db = await openEffects(open);
    const first = await run(db, { requestId: "k", caller: "api_key:apiKeys/1" });

    const refused = await run(db, { requestId: "k", caller: "api_key:apiKeys/2" }).catch((error) => error);
    expect(reasonOf(refused)).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(await run(db, { requestId: "k", caller: "api_key:apiKeys/1" })).toEqual(first);
    expect(await countEffects(db)).toBe(1);
  });

  test("is refused for another method, also when both are called at once", async () => {
    await using db = await openEffects(open, { maxConnections: 20 });
    const call = (method: DescMethodUnary<typeof CancelOrderRequestSchema, typeof OrderSchema>, requestId: string) => {
      const request = create(CancelOrderRequestSchema, { name: "orders/1", requestId });
      return idempotent(
        db,
        { tenant: "t", method, requestId: { id: requestId, caller: "c" }, request, clock: systemClock },
        effect,
      );
    };
    const cancel = OrderService.method.cancelOrder;
    const hold = { ...OrderService.method.cancelOrder, name: "HoldOrder" };
    await call(hold, "k");
    await expect(call(cancel, "k")).rejects.toMatchObject({ code: Code.AlreadyExists });
    expect(await countEffects(db)).toBe(1);

    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => call(i % 2 ? hold : cancel, "at-once")),
    );
    expect(await countEffects(db)).toBe(2);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
  });

  test("of before keys were unique over methods keeps its first response", async () => {
    await using db = await open<Tables>();
    const { "idempotency-0002b-key-of-one-method": later, ...first } = idempotencyMigrations;
    await migrate(db, first);
    const row = { tenant_id: "t", request_hash: "h", response: Buffer.from("r") };
    const methods = [
      ["b", 2],
      ["a", 3],
      ["c", 1],
    ] as const;
    for (const [method, created_at] of methods) {
      await db.kysely
        .insertInto("idempotency_keys")
        .values({ ...row, method, created_at, request_id: "k" })
        .execute();
    }
    await db.kysely
      .insertInto("idempotency_keys")
      .values({ ...row, method: "a", created_at: 9, request_id: "l" })
      .execute();
    await migrate(db, idempotencyMigrations);
    const left = await db.kysely
      .selectFrom("idempotency_keys")
      .select(["method", "request_id"])
      .orderBy("request_id")
      .execute();
    expect(left).toEqual([
      { method: "c", request_id: "k" },
      { method: "a", request_id: "l" },
    ]);
    expect(later).toBeDefined();
  });

  test("leaves the key unused when it fails", async () => {
    await using db = await openEffects(open);
    const failing: typeof effect = async (trx) => {
      await effect(trx);
      throw new Error("no");
    };

    await expect(run(db, { requestId: "k", fn: failing })).rejects.toThrow("no");
    expect(await countEffects(db)).toBe(0);

    await run(db, { requestId: "k", externalId: "A-2" });
    expect(await countEffects(db)).toBe(1);
  });

  test("is answered alike when its preparation fails on a repetition", async () => {
    await using db = await openEffects(open);
    const first = await run(db, { requestId: "k", fn: { prepare: async () => "p", commit: effect } });
    const failing = { prepare: () => Promise.reject(new Error("no")), commit: effect };

    expect(await run(db, { requestId: "k", fn: failing })).toEqual(first);
    const other = await run(db, { requestId: "k", externalId: "A-2", fn: failing }).catch((error) => error);
    expect(reasonOf(other)).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(await countEffects(db)).toBe(1);
  });

  test("commits what it has prepared, and leaves the key unused when the preparation fails", async () => {
    await using db = await openEffects(open);
    const failing = { prepare: () => Promise.reject(new Error("no price")), commit: effect };
    await expect(run(db, { requestId: "k", fn: failing })).rejects.toThrow("no price");
    await expect(run(db, { fn: failing })).rejects.toThrow("no price");

    const prepare = jest.fn(async () => "prepared");
    const commit = async (trx: Transaction<Tables>, note: string) => ({ ...(await effect(trx)), note });
    expect(await run(db, { requestId: "k", fn: { prepare, commit } })).toMatchObject({ note: "prepared" });
    expect(await run(db, { fn: { prepare, commit } })).toMatchObject({ note: "prepared" });
    expect(prepare).toHaveBeenCalledTimes(2);
  });

  test("costs two statements on top of its own", async () => {
    const log = createStatementLog();
    await using db = await openEffects(open, { onStatement: log.onStatement });
    log.clear();

    await run(db, { requestId: "k" });

    expect(log.count()).toBe(5);
    expect(log.count(/^begin|^commit$/)).toBe(2);
    expect(log.count(/insert into .effects/)).toBe(1);
  });

  test("keeps an answer of a megabyte", async () => {
    await using db = await openEffects(open);
    const note = "x".repeat(1_000_000);
    const large = async () => create(OrderSchema, { note });

    await run(db, { requestId: "k", fn: large });

    expect((await run(db, { requestId: "k" })).note).toBe(note);
  });

  test("without a key is carried out each time", async () => {
    await using db = await openEffects(open);

    await run(db, {});
    await run(db, {});

    expect(await countEffects(db)).toBe(2);
    expect(await db.kysely.selectFrom("idempotency_keys").selectAll().execute()).toEqual([]);
  });

  test("is forgotten when its time is over, the oldest first", async () => {
    await using db = await openEffects(open);
    for (let i = 0; i < 10; i++) {
      await run(db, { requestId: `k${i}`, at: 1000 + i });
    }

    const clock = { ...systemClock, now: () => new Date(1007 + 500) };
    const rule = { ...idempotencyRetention(clock, 500), batch: 5 };
    const count = async () => (await db.kysely.selectFrom("idempotency_keys").select("request_id").execute()).length;
    expect([await pruneTable(db, rule), await count()]).toEqual([true, 5]);
    expect([await pruneTable(db, rule), await count()]).toEqual([false, 2]);

    const left = await db.kysely.selectFrom("idempotency_keys").select("request_id").orderBy("request_id").execute();
    expect(left.map((it) => it.request_id)).toEqual(["k8", "k9"]);
    expect(dialect).toBe(db.dialect);
  });
});

describeMariadb("a mutation with a key", (open) => {
  test("is found by its key when the answer to COMMIT is lost", async () => {
    await using db = await openEffects(open);
    const address = new URL(db.url);
    await using proxy = await startCutProxy(Number(address.port));
    address.port = String(proxy.port);
    await using proxied = await openDatabase<Tables>({ url: address.href });

    proxy.cutAnswerTo("commit");
    const order = await run(proxied, { requestId: "k" });

    expect(await countEffects(db)).toBe(1);
    expect(await run(db, { requestId: "k" })).toEqual(order);
  });

  test("is ABORTED with a delay while another connection takes longer than it waits", async () => {
    await using db = await openEffects(open, { lockWaitMs: 1000 });
    const began = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const slow: typeof effect = async (trx) => {
      began.resolve();
      await release.promise;
      return effect(trx);
    };
    const first = run(db, { requestId: "k", fn: slow });
    await began.promise;

    const second = await run(db, { requestId: "k" }).catch((error) => error);
    release.resolve();

    expect(second).toBeInstanceOf(ConnectError);
    expect(second.code).toBe(Code.Aborted);
    expect(reasonOf(second)).toBe("REQUEST_IN_PROGRESS");
    expect(second.findDetails(RetryInfoSchema)).toHaveLength(1);
    expect(await run(db, { requestId: "k" })).toEqual(await first);
  });
});
