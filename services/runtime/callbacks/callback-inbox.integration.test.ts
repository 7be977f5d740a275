import { Code, ConnectError } from "@connectrpc/connect";
import { expect, jest, test } from "@jest/globals";
import { createCommands } from "../commands/commands.ts";
import { migrate } from "../db/migrate.ts";
import { outboxMigrations } from "../outbox/migrations.ts";
import { createOutbox } from "../outbox/outbox.ts";
import type { OutboxTables } from "../outbox/tables.ts";
import { pruneTable } from "../retention/prune.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase, type OpenTestDatabase, type TestDatabase } from "../testing/databases.ts";
import { createStatementLog } from "../testing/statement-log.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { createCallbackInbox, MAX_CALLBACK_BYTES } from "./callback-inbox.ts";
import type { CallbackSource } from "./callback-source.ts";
import type { Applied, CallbackStore } from "./callback-store.ts";
import { createCommandStore } from "./command-store.ts";
import { callbackInboxMigrations } from "./migrations.ts";
import { callbackRetention } from "./retention.ts";
import { findCallback } from "./rows.ts";
import type { CallbackInboxTables } from "./tables.ts";

const ids = createIds(systemClock);
const log = createLogger({ level: "silent", name: "test" });

/** A source that signs with the header `event-id` and sends text. It cannot read an empty body. */
const source: CallbackSource<string> = {
  name: "acme",
  async verify({ header, body }) {
    const eventId = header.get("event-id");
    return eventId === null ? undefined : { eventId, ...source.read(body) };
  },
  read(body) {
    const content = Buffer.from(body).toString();
    return { eventType: "test", ...(content === "" ? { problem: "it is empty" } : { content }) };
  },
  acknowledgement: { contentType: "text/plain", body: "ok" },
};

const signed = (eventId: string, text = eventId) => ({
  header: new Headers({ "event-id": eventId, authorization: "Bearer secret", "x-kept": "yes" }),
  body: Buffer.from(text),
});

interface Tables extends CallbackInboxTables, OutboxTables {}

type Apply = (body: string) => Applied;
interface More {
  readonly patienceMs?: number;
}

async function openInbox(open: OpenTestDatabase) {
  const statements = createStatementLog();
  const db = await open<Tables>({ onStatement: statements.onStatement });
  await migrate(db, { ...callbackInboxMigrations, ...outboxMigrations });
  const start = (store: CallbackStore<string>) =>
    createCallbackInbox({ name: "test", db, store, ids, clock: systemClock, log, pollMs: 10 });
  return { db, start, statements };
}

const optionsOf = ({ patienceMs = 60_000 }: More) => ({
  random: () => 0,
  source: (name: string) => (name === source.name ? source : undefined),
  retry: { initialMs: 1, maxMs: 10 },
  patienceMs,
});

async function startInbox(open: OpenTestDatabase, apply: Apply, more: More = {}) {
  const { db, start, statements } = await openInbox(open);
  const outbox = createOutbox({ source: "docket/test", ids, clock: systemClock });
  const commands = createCommands({ db, outbox, log });
  const store = createCommandStore<Tables, string>({
    ...optionsOf(more),
    db,
    commands,
    apply: ({ content }) => ({ keys: () => {}, decide: () => apply(content) }),
  });
  const wake = (reference: string) => {
    const waited = [source.name, reference] as const;
    return commands.execute({
      keys: (need) => store.nameWaiting(need, waited),
      decide: (batch) => store.wake(batch, waited),
    });
  };
  return { db, store, inbox: start(store), statements, wake };
}

const rows = (db: TestDatabase<Tables>) =>
  db.kysely.selectFrom("inbound_callbacks").selectAll().orderBy("id").execute();
const applied = { kind: "applied", changed: true, tenant: "t1", subject: "things/1" } as const;

