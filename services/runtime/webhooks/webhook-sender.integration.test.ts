import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { sql } from "kysely";
import { Webhook } from "standardwebhooks";
import type { Database } from "../db/connect.ts";
import { migrate } from "../db/migrate.ts";
import { claimDue } from "../jobs/claim-due.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { callbackMigrations } from "./migrations.ts";
import type { CallbackTables } from "./tables.ts";
import { createWebhookSender, type WebhookSenderOptions } from "./webhook-sender.ts";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const ids = createIds(systemClock);
const log = createLogger({ level: "silent", name: "test" });

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describeEachDatabase("durable callbacks", (open) => {
  let db: Database<CallbackTables>;
  let server: Server;
  let received: Received[];
  let answer: (nth: number) => number | undefined;

  beforeEach(async () => {
    db = await open<CallbackTables>();
    await migrate(db, callbackMigrations);
    received = [];
    answer = () => 200;
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) {
        chunks.push(chunk as Buffer);
      }
      received.push({ path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks).toString() });
      const status = answer(received.length);
      if (status !== undefined) {
        response.writeHead(status).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const sender = (options: Partial<WebhookSenderOptions<CallbackTables>> = {}) =>
    createWebhookSender({
      db,
      ids,
      log,
      secretFor: () => secret,
      baseUrl: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      pollMs: 20,
      retry: { initialMs: 5, maxMs: 20 },
      ...options,
    });

  test("sends what a committed transaction scheduled, with a signature that verifies", async () => {
    await using it = sender();
    it.start();
    await db.transaction((trx) => it.schedule(trx, [{ messageId: "m1", url: "/hook?x=1", body: '{"a":"ü"}' }]));
    await until(() => received.length === 1);
    const [{ path, headers, body }] = received as [Received];
    expect(path).toBe("/hook?x=1");
    expect(headers["content-type"]).toBe("application/json");
    expect(headers["webhook-id"]).toBe("m1");
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual({ a: "ü" });
  });

  test("sends nothing that a rolled back transaction scheduled", async () => {
    await using it = sender();
    it.start();
    const rolledBack = db.transaction(async (trx) => {
      await it.schedule(trx, [{ messageId: "m1", url: "/", body: "{}" }]);
      throw new Error("no");
    });
    await expect(rolledBack).rejects.toThrow("no");
    await db.transaction((trx) => it.schedule(trx, [{ messageId: "m2", url: "/", body: "{}", delayMs: 50 }]));
    await until(() => received.length === 1);
    expect(received[0]?.headers["webhook-id"]).toBe("m2");
  });

  test("repeats until a 2xx comes, with the same id and body", async () => {
    answer = (nth) => (nth < 4 ? 500 : 204);
    await using it = sender();
    it.start();
    await db.transaction((trx) => it.schedule(trx, [{ messageId: "m1", url: "/", body: "{}" }]));
    await until(async () => (await rows())[0]?.delivered_at !== null);
    expect(received.map(({ headers, body }) => [headers["webhook-id"], body])).toEqual(Array(4).fill(["m1", "{}"]));
    expect(await rows()).toMatchObject([{ attempt: 4, due_at: null, last_error: null }]);
  });

  test("counts a redirect, a refused connection and silence as failures", async () => {
    answer = (nth) => (nth === 1 ? 302 : undefined);
    let port = 0;
    await using it = sender({ timeoutMs: 100, baseUrl: () => `http://127.0.0.1:${port}` });
    await db.transaction((trx) => it.schedule(trx, [{ messageId: "m1", url: "/", body: "{}" }]));
    it.start();
    port = 1;
    await until(async () => (await rows())[0]?.last_error !== null);
    port = (server.address() as AddressInfo).port;
    await until(async () => (await rows())[0]?.last_error === "status 302");
    await until(async () => /timeout/.test((await rows())[0]?.last_error ?? ""));
    answer = () => 200;
    await until(async () => (await rows())[0]?.delivered_at !== null);
  });

  test("does not send before its time", async () => {
    await using it = sender();
    it.start();
    const startedMs = performance.now();
    await db.transaction((trx) => it.schedule(trx, [{ messageId: "m1", url: "/", body: "{}", delayMs: 300 }]));
    await until(() => received.length === 1);
    expect(performance.now() - startedMs).toBeGreaterThan(290);
  });

  test("takes over what a killed process had claimed when its lease ends", async () => {
    await using dead = sender();
    await db.transaction((trx) => dead.schedule(trx, [{ messageId: "m1", url: "/", body: "{}" }]));
    const [claim] = await claimDue(db, "callbacks", { limit: 9, leaseMs: 300 });
    expect(claim).toMatchObject({ attempt: 1 });
    await using live = sender();
    live.start();
    await until(() => received.length === 1);
    await until(async () => (await rows())[0]?.delivered_at !== null);
    expect(await rows()).toMatchObject([{ attempt: 2 }]);
  });

  test("sends every message once when many senders share a database and none fails", async () => {
    const senders = Array.from({ length: 4 }, () => sender());
    const [first] = senders as [ReturnType<typeof sender>];
    const callbacks = Array.from({ length: 100 }, (_, i) => ({ messageId: `m${i}`, url: "/", body: "{}" }));
    await db.transaction((trx) => first.schedule(trx, callbacks));
    for (const it of senders) {
      it.start();
    }
    await until(async () => (await rows()).every((row) => row.delivered_at !== null));
    expect(received.map(({ headers }) => headers["webhook-id"]).sort()).toEqual(
      callbacks.map((c) => c.messageId).sort(),
    );
    await Promise.all(senders.map((it) => it[Symbol.asyncDispose]()));
  });

  test("gives up when its time is over and keeps the reason", async () => {
    answer = () => 503;
    await using it = sender({ giveUpMs: 50 });
    it.start();
    await db.transaction((trx) => it.schedule(trx, [{ messageId: "m1", url: "/", body: "{}" }]));
    await until(async () => (await rows())[0]?.due_at === null);
    expect(await rows()).toMatchObject([{ delivered_at: null, last_error: "status 503" }]);
  });

  test("takes back what was cancelled before it was sent", async () => {
    await using it = sender();
    it.start();
    await db.transaction((trx) =>
      it.schedule(trx, [
        { messageId: "m1", url: "/", body: "{}", delayMs: 100 },
        { messageId: "m2", url: "/", body: "{}", delayMs: 150 },
      ]),
    );
    await db.transaction((trx) => it.cancel(trx, ["m1"]));
    await until(() => received.length === 1);
    expect(received[0]?.headers["webhook-id"]).toBe("m2");
    expect(await rows()).toHaveLength(1);
  });

  test("finishes what is on its way when it drains, and claims nothing more", async () => {
    const hold = Promise.withResolvers<void>();
    const slowFetch: typeof fetch = async (...args) => {
      await hold.promise;
      return fetch(...args);
    };
    await using it = sender({ fetch: slowFetch });
    it.start();
    await db.transaction((trx) => it.schedule(trx, [{ messageId: "m1", url: "/", body: "{}" }]));
    await until(async () => (await rows())[0]?.attempt === 1);
    const drained = it.drain();
    await db.transaction((trx) => it.schedule(trx, [{ messageId: "m2", url: "/", body: "{}" }]));
    hold.resolve();
    await drained;
    expect(received.map(({ headers }) => headers["webhook-id"])).toEqual(["m1"]);
    expect((await rows()).map((row) => row.attempt).sort()).toEqual([0, 1]);
  });

  test("finds due rows by their index", async () => {
    const explain = db.dialect === "sqlite" ? sql`explain query plan` : sql`explain`;
    const plan = await sql`${explain} select id from callbacks where due_at <= 1 order by due_at limit 1`.execute(
      db.kysely,
    );
    expect(JSON.stringify(plan.rows)).toContain("callbacks_due_at");
  });

  const rows = () => db.kysely.selectFrom("callbacks").selectAll().execute();
});
