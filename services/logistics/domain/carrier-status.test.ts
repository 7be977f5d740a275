import { expect, test } from "@jest/globals";
import {
  aftershipStatuses,
  easypostStatuses,
  kuaidi100Statuses,
  type StatusMap,
  shippoStatuses,
  stateOf,
} from "./carrier-status.ts";

/** The table in API.md, verbatim. */
test.each([
  ["AfterShip", aftershipStatuses, { Pending: "PENDING", InfoReceived: "INFO_RECEIVED", InTransit: "IN_TRANSIT" }],
  ["AfterShip", aftershipStatuses, { OutForDelivery: "OUT_FOR_DELIVERY", AvailableForPickup: "PICKUP_READY" }],
  ["AfterShip", aftershipStatuses, { AttemptFail: "ATTEMPT_FAILED", Exception: "EXCEPTION", Delivered: "DELIVERED" }],
  ["AfterShip", aftershipStatuses, { Expired: "EXPIRED" }],
  ["EasyPost", easypostStatuses, { unknown: "PENDING", pre_transit: "INFO_RECEIVED", in_transit: "IN_TRANSIT" }],
  ["EasyPost", easypostStatuses, { out_for_delivery: "OUT_FOR_DELIVERY", available_for_pickup: "PICKUP_READY" }],
  ["EasyPost", easypostStatuses, { failure: "EXCEPTION", error: "EXCEPTION", delivered: "DELIVERED" }],
  ["EasyPost", easypostStatuses, { return_to_sender: "RETURNING", cancelled: "CANCELLED" }],
  ["Shippo", shippoStatuses, { UNKNOWN: "PENDING", PRE_TRANSIT: "INFO_RECEIVED", TRANSIT: "IN_TRANSIT" }],
  ["Shippo", shippoStatuses, { FAILURE: "EXCEPTION", DELIVERED: "DELIVERED", RETURNED: "RETURNED" }],
  ["Kuaidi100", kuaidi100Statuses, { 101: "INFO_RECEIVED", 102: "INFO_RECEIVED", 5: "OUT_FOR_DELIVERY" }],
  ["Kuaidi100", kuaidi100Statuses, { 0: "IN_TRANSIT", 1: "IN_TRANSIT", 7: "IN_TRANSIT", 8: "IN_TRANSIT" }],
  ["Kuaidi100", kuaidi100Statuses, { 501: "PICKUP_READY", 2: "EXCEPTION", 14: "EXCEPTION", 3: "DELIVERED" }],
  ["Kuaidi100", kuaidi100Statuses, { 6: "RETURNING", 4: "RETURNED", 401: "CANCELLED", abort: "EXPIRED" }],
] as [string, StatusMap, StatusMap][])("%s: a word means the state of the table", (_, map, table) => {
  for (const [word, state] of Object.entries(table)) {
    expect([word, stateOf(map, word)]).toEqual([word, state]);
  }
});

test("an unknown carrier status maps to no state, and neither does a property of Object.prototype", () => {
  expect(stateOf(easypostStatuses, "teleported")).toBeUndefined();
  expect(stateOf(easypostStatuses, "constructor")).toBeUndefined();
});