describeEachDatabase("the callback inbox", (open) => {
  const start = (apply: Apply, more?: More) => startInbox(open, apply, more);

  test("stores a verified callback with its bytes and headers, without the caller's credentials", async () => {
    const { db, inbox } = await start(() => applied);
    await using _ = inbox;
    await inbox.receive(source, signed("e1"));
    const [row] = await rows(db);
    expect(row).toMatchObject({ state: "PROCESSED", tenant_id: "t1", subject: "things/1", event_type: "test" });
    expect(JSON.parse(row?.headers ?? "")).toEqual({ "event-id": "e1", "x-kept": "yes" });
    expect(Buffer.from(row?.body ?? []).toString()).toBe("e1");
  });

  test("a rejected callback leaves no row, and of the rejected ones the last hundred are listed", async () => {
    const { db, inbox } = await start(() => applied);
    await using _ = inbox;
    for (let i = 0; i < 150; i++) {
      const callback = { header: new Headers({ "x-nth": `${i}` }), body: Buffer.alloc(i) };
      const error = await inbox.receive(source, callback).catch((reason: unknown) => ConnectError.from(reason));
      expect(error).toMatchObject({ code: Code.Unauthenticated });
    }
    const large = { ...signed("e1"), body: Buffer.alloc(MAX_CALLBACK_BYTES + 1) };
    const error = await inbox.receive(source, large).catch((reason: unknown) => ConnectError.from(reason));
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
    expect(await rows(db)).toEqual([]);
    const rejected = inbox.rejected();
    expect(rejected).toHaveLength(100);
    expect(rejected[0]).toMatchObject({ source: "acme", bytes: MAX_CALLBACK_BYTES + 1 });
    expect(rejected[1]).toMatchObject({ bytes: 149, headerNames: ["x-nth"], reason: "verification failed" });
    expect(await inbox.check.run(new AbortController().signal)).toMatchObject({
      status: "pass",
      error: expect.stringContaining("151 rejected"),
    });
  });

  test("applies an event once, however often it comes, and counts its repetitions", async () => {
    let count = 0;
    const { db, inbox } = await start(() => {
      count += 1;
      return applied;
    });
    await using _ = inbox;
    await Promise.all(Array.from({ length: 20 }, () => inbox.receive(source, signed("e1"))));
    expect(await rows(db)).toMatchObject([{ receive_count: 20, state: "PROCESSED" }]);
    expect(count).toBe(1);
    await inbox.receive({ ...source, name: "other" }, signed("e1"));
    expect(await rows(db)).toHaveLength(2);
  });

  test("a callback that cannot be applied at once is stored and applied later", async () => {
    let broken = true;
    const { db, inbox } = await start(() => {
      if (broken) {
        throw new Error("not now");
      }
      return { kind: "applied", changed: false };
    });
    await using _ = inbox;
    await inbox.receive(source, signed("e1"));
    expect(await rows(db)).toMatchObject([{ state: "RECEIVED", tenant_id: null }]);
    broken = false;
    await db.kysely.updateTable("inbound_callbacks").set({ due_at: 0 }).execute();
    inbox.start();
    await until(async () => (await rows(db))[0]?.state === "IGNORED");
    await inbox.drain();
  });

  test("applies a callback as its verification has parsed it, and parses the stored body only later", async () => {
    const results: Applied[] = [{ kind: "early", problem: "unknown" }, applied];
    const { db, inbox } = await start(() => results.shift() ?? applied);
    await using _ = inbox;
    const read = jest.spyOn(source, "read");
    const verifies: typeof source.verify = async () => ({
      eventId: "e1",
      eventType: "test",
      content: "parsed before",
    });
    await inbox.receive({ ...source, verify: verifies }, signed("e1"));
    expect(await rows(db)).toMatchObject([{ state: "RECEIVED", failure_message: "unknown" }]);
    expect(read).not.toHaveBeenCalled();
    inbox.start();
    await until(async () => (await rows(db))[0]?.state === "PROCESSED");
    expect(read).toHaveBeenCalledTimes(1);
    await inbox.drain();
    read.mockRestore();
  });

  test("an unreadable callback is stored as FAILED", async () => {
    const { db, inbox } = await start(() => applied);
    await using _ = inbox;
    await inbox.receive(source, signed("e1", ""));
    const unreadable = { state: "FAILED", failure_message: "it cannot be read: it is empty", event_type: "test" };
    expect(await rows(db)).toMatchObject([unreadable]);
  });

  test("a stored callback waits until its source is configured", async () => {
    const { db, inbox } = await start(() => ({ kind: "early", problem: "unknown" }));
    await using _ = inbox;
    await inbox.receive({ ...source, name: "other" }, signed("e1"));
    inbox.start();
    const problem = "the source other is not configured";
    await until(async () => (await rows(db))[0]?.failure_message === problem);
    expect(await rows(db)).toMatchObject([{ state: "RECEIVED", source: "other" }]);
    await inbox.drain();
  });

  test("callbacks of every state are deleted when their retention ends", async () => {
    const { db, inbox } = await start((body) => {
      switch (body) {
        case "early":
          return { kind: "early", problem: "unknown" };
        case "failed":
          return { kind: "failed", problem: "no" };
        default:
          return applied;
      }
    });
    await using _ = inbox;
    for (const text of ["early", "failed", "done", "new"]) {
      await inbox.receive(source, signed(text));
    }
    await db.kysely.updateTable("inbound_callbacks").set({ received_at: 1 }).where("event_id", "!=", "new").execute();
    expect(await pruneTable(db, callbackRetention(60_000))).toBe(false);
    expect(await rows(db)).toMatchObject([{ event_id: "new" }]);
  });

  test("a callback that waits for its resource is woken by it, also after the wait was given up", async () => {
    let known = false;
    const waiting = { kind: "early", problem: "unknown", reference: "R1" } as const;
    const { db, inbox, wake } = await start(() => (known ? applied : waiting), { patienceMs: 0 });
    await using _ = inbox;
    await inbox.receive(source, signed("e1"));
    expect(await rows(db)).toMatchObject([{ state: "FAILED", failure_message: "unknown", reference: "R1" }]);
    known = true;
    await wake("R2");
    expect(await rows(db)).toMatchObject([{ state: "FAILED" }]);
    await wake("R1");
    inbox.start();
    await until(async () => (await rows(db))[0]?.state === "PROCESSED");
    await inbox.drain();
  });

  test("a replay that finds nothing new leaves a processed callback PROCESSED", async () => {
    const { db, inbox, store } = await start(() => ({ kind: "applied", changed: false }));
    await using _ = inbox;
    await inbox.receive(source, signed("e1"));
    await db.kysely.updateTable("inbound_callbacks").set({ state: "PROCESSED", tenant_id: "t1" }).execute();
    const [row] = await rows(db);
    const stored = await findCallback(db.kysely, row?.id ?? "");
    expect(stored).toBeDefined();
    if (stored !== undefined) {
      await store.replay(stored);
    }
    expect(await rows(db)).toMatchObject([{ state: "PROCESSED", tenant_id: "t1" }]);
  });

  test("an unreadable callback stays FAILED on replay", async () => {
    const { db, inbox, store } = await start(() => applied);
    await using _ = inbox;
    await inbox.receive(source, signed("e1", ""));
    const [row] = await rows(db);
    const stored = await findCallback(db.kysely, row?.id ?? "");
    expect(stored && (await store.replay(stored))).toMatchObject({ applied: { kind: "failed" } });
    expect(await rows(db)).toMatchObject([{ state: "FAILED", failure_message: "it cannot be read: it is empty" }]);
  });

  test("64 callbacks that arrive together are stored and applied with one statement", async () => {
    const { db, inbox, statements } = await start(() => applied);
    await using _ = inbox;
    statements.clear();
    await Promise.all(Array.from({ length: 64 }, (_, n) => inbox.receive(source, signed(`e${n}`))));
    expect([1, 2]).toContain(statements.count(/inbound_callbacks/));
    expect(await rows(db)).toHaveLength(64);
  });
});
