import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, createContextValues, type Transport } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { AdminService } from "../../gen/docket/admin/v1/admin_service_pb.js";
import { AuditRecordedSchema } from "../../gen/docket/audit/v1/audit_pb.js";
import { DeadLetterService } from "../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { Saga_State } from "../../gen/docket/operations/v1/operations_pb.js";
import { SagaService } from "../../gen/docket/operations/v1/saga_service_pb.js";
import { createDeadLetterAdmin } from "../runtime/admin/dead-letter-admin.ts";
import { recordByOutbox } from "../runtime/admin/record-act.ts";
import { adminRoutes } from "../runtime/admin/routes.ts";
import { createSagaAdmin } from "../runtime/admin/saga-admin.ts";
import { wrongSagaState } from "../runtime/admin/saga-message.ts";
import type { ServiceAdmin } from "../runtime/admin/service-admin.ts";
import { createInProcessBus } from "../runtime/bus/in-process.ts";
import { createLocalTransport } from "../runtime/call/local-transport.ts";
import { createServiceClient } from "../runtime/call/service-client.ts";
import { createCommands } from "../runtime/commands/commands.ts";
import { type Principal, principalKey } from "../runtime/context-values.ts";
import { migrate } from "../runtime/db/migrate.ts";
import { createConsumer } from "../runtime/inbox/consumer.ts";
import { on } from "../runtime/inbox/handlers.ts";
import { inboxMigrations } from "../runtime/inbox/migrations.ts";
import type { InboxTables } from "../runtime/inbox/tables.ts";
import { outboxMigrations } from "../runtime/outbox/migrations.ts";
import { createOutbox } from "../runtime/outbox/outbox.ts";
import type { OutboxTables } from "../runtime/outbox/tables.ts";
import { createSagaClient } from "../runtime/saga/create-saga-client.ts";
import { done, type SagaDefinition } from "../runtime/saga/definition.ts";
import { createSagaRunner } from "../runtime/saga/runner/runner.ts";
import { sagaMigrations } from "../runtime/saga/store/migrations.ts";
import type { SagaTables } from "../runtime/saga/store/tables.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { describeEachDatabase, type OpenTestDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { until } from "../runtime/testing/until.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { createIds } from "../runtime/values/ids.ts";
import { createOperationsService } from "./service.ts";

type Tables = SagaTables & InboxTables & OutboxTables;

const log = createLogger({ level: "silent", name: "test" });
const ids = createIds(systemClock);

/** A saga that waits for a signal. */
const waiting: SagaDefinition<null> = {
  name: "wait",
  version: 1,
  steps: [{ name: "wait", waitFor: { signals: ["go"] }, invoke: async () => done() }],
};

