import { create, type DescMethodUnary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, jest, test } from "@jest/globals";
import { OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import {
  CancelOrderRequestSchema,
  CreateOrderRequestSchema,
  OrderService,
} from "../../../gen/docket/order/v1/order_service_pb.js";
import type { Batch, Commands } from "../commands/command.ts";
import { type AccountTables, accountMigrations, receipts, startCommands } from "../commands/testing/accounts.ts";
import { type Database, openDatabase } from "../db/connect.ts";
import { migrate } from "../db/migrate.ts";
import { reasonOf } from "../errors.ts";
import { startCutProxy } from "../testing/cut-proxy.ts";
import { describeEachDatabase, describeMariadb, type OpenTestDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { systemClock } from "../values/clock.ts";
import { executeOnce, prepareAndExecuteOnce } from "./execute-once.ts";
import { idempotencyMigrations } from "./migrations.ts";
import type { IdempotencyTables } from "./tables.ts";

interface Tables extends AccountTables, IdempotencyTables {}

async function openReceipts(open: OpenTestDatabase, options: Parameters<OpenTestDatabase>[0] = {}) {
  const db = await open<Tables>(options);
  await migrate(db, { ...accountMigrations, ...idempotencyMigrations });
  return db;
}

let effects = 0;

function effect(batch: Batch) {
  effects += 1;
  batch.insert(receipts, { id: `e${effects}`, balance: 1 });
  return create(OrderSchema, { name: `orders/e${effects}` });
}

interface Options {
  requestId?: string;
  caller?: string;
  externalId?: string;
  tenant?: string;
  decide?: typeof effect;
}

function callOf({ requestId, caller = "", externalId = "A-1", tenant = "t" }: Options) {
  const request = create(CreateOrderRequestSchema, { order: { externalId }, requestId: requestId ?? "" });
  const key = requestId === undefined ? undefined : { id: requestId, caller };
  const { createOrder: method } = OrderService.method;
  return { tenant, method, requestId: key, request, clock: systemClock };
}

function run(commands: Commands, { decide = effect, ...options }: Options) {
  return executeOnce(commands, callOf(options), { keys: () => {}, decide });
}

function runPrepared(
  commands: Commands,
  { prepare = async () => "", ...options }: Options & { prepare?: () => Promise<string> },
) {
  return prepareAndExecuteOnce(commands, callOf(options), {
    prepare,
    command: (note) => ({ keys: () => {}, decide: (batch) => ({ ...effect(batch), note }) }),
  });
}

const countEffects = async (db: Database<Tables>) =>
  (await db.kysely.selectFrom("receipts").select("id").execute()).length;

describeEachDatabase("a command with an idempotency key", (open) => {
  test("takes effect once, and returns the same response in every process", async () => {
    await using db = await openReceipts(open);
    await using other = await openDatabase<Tables>({ url: db.url });
    await using commands = startCommands(db);
    await using otherCommands = startCommands(other);

    const first = await run(commands, { requestId: "k" });

    expect(await run(commands, { requestId: "k" })).toEqual(first);
    expect(await run(otherCommands, { requestId: "k" })).toEqual(first);
    expect(await countEffects(db)).toBe(1);
  });

  test("takes effect once when 50 callers in two processes send it concurrently", async () => {
    await using db = await openReceipts(open);
    await using other = await openDatabase<Tables>({ url: db.url });
    await using commands = startCommands(db);
    await using otherCommands = startCommands(other);

    const responses = await Promise.all(
      Array.from({ length: 50 }, (_, n) => run(n % 2 ? commands : otherCommands, { requestId: "k" })),
    );

    expect(new Set(responses.map(({ name }) => name)).size).toBe(1);
    expect(await countEffects(db)).toBe(1);
  });

  test("is rejected if the key belongs to another request, caller or method, also within one batch", async () => {
    await using db = await openReceipts(open);
    await using commands = startCommands(db);
    const cancel = (method: DescMethodUnary<typeof CancelOrderRequestSchema, typeof OrderSchema>) => {
      const request = create(CancelOrderRequestSchema, { name: "orders/1", requestId: "k" });
      const call = { tenant: "t", method, requestId: { id: "k", caller: "" }, request, clock: systemClock };
      return executeOnce(commands, call, { keys: () => {}, decide: effect });
    };
    const refusals = () => [
      run(commands, { requestId: "k", externalId: "A-2" }),
      run(commands, { requestId: "k", caller: "api_key:apiKeys/2" }),
      cancel(OrderService.method.cancelOrder),
    ];
    const [first, ...concurrent] = await Promise.allSettled([run(commands, { requestId: "k" }), ...refusals()]);
    const later = await Promise.allSettled(refusals());

    expect(first?.status).toBe("fulfilled");
    for (const refused of [...concurrent, ...later]) {
      const { reason } = refused as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(ConnectError);
      expect(reason.code).toBe(Code.AlreadyExists);
      expect(reasonOf(reason)).toBe("IDEMPOTENCY_KEY_REUSED");
    }
    await run(commands, { requestId: "k", tenant: "u", externalId: "A-2" });
    expect(await countEffects(db)).toBe(2);
  });

  test("leaves the key unused if it throws", async () => {
    await using db = await openReceipts(open);
    await using commands = startCommands(db);
    const fail = (batch: Batch) => {
      effect(batch);
      throw new Error("refused");
    };

    await expect(run(commands, { requestId: "k", decide: fail })).rejects.toThrow("refused");
    expect(await countEffects(db)).toBe(0);

    await run(commands, { requestId: "k", externalId: "A-2" });
    expect(await countEffects(db)).toBe(1);
  });

  test("returns the stored response even if the command would be refused by then", async () => {
    await using db = await openReceipts(open);
    await using commands = startCommands(db);
    const first = await run(commands, { requestId: "k" });
    const fail = () => {
      throw new Error("refused");
    };

    expect(await run(commands, { requestId: "k", decide: fail })).toEqual(first);
  });

  test("takes effect when the first of 20 concurrent attempts fails", async () => {
    await using db = await openReceipts(open);
    await using commands = startCommands(db);
    const fail = () => {
      throw new Error("refused");
    };

    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => run(commands, { requestId: "k", ...(n === 0 && { decide: fail }) })),
    );

    const names = outcomes.flatMap((it) => (it.status === "fulfilled" ? [it.value.name] : []));
    expect(names).toHaveLength(19);
    expect(new Set(names).size).toBe(1);
    expect(await countEffects(db)).toBe(1);
  });

  test("returns the stored response if its preparation fails on a repetition", async () => {
    await using db = await openReceipts(open);
    await using commands = startCommands(db);
    const first = await runPrepared(commands, { requestId: "k" });
    const prepare = () => Promise.reject(new Error("no price"));

    expect(await runPrepared(commands, { requestId: "k", prepare })).toEqual(first);
    const other = await runPrepared(commands, { requestId: "k", externalId: "A-2", prepare }).catch((error) => error);
    expect(reasonOf(other)).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(await countEffects(db)).toBe(1);
  });

  test("decides with what it prepared once, and leaves the key unused if the preparation fails", async () => {
    await using db = await openReceipts(open);
    await using commands = startCommands(db);
    const failing = { prepare: () => Promise.reject(new Error("no price")) };
    await expect(runPrepared(commands, { requestId: "k", ...failing })).rejects.toThrow("no price");
    await expect(runPrepared(commands, failing)).rejects.toThrow("no price");

    const prepare = jest.fn(async () => "prepared");
    expect(await runPrepared(commands, { requestId: "k", prepare })).toMatchObject({ note: "prepared" });
    expect(await runPrepared(commands, { prepare })).toMatchObject({ note: "prepared" });
    expect(prepare).toHaveBeenCalledTimes(2);
    expect(await countEffects(db)).toBe(2);
  });

  test("keeps a response of a megabyte", async () => {
    await using db = await openReceipts(open);
    await using commands = startCommands(db);
    const note = "x".repeat(1_000_000);
    const decide = () => create(OrderSchema, { note });

    await run(commands, { requestId: "k", decide });

    expect((await run(commands, { requestId: "k", decide })).note).toBe(note);
  });

  test("costs one statement for a batch of 20 new keys", async () => {
    const log = createStatementLog();
    await using db = await openReceipts(open, { onStatement: log.onStatement });
    await using commands = startCommands(db);
    log.clear();

    await Promise.all(Array.from({ length: 20 }, (_, n) => run(commands, { requestId: `k${n}` })));

    expect(log.count(/idempotency_keys/)).toBe(1);
  });

  test("without a key always takes effect", async () => {
    await using db = await openReceipts(open);
    await using commands = startCommands(db);

    await Promise.all([run(commands, {}), run(commands, {})]);

    expect(await countEffects(db)).toBe(2);
    expect(await db.kysely.selectFrom("idempotency_keys").selectAll().execute()).toEqual([]);
  });
});

describeMariadb("a command with an idempotency key", (open) => {
  test("returns its response when the answer to COMMIT is lost", async () => {
    await using db = await openReceipts(open);
    const address = new URL(db.url);
    await using proxy = await startCutProxy(Number(address.port));
    address.port = String(proxy.port);
    await using proxied = await openDatabase<Tables>({ url: address.href });
    await using commands = startCommands(proxied);

    proxy.cutAnswerTo("commit");
    const order = await run(commands, { requestId: "k" });

    expect(await countEffects(db)).toBe(1);
    await using direct = startCommands(db);
    expect(await run(direct, { requestId: "k" })).toEqual(order);
  });
});
