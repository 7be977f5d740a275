import type { ShipmentState } from "./shipment-state.ts";

/** Maps a carrier's status codes, as its API spells them, to shipment states. */
export type StatusMap = Readonly<Record<string, ShipmentState>>;

/** The `tag` of a tracking: https://www.aftership.com/docs/tracking/enum/delivery-statuses */
export const aftershipStatuses: StatusMap = {
  Pending: "PENDING",
  InfoReceived: "INFO_RECEIVED",
  InTransit: "IN_TRANSIT",
  OutForDelivery: "OUT_FOR_DELIVERY",
  AvailableForPickup: "PICKUP_READY",
  AttemptFail: "ATTEMPT_FAILED",
  Exception: "EXCEPTION",
  Delivered: "DELIVERED",
  Expired: "EXPIRED",
};

/** The `status` of a tracker: https://docs.easypost.com/docs/trackers */
export const easypostStatuses: StatusMap = {
  unknown: "PENDING",
  pre_transit: "INFO_RECEIVED",
  in_transit: "IN_TRANSIT",
  out_for_delivery: "OUT_FOR_DELIVERY",
  available_for_pickup: "PICKUP_READY",
  failure: "EXCEPTION",
  error: "EXCEPTION",
  delivered: "DELIVERED",
  return_to_sender: "RETURNING",
  cancelled: "CANCELLED",
};

/** The `status` of a tracking status: https://docs.goshippo.com/docs/tracking/tracking */
export const shippoStatuses: StatusMap = {
  UNKNOWN: "PENDING",
  PRE_TRANSIT: "INFO_RECEIVED",
  TRANSIT: "IN_TRANSIT",
  FAILURE: "EXCEPTION",
  DELIVERED: "DELIVERED",
  RETURNED: "RETURNED",
};

/** The `state` of a `lastResult`, and `abort` as the `status` of a push: https://api.kuaidi100.com/document/ */
export const kuaidi100Statuses: StatusMap = {
  "101": "INFO_RECEIVED",
  "102": "INFO_RECEIVED",
  "0": "IN_TRANSIT",
  "1": "IN_TRANSIT",
  "7": "IN_TRANSIT",
  "8": "IN_TRANSIT",
  "5": "OUT_FOR_DELIVERY",
  "501": "PICKUP_READY",
  "2": "EXCEPTION",
  "14": "EXCEPTION",
  "3": "DELIVERED",
  "6": "RETURNING",
  "4": "RETURNED",
  "401": "CANCELLED",
  abort: "EXPIRED",
};

/** The sandbox's status codes. */
export const sandboxStatuses: StatusMap = {
  info_received: "INFO_RECEIVED",
  in_transit: "IN_TRANSIT",
  out_for_delivery: "OUT_FOR_DELIVERY",
  attempt_failed: "ATTEMPT_FAILED",
  lost: "EXCEPTION",
  delivered: "DELIVERED",
  returning: "RETURNING",
  returned: "RETURNED",
};

/** Returns the state for a carrier's status code, or undefined for an unknown code. */
export function stateOf(map: StatusMap, word: string): ShipmentState | undefined {
  return Object.hasOwn(map, word) ? map[word] : undefined;
}
