import type { Command } from "commander";
import {
  type Shipment,
  Shipment_State,
  ShipmentSchema,
  type TrackingEvent,
  TrackingEventSchema,
} from "../../../gen/docket/logistics/v1/logistics_pb.js";
import type { Docket } from "../docket.ts";
import { contextOf, parseCount, type Surroundings } from "./context.ts";
import { findOrder, parentOf } from "./find-order.ts";
import type { Columns } from "./output.ts";
import { factsText, take, timeText } from "./text.ts";

const columns: Columns<Shipment> = {
  NAME: (shipment) => shipment.name,
  STATE: (shipment) => Shipment_State[shipment.state] ?? String(shipment.state),
  CARRIER: (shipment) => shipment.carrier,
  TRACKING: (shipment) => shipment.trackingNumber,
  UNITS: (shipment) => String(shipment.lines.reduce((sum, { quantity }) => sum + quantity, 0)),
  CREATED: (shipment) => timeText(shipment.createTime),
};

const trackingColumns: Columns<TrackingEvent> = {
  TIME: ({ eventTime }) => timeText(eventTime),
  STATE: ({ state }) => Shipment_State[state] ?? String(state),
  LOCATION: ({ location }) => location,
  MESSAGE: ({ message }) => message,
};

const shipmentText = (shipment: Shipment) =>
  [
    factsText(columns, shipment),
    ...shipment.lines.map(({ lineItemId, quantity }) => `  ${quantity} of line ${lineItemId}`),
    ...(shipment.trackingUrl === "" ? [] : [`to follow it, open ${shipment.trackingUrl}`]),
  ].join("\n");

const shipmentArgument = "its name (orders/…/shipments/…), or an order: its newest shipment";

/** `docket shipments …` */
export function addShipmentCommands(program: Command, surroundings: Surroundings): void {
  const shipments = program.command("shipments").description("list, show and track shipments");

  shipments
    .command("list")
    .description("list shipments, the newest first")
    .argument("[order]", "only those of this order: its name, its id, or your own order number")
    .option("-f, --filter <filter>", "which shipments, for example: state = IN_TRANSIT")
    .option("-n, --limit <count>", "how many at the most", parseCount, 50)
    .action(async (order: string | undefined, options: { filter?: string; limit: number }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const { filter = "", limit } = options;
      const parent = await parentOf(docket, order);
      const found = docket.listShipments({ parent, filter, pageSize: Math.min(limit, 1000) });
      await output.rows(ShipmentSchema, take(found, limit), columns);
    });

  shipments
    .command("get")
    .description("show a shipment")
    .argument("<shipment>", shipmentArgument)
    .action(async (name: string, _options: unknown, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const shipment = await findShipment(docket, name);
      output.one(ShipmentSchema, shipment, shipmentText(shipment));
    });

  shipments
    .command("track")
    .description("show what the carrier reported of a shipment, the oldest first")
    .argument("<shipment>", shipmentArgument)
    .option("--sync", "ask the carrier first")
    .action(async (given: string, { sync = false }: { sync?: boolean }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const found = await findShipment(docket, given);
      const shipment = sync ? await docket.shipments.syncShipment({ name: found.name }) : found;
      await output.rows(TrackingEventSchema, shipment.trackingEvents, trackingColumns);
    });
}

async function findShipment(docket: Docket, name: string): Promise<Shipment> {
  if (name.includes("/shipments/")) {
    return docket.shipments.getShipment({ name });
  }
  const order = await findOrder(docket, name);
  for await (const shipment of docket.listShipments({ parent: order.name, pageSize: 1 })) {
    return shipment;
  }
  throw new Error(`${order.name} has no shipment`);
}
