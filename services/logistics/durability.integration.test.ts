import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { Shipment_State as State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { nowMs } from "../runtime/db/sql.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { logisticsDefaults } from "./config.ts";
import { type Logistics, startLogistics } from "./testing/logistics.ts";
import { createScriptedCarrier, update } from "./testing/scripted-carrier.ts";

const booked = (it: Logistics, name: string) =>
  until(async () => (await it.logistics.getShipment({ name })).trackingNumber !== "");

describeEachDatabase("shipments survive", (open) => {
  const started = async (options: Parameters<typeof startLogistics>[1] = {}) => {
    const carrier = createScriptedCarrier();
    const it = await startLogistics(open, { ...options, carriers: [carrier] });
    it.addOrder("o1");
    const create = () =>
      it.logistics.createShipment({ parent: "orders/o1", shipmentId: "1", shipment: { carrier: "scripted" } });
    return { it, carrier, create };
  };

  test("a crash between commit and booking: another process books", async () => {
    const { it, carrier, create } = await started();
    await using _ = it;
    const { name } = await create();
    await using another = await it.startAnother();
    await another.start();
    await booked(it, name);
    expect(carrier.booked).toHaveLength(1);
    await another.drain();
  });

  test("a crash during the booking: another process repeats it with the same key", async () => {
    const { it, carrier, create } = await started({ carrierTimeoutMs: 250 });
    await using _ = it;
    const { name } = await create();
    const folder = await mkdtemp(join(tmpdir(), "docket-killed-"));
    try {
      const file = join(folder, "booked");
      const script = join(import.meta.dirname, "testing/killed-during-call.ts");
      const child = spawn(process.execPath, [script, it.db.url, file], { stdio: "ignore" });
      expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
      expect(await readFile(file, "utf8")).toBe(`${name}\n`);
      await it.service.start();
      await booked(it, name);
      expect(carrier.booked.map(({ reference }) => reference)).toEqual([name]);
      expect(await it.published("o1")).toEqual(["Created"]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 30_000);

  // Regression: the claim of the dead process outlived several requests, which ended in DEADLINE_EXCEEDED.
  test("a crash during a cancellation: the next request cancels, without the carrier timeout passing", async () => {
    const { it, carrier, create } = await started();
    await using _ = it;
    await it.service.start();
    const { name } = await create();
    await booked(it, name);
    await it.service.drain();
    await it.db.kysely
      .updateTable("shipments")
      .set({ cancel_requested: 1, due_at: nowMs(it.db.dialect) })
      .execute();
    const folder = await mkdtemp(join(tmpdir(), "docket-killed-"));
    try {
      const script = join(import.meta.dirname, "testing/killed-during-call.ts");
      const args = [it.db.url, join(folder, "cancelled"), "cancel", `${logisticsDefaults.carrierTimeoutMs}`];
      const child = spawn(process.execPath, [script, ...args], { stdio: "ignore" });
      expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
      const { shipments } = await it.logistics.cancelOrderShipments({ parent: "orders/o1" });
      expect(shipments).toMatchObject([{ name, state: State.CANCELLED }]);
      expect(carrier.cancelled).toEqual([name]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 30_000);

  test("a carrier that takes longer than a claim: the claim is renewed, and the call is made once", async () => {
    const { it, carrier, create } = await started({ carrierTimeoutMs: 2_000 });
    await using _ = it;
    await using another = await it.startAnother();
    let calls = 0;
    carrier.beforeResponse = async () => {
      calls += 1;
      await sleep(1_500);
    };
    const { name } = await create();
    await Promise.all([it.service.start(), another.start()]);
    await booked(it, name);
    expect(calls).toBe(1);
    await another.drain();
  });

  test("lost responses: the shipment is booked once", async () => {
    const { it, carrier, create } = await started();
    await using _ = it;
    let lost = 2;
    carrier.beforeResponse = async () => {
      lost -= 1;
      if (lost >= 0) {
        throw new Error("the connection was reset");
      }
    };
    const { name } = await create();
    await it.service.start();
    await booked(it, name);
    expect(carrier.booked).toHaveLength(1);
    expect(await it.published("o1")).toEqual(["Created"]);
  });

  test("a carrier that hangs: another worker books after the lease expires, and the late response is discarded", async () => {
    const { it, carrier, create } = await started({ carrierTimeoutMs: 150 });
    await using _ = it;
    const hanging = Promise.withResolvers<void>();
    let calls = 0;
    carrier.beforeResponse = async () => {
      calls += 1;
      await (calls === 1 ? hanging.promise : undefined);
    };
    const { name } = await create();
    await it.service.start();
    await booked(it, name);
    expect(calls).toBe(2);
    hanging.resolve();
    await it.service.drain();
    expect(await it.published("o1")).toEqual(["Created"]);
    expect(carrier.booked).toHaveLength(1);
  });

  test("no callbacks: the carrier is polled, and its updates are applied", async () => {
    const { it, carrier, create } = await started({ trackAfterMs: 30 });
    await using _ = it;
    const { name } = await create();
    await it.service.start();
    await booked(it, name);
    carrier.updates = [update("IN_TRANSIT", 1), update("DELIVERED", 2)];
    await until(async () => (await it.logistics.getShipment({ name })).state === State.DELIVERED);
    expect(await it.published("o1")).toEqual(["Created", "Collected", "StateChanged", "Delivered"]);
  });

  test("no update for too long: the shipment is EXPIRED until the next update", async () => {
    const { it, carrier, create } = await started({ trackAfterMs: 30, expireAfterMs: 100 });
    await using _ = it;
    const { name } = await create();
    await it.service.start();
    await until(async () => (await it.logistics.getShipment({ name })).state === State.EXPIRED);
    carrier.updates = [{ ...update("OUT_FOR_DELIVERY", 1), occurredAt: Date.now() + 1000 }];
    expect((await it.logistics.syncShipment({ name })).state).toBe(State.OUT_FOR_DELIVERY);
    expect(carrier.booked).toHaveLength(1);
  });
});
