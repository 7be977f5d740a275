import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { createStatementLog } from "../runtime/testing/statement-log.ts";
import { until } from "../runtime/testing/until.ts";
import { startLogistics } from "./testing/logistics.ts";
import { createScriptedCarrier, update } from "./testing/scripted-carrier.ts";

describeEachDatabase("the statements of the logistics service", (open) => {
  test("that write are as many for 64 concurrent shipments, and for their callbacks, as for one", async () => {
    const log = createStatementLog();
    const carrier = createScriptedCarrier();
    await using world = await startLogistics(open, { carriers: [carrier], onStatement: log.onStatement });
    const { logistics, db } = world;
    const ids = Array.from({ length: 64 }, (_, n) => `o${n}`);
    for (const id of ids) {
      world.addOrder(id, { carrier: "scripted" });
    }
    // Commands quote with backticks. A claim increments the attempt.
    const writes = () =>
      log.count(/^(insert into|update|delete from) `(shipments|shipment_lines|tracking_events|order_shipping)`/) -
      log.count(/attempt \+ 1/);
    log.clear();

    await Promise.all(ids.map((id) => logistics.createShipment({ parent: `orders/${id}`, shipmentId: "1" })));

    // Orders, shipments and lines are inserted. Doubled if the calls span two batches; the worker books at once.
    const inserts = log.count(/^insert into `(shipments|shipment_lines|order_shipping)`/);
    expect([3, 6]).toContain(inserts);
    await world.service.start();
    await until(async () => {
      const booked = await db.kysely.selectFrom("shipments").select("id").where("booking", "=", "BOOKED").execute();
      return booked.length === ids.length;
    });
    log.clear();

    await Promise.all(
      ids.map((_, n) => {
        const content = { trackingNumber: `N${n + 1}`, updates: [update("IN_TRANSIT", 1)] };
        return world.receive("http://docket.test/v1/carrierCallbacks/scripted", {
          headers: { "event-id": `e${n}` },
          body: Buffer.from(JSON.stringify(content)),
        });
      }),
    );

    // Shipments are updated, tracking events inserted.
    expect([2, 4]).toContain(writes());
    expect([1, 2]).toContain(log.count(/^insert into `inbound_callbacks`/));
    const rows = await db.kysely.selectFrom("shipments").select("state").execute();
    expect(rows.map(({ state }) => state)).toEqual(ids.map(() => "IN_TRANSIT"));
  });
});