/** A service with a saga definition and a consumer of texts, which fails while `broken`. */
async function startService(open: OpenTestDatabase, service: string) {
  const db = await open<Tables>();
  await migrate(db, { ...sagaMigrations, ...inboxMigrations, ...outboxMigrations });
  const bus = createInProcessBus({ log });
  const outbox = createOutbox({ source: `docket/${service}`, ids, clock: systemClock });
  const sagas = createSagaClient({ db, outbox });
  const commands = createCommands({ db, outbox, log });
  const runner = createSagaRunner({
    db,
    commands,
    sagas,
    log,
    outbox,
    definitions: [waiting as SagaDefinition<unknown>],
  });
  runner.start();
  const state = { broken: true, effects: [] as string[] };
  const consumer = createConsumer<Tables>({
    ...{ db, bus, log, ids, consumer: `${service}.texts`, maxAttempts: 1 },
    handlers: [
      on(StringValueSchema, async (_trx, { value }) => {
        if (state.broken) {
          throw new Error("broken");
        }
        state.effects.push(value);
      }),
    ],
  });
  const record = recordByOutbox(outbox);
  const rules = {
    async check(_trx: unknown, saga: { id: string; aggregate: string; status: string }) {
      if (saga.aggregate === "things/locked") {
        throw wrongSagaState(`sagas/${saga.id}`, saga.status);
      }
    },
    compensate: async () => false,
  };
  return {
    state,
    admin: {
      sagas: createSagaAdmin({ service, db, sagas, rules, record }),
      deadLetters: createDeadLetterAdmin({ service, db, consumers: [consumer], record }),
    },
    async startSaga(tenant: string, aggregate = "things/1") {
      const id = ids.next();
      await db.transaction((trx) => sagas.start(trx, { definition: waiting, id, tenant, aggregate, state: null }));
      await until(async () => (await sagas.get(id))?.status === "WAITING");
      return `sagas/${id}`;
    },
    /** Publishes a text, which becomes a dead letter. */
    async fail(tenant: string, value: string) {
      const id = ids.next();
      const data = toBinary(StringValueSchema, create(StringValueSchema, { value }));
      const about = { type: StringValueSchema.typeName, source: "test", aggregate: `things/${value}`, sequence: 1 };
      await bus.publish([{ id, tenant, ...about, time: new Date(), data, extensions: {} }]);
      const letters = db.kysely.selectFrom("dead_letters").select("id").where("message_id", "=", id);
      await until(async () => (await letters.executeTakeFirst()) !== undefined);
    },
    /** The acts in the outbox: tenant, actor, method and resource. */
    async acts() {
      const rows = await db.kysely.selectFrom("outbox_messages").select(["tenant_id", "data"]).execute();
      return rows.map(({ tenant_id, data }) => {
        const { auditEvent } = fromBinary(AuditRecordedSchema, data);
        return [tenant_id, auditEvent?.actor, auditEvent?.method, auditEvent?.resource];
      });
    },
    async [Symbol.asyncDispose]() {
      await consumer[Symbol.asyncDispose]();
      await bus[Symbol.asyncDispose]();
      await runner[Symbol.asyncDispose]();
      await commands[Symbol.asyncDispose]();
    },
  };
}

