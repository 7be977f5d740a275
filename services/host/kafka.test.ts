import { expect, test } from "@jest/globals";
import { file_docket_inventory_v1_inventory_events } from "../../gen/docket/inventory/v1/inventory_events_pb.js";
import { file_docket_logistics_v1_logistics_events } from "../../gen/docket/logistics/v1/logistics_events_pb.js";
import { file_docket_order_v1_order_events } from "../../gen/docket/order/v1/order_events_pb.js";
import { file_docket_payment_v1_payment_events } from "../../gen/docket/payment/v1/payment_events_pb.js";
import { serviceOfType } from "../runtime/bus/kafka/topics.ts";
import { publishers } from "./kafka.ts";

test("every event's type names the service that publishes it, which has a topic", () => {
  const files = [
    file_docket_inventory_v1_inventory_events,
    file_docket_logistics_v1_logistics_events,
    file_docket_order_v1_order_events,
    file_docket_payment_v1_payment_events,
  ];
  const services = files.flatMap(({ messages }) => messages.map(({ typeName }) => serviceOfType(typeName)));
  expect(new Set(services)).toEqual(new Set(publishers));
});
