import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { randomNumbers, testSeed } from "../../services/runtime/testing/random.ts";
import { auditBooks } from "../../services/test/support/audit/books.ts";
import { startProgram } from "../../services/test/support/program.ts";
import { stockTea, teaOrder, untilState } from "../../services/test/support/shop.ts";
import { createFolder, describeMariadbStorage } from "../../services/test/support/start-docket.ts";
import { bundleFunction } from "../../tools/function.ts";
import { createDocket } from "../../web-client/sdk/docket.ts";
import { freePort } from "./testing/emulator.ts";
import { type Platform, platforms } from "./testing/events.ts";
import { adminKey, functionEnvironment } from "./testing/function-program.ts";
import { startPlatformFront } from "./testing/platform-front.ts";
import { type Instance, startInstance } from "./testing/runtime-stub.ts";

/** Orders, kills and suspensions; more of them with `DOCKET_FUNCTION_ORDERS=1000`. */
// biome-ignore lint/style/noProcessEnv: a setting of the test, not of the program
const count = Number(process.env["DOCKET_FUNCTION_ORDERS"] ?? 6);

describeMariadbStorage("on functions alone", (createStorage) => {
  test("every order comes to its end once, whatever is killed and suspended between and during calls", async () => {
    await using stack = new AsyncDisposableStack();
    const storage = stack.use(await createStorage());
    const [frontPort, sandboxPort] = [await freePort(), await freePort()];
    const shared = {
      ...functionEnvironment,
      DOCKET_LOG_LEVEL: "warn",
      DOCKET_PUBLIC_URL: `http://127.0.0.1:${frontPort}`,
      DOCKET_SANDBOX_URL: `http://127.0.0.1:${sandboxPort}`,
      DOCKET_SERVICE_ADDRESSES:
        "order=127.0.0.1:9,payment=127.0.0.1:9,logistics=127.0.0.1:9,inventory=127.0.0.1:9,operations=127.0.0.1:9,sandbox=127.0.0.1:9",
    };
    const folder = stack.use(await createFolder());
    // Providers and carriers are systems of their own, which call back at the functions' address.
    stack.use(
      await startProgram({
        ...folder.environment,
        ...shared,
        DOCKET_SERVICES: "sandbox",
        DOCKET_SINGLE_PORT: "true",
        DOCKET_HTTP_PORT: `${sandboxPort}`,
      }),
    );

    const bundle = stack.use(await createFolder()).environment["DOCKET_DATA_DIR"] ?? "";
    await bundleFunction(join(bundle, "function"));
    const command = [process.execPath, join(bundle, "function/main.mjs")];
    const environment = {
      ...storage.environment,
      ...shared,
      DOCKET_SERVICES: "order,payment,logistics,inventory,operations,gateway",
      // The tests' server takes 60 connections, and notices late that a killed process has left its own.
      DOCKET_DATABASE_CONNECTIONS: "2",
    };
    const random = randomNumbers(testSeed);
    process.stdout.write(`DOCKET_TEST_SEED=${testSeed}\n`);
    const instances: Instance[] = [];
    stack.defer(async () => {
      await Promise.all(instances.map((instance) => instance[Symbol.asyncDispose]()));
    });
    const most = 2;
    /** Instances that are about to be suspended, or are for a while. They get no calls. */
    const held = new Set<Instance>();
    /** Kills and suspends. Called with each call; what it returns is called with the answer. */
    let chaos =
      (_: Instance): (() => void) =>
      () => {};
    let starting = 0;
    /** As the platform: an instance serves one call at a time, and another is started where all are busy. */
    const invoke = async (event: object): Promise<unknown> => {
      for (;;) {
        const alive = instances.filter(({ hasEnded }) => !hasEnded);
        const failed = instances.findLast(({ hasEnded, logged }) => hasEnded && logged().includes("docket: "));
        if (failed !== undefined) {
          throw new Error(failed.logged());
        }
        const idle = alive.find((instance) => instance.isIdle && !held.has(instance));
        if (idle !== undefined) {
          const after = chaos(idle);
          const { text } = await idle.call(event);
          after();
          return JSON.parse(text) as unknown;
        }
        if (alive.length + starting < most) {
          starting += 1;
          instances.push(
            await startInstance(command, environment).finally(() => {
              starting -= 1;
            }),
          );
        }
        await sleep(5);
      }
    };
    const [platform] = platforms as readonly [Platform];
    const front = stack.use(await startPlatformFront(() => platform, invoke, frontPort));
    const docket = createDocket({ baseUrl: front.url, apiKey: adminKey, retry: { maxAttempts: 1 } });

    await stockTea(docket, count);
    let isOver = false;
    let [calls, kills, suspensions] = [0, 0, 0];
    /** The process works on after its response, so it is suspended only once it is idle. */
    const suspend = async (instance: Instance) => {
      held.add(instance);
      while (!instance.isIdle && !instance.hasEnded) {
        await sleep(2);
      }
      if (!instance.hasEnded) {
        instance.suspend();
        suspensions += 1;
        await sleep(random(200));
      }
      held.delete(instance);
    };
    chaos = (instance) => {
      calls += 1;
      if (random(24) === 0) {
        // In the middle of the call, or after it.
        setTimeout(() => instance.child.kill("SIGKILL"), random(60));
        kills += 1;
      }
      const suspends = calls % 3 === 1;
      return () => {
        if (suspends) {
          void suspend(instance);
        }
      };
    };
    /** The platform's schedule, and a queue whose messages come again until they are handled. */
    const pulse = async () => {
      while (!isOver) {
        await invoke({ source: "aws.events", "detail-type": "Scheduled Event" }).catch(() => undefined);
        await sleep(300);
      }
    };
    const message = async () => {
      const body = JSON.stringify({ jobs: ["outbox", "sagas"] });
      const event = { Records: [{ messageId: "m", eventSource: "aws:sqs", body, attributes: {} }] };
      for (;;) {
        const result = await invoke(event).catch(() => ({ batchItemFailures: [{}] }));
        if ((result as { batchItemFailures: unknown[] }).batchItemFailures.length === 0) {
          return;
        }
      }
    };
    const order = async (nth: number): Promise<string> => {
      for (;;) {
        try {
          const request = { order: teaOrder({ externalId: `o-${nth}` }), requestId: `key-${nth}` };
          const { name } = await docket.orders.createOrder(request);
          await message();
          return name;
        } catch {
          await sleep(20);
        }
      }
    };
    const pulsing = pulse();
    const queue = Array.from({ length: count }, (_, nth) => nth).values();
    const names = new Set<string>();
    await Promise.all(
      Array.from({ length: 3 }, async () => {
        for (const nth of queue) {
          names.add(await order(nth));
        }
      }),
    );
    expect(names.size).toBe(count);
    // The rest is left to callbacks and the schedule, still under kills and suspensions.
    const patient = createDocket({ baseUrl: front.url, apiKey: adminKey, retry: { maxAttempts: 20 } });
    for (const name of names) {
      await untilState(patient, name, [Order_State.COMPLETED], 120_000);
    }
    isOver = true;
    await pulsing;
    chaos = () => () => {};
    await invoke({ source: "aws.events", "detail-type": "Scheduled Event" });
    expect(await auditBooks(patient)).toEqual([]);
    const item = await patient.items.getItem({ name: "items/TEA" });
    expect(item).toMatchObject({ stockOnHand: 0n, stockReserved: 0n });
    expect(suspensions).toBeGreaterThan(0);
    process.stdout.write(`${count} orders, ${kills} kills, ${suspensions} suspensions\n`);
  }, 900_000);
});