/** The operations service with two others, `away` of which do not answer. */
async function start(open: OpenTestDatabase, away: ReadonlyMap<string, ConnectError> = new Map()) {
  const stack = new AsyncDisposableStack();
  const trips = stack.use(await startService(open, "trips"));
  const hotels = stack.use(await startService(open, "hotels"));
  const local = createLocalTransport({ interceptors: [] });
  local.mount([
    adminRoutes(
      new Map<string, ServiceAdmin>([
        ["trips", trips.admin],
        ["hotels", hotels.admin],
        ["flights", {}],
      ]),
    ),
  ]);
  const reach = (name: string): Transport => ({
    ...local.transport,
    unary: async (...call) => {
      const error = away.get(name);
      if (error !== undefined) {
        throw error;
      }
      return local.transport.unary(...call);
    },
  });
  const service = stack.use(
    await createOperationsService(
      { databaseUrl: (await open()).url, adminTenant: "default", auditRetentionMs: 3_600_000 },
      {
        log,
        administered: ["trips", "hotels", "flights"].map((name) => ({
          name,
          client: createServiceClient(AdminService, reach(name), { subject: "operations" }),
        })),
      },
    ),
  );
  local.mount(service.specs);
  const as = (tenant: string, ...scopes: string[]) => {
    const caller: Principal = { kind: "api_key", tenant, subject: `apiKeys/${tenant}`, scopes: new Set(scopes) };
    const transport: Transport = {
      ...local.transport,
      unary: (method, signal, timeoutMs, header, input) =>
        local.transport.unary(
          method,
          signal,
          timeoutMs,
          header,
          input,
          createContextValues().set(principalKey, caller),
        ),
    };
    return { sagas: createClient(SagaService, transport), letters: createClient(DeadLetterService, transport) };
  };
  return {
    trips,
    hotels,
    as,
    acme: as("acme", "operations.write"),
    platform: as("default", "admin", "platform.admin"),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const namesOf = (rows: readonly { name: string }[]) => rows.map(({ name }) => name);

describeEachDatabase("the sagas and dead letters of several services", (open) => {
  test("are listed together, newest first, over pages with one token", async () => {
    await using running = await start(open);
    const { trips, hotels, acme } = running;
    const started: string[] = [];
    for (const service of [trips, hotels, hotels, trips, hotels, trips, trips]) {
      started.unshift(await service.startSaga("acme"));
    }
    const listed: string[] = [];
    for (let pageToken = "", page = 0; page === 0 || pageToken !== ""; page++) {
      const { sagas, nextPageToken, unreachable } = await acme.sagas.listSagas({ pageSize: 3, pageToken });
      expect({ more: nextPageToken !== "", unreachable }).toEqual({ more: page < 2, unreachable: [] });
      listed.push(...namesOf(sagas));
      pageToken = nextPageToken;
    }
    expect(listed).toEqual(started);
    const { sagas } = await acme.sagas.listSagas({ filter: "state = WAITING", pageSize: 1 });
    expect(sagas).toMatchObject([{ name: started[0], service: "trips", tenant: "acme", definition: "wait" }]);
    expect(await refusal(acme.sagas.listSagas({ filter: "colour = red" }))).toMatchObject({ reason: "INVALID_FILTER" });
    const { nextPageToken } = await acme.sagas.listSagas({ pageSize: 1 });
    const other = acme.sagas.listSagas({ pageToken: nextPageToken, filter: "state = WAITING" });
    expect(await refusal(other)).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
  });

  test("belong to their tenant, and a platform administrator has access to all", async () => {
    await using running = await start(open);
    const { trips, hotels, acme, platform } = running;
    const mine = await trips.startSaga("acme");
    const theirs = await hotels.startSaga("globex");
    await hotels.fail("globex", "lost");

    expect(namesOf((await acme.sagas.listSagas({})).sagas)).toEqual([mine]);
    expect((await acme.letters.listDeadLetters({})).deadLetters).toEqual([]);
    for (const tenant of ["globex", "-"]) {
      expect(await refusal(acme.sagas.listSagas({ tenant }))).toMatchObject({ code: "PermissionDenied" });
      expect(await refusal(acme.letters.listDeadLetters({ tenant }))).toMatchObject({ code: "PermissionDenied" });
    }
    expect(await refusal(acme.sagas.getSaga({ name: theirs }))).toMatchObject({ code: "NotFound" });
    expect(await refusal(acme.sagas.pauseSaga({ name: theirs }))).toMatchObject({ code: "NotFound" });

    expect((await platform.sagas.listSagas({})).sagas).toEqual([]);
    expect(namesOf((await platform.sagas.listSagas({ tenant: "-" })).sagas)).toEqual([theirs, mine]);
    expect(namesOf((await platform.sagas.listSagas({ tenant: "acme" })).sagas)).toEqual([mine]);
    const { deadLetters } = await platform.letters.listDeadLetters({ tenant: "-" });
    expect(deadLetters).toMatchObject([{ tenant: "globex", service: "hotels", consumer: "hotels.texts" }]);
    const name = deadLetters[0]?.name ?? "";
    expect(await refusal(acme.letters.getDeadLetter({ name }))).toMatchObject({ code: "NotFound" });
    expect(await refusal(acme.letters.replayDeadLetter({ name }))).toMatchObject({ code: "NotFound" });
    expect((await platform.letters.getDeadLetter({ name })).errorMessage).toContain("broken");

    await platform.sagas.pauseSaga({ name: theirs });
    const act = ["api_key:apiKeys/default", "docket.operations.v1.SagaService/PauseSaga", theirs];
    expect((await hotels.acts()).toSorted()).toEqual([
      ["default", ...act],
      ["globex", ...act],
    ]);
  });

  test("take commands, which are audited as the caller's and rejected as the service decides", async () => {
    await using running = await start(open);
    const { trips, acme } = running;
    const name = await trips.startSaga("acme");
    expect((await acme.sagas.pauseSaga({ name })).state).toBe(Saga_State.PAUSED);
    expect((await acme.sagas.pauseSaga({ name })).state).toBe(Saga_State.PAUSED);
    expect((await acme.sagas.resumeSaga({ name })).state).toBe(Saga_State.WAITING);
    expect(await refusal(acme.sagas.resumeSaga({ name }))).toMatchObject({ reason: "SAGA_STATE" });
    expect(await refusal(acme.sagas.retrySaga({ name }))).toMatchObject({ reason: "SAGA_STATE" });
    await acme.sagas.compensateSaga({ name });
    await until(async () => (await acme.sagas.getSaga({ name })).state === Saga_State.COMPENSATED);
    expect(await refusal(acme.sagas.retrySaga({ name }))).toMatchObject({ reason: "SAGA_STATE" });

    const locked = await trips.startSaga("acme", "things/locked");
    expect(await refusal(acme.sagas.pauseSaga({ name: locked }))).toMatchObject({ reason: "SAGA_STATE" });
    expect((await acme.sagas.getSaga({ name: locked })).state).toBe(Saga_State.WAITING);
    for (const unknown of ["sagas/none", "deadLetters/none"]) {
      expect(await refusal(acme.sagas.getSaga({ name: unknown }))).toMatchObject({ code: "NotFound" });
    }

    const acts = await trips.acts();
    expect(acts.map(([tenant, actor, , resource]) => [tenant, actor, resource])).toEqual(
      acts.map(() => ["acme", "api_key:apiKeys/acme", name]),
    );
    expect(acts.map(([, , method]) => method?.replace("docket.operations.v1.SagaService/", "")).toSorted()).toEqual([
      "CompensateSaga",
      "PauseSaga",
      "PauseSaga",
      "ResumeSaga",
    ]);
  });

  test("are replayed once, by their consumer, and kept if it fails again", async () => {
    await using running = await start(open);
    const { trips, hotels, acme } = running;
    await trips.fail("acme", "first");
    await hotels.fail("acme", "second");
    const { deadLetters } = await acme.letters.listDeadLetters({});
    expect(deadLetters.map(({ aggregate, service }) => [aggregate, service])).toEqual([
      ["things/second", "hotels"],
      ["things/first", "trips"],
    ]);
    const name = deadLetters[0]?.name ?? "";
    expect(await refusal(acme.letters.replayDeadLetter({ name }))).toMatchObject({ reason: "REPLAY_FAILED" });
    const kept = await acme.letters.getDeadLetter({ name });
    expect([kept.attemptCount, kept.replayTime]).toEqual([2, undefined]);
    expect(await hotels.acts()).toEqual([]);

    hotels.state.broken = false;
    const replayed = await acme.letters.replayDeadLetter({ name });
    expect(replayed.replayTime).toBeDefined();
    expect(await acme.letters.replayDeadLetter({ name })).toEqual(replayed);
    expect(hotels.state.effects).toEqual(["second"]);
    const method = "docket.operations.v1.DeadLetterService/ReplayDeadLetter";
    expect(await hotels.acts()).toEqual([["acme", "api_key:apiKeys/acme", method, name]]);

    const left = await acme.letters.listDeadLetters({ filter: "NOT replay_time:*" });
    expect(left.deadLetters).toMatchObject([{ aggregate: "things/first" }]);
    const done = await acme.letters.listDeadLetters({ filter: 'consumer = "hotels.texts" AND replay_time:*' });
    expect(namesOf(done.deadLetters)).toEqual([name]);
  });

  test("of a service that does not answer are not passed over in silence", async () => {
    const away = new Map<string, ConnectError>();
    const refusedConnection = new ConnectError("connection refused", Code.Unavailable);
    await using running = await start(open, away);
    const { trips, hotels, acme } = running;
    const here = await trips.startSaga("acme");
    const there = await hotels.startSaga("acme");
    away.set("hotels", refusedConnection);

    const missing = { code: "Unavailable", reason: "SERVICES_UNAVAILABLE", metadata: { services: "hotels" } };
    expect(await refusal(acme.sagas.listSagas({}))).toMatchObject(missing);
    expect(await refusal(acme.letters.listDeadLetters({}))).toMatchObject(missing);
    const partial = await acme.sagas.listSagas({ returnPartialSuccess: true });
    expect([namesOf(partial.sagas), partial.unreachable]).toEqual([[here], ["hotels"]]);

    expect((await acme.sagas.pauseSaga({ name: here })).state).toBe(Saga_State.PAUSED);
    expect(await refusal(acme.sagas.getSaga({ name: there }))).toMatchObject(missing);
    expect(await refusal(acme.sagas.pauseSaga({ name: there }))).toMatchObject(missing);

    away.set("hotels", new ConnectError("the operation timed out", Code.DeadlineExceeded));
    const slow = await refusal(acme.sagas.listSagas({}));
    expect(slow).toMatchObject({ code: "DeadlineExceeded", reason: "SERVICES_UNAVAILABLE" });
    away.set("hotels", refusedConnection).set("trips", refusedConnection).set("flights", refusedConnection);
    expect(await refusal(acme.sagas.listSagas({ returnPartialSuccess: true }))).toMatchObject({
      metadata: { services: "trips,hotels,flights" },
    });
  });
});
