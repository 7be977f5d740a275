import { expect, test } from "@jest/globals";
import { file_docket_audit_v1_audit } from "../../gen/docket/audit/v1/audit_pb.js";
import { file_docket_inventory_v1_inventory_events } from "../../gen/docket/inventory/v1/inventory_events_pb.js";
import { file_docket_logistics_v1_logistics_events } from "../../gen/docket/logistics/v1/logistics_events_pb.js";
import { file_docket_order_v1_order_events } from "../../gen/docket/order/v1/order_events_pb.js";
import { file_docket_payment_v1_payment_events } from "../../gen/docket/payment/v1/payment_events_pb.js";
import { packageOf } from "../runtime/bus/kafka/topics.ts";
import { packages } from "./kafka.ts";

test("every event's package has a topic", () => {
  const files = [
    file_docket_audit_v1_audit,
    file_docket_inventory_v1_inventory_events,
    file_docket_logistics_v1_logistics_events,
    file_docket_order_v1_order_events,
    file_docket_payment_v1_payment_events,
  ];
  const used = files.flatMap(({ messages }) => messages.map(({ typeName }) => packageOf(typeName)));
  expect(new Set(used)).toEqual(new Set(packages));
});
