import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type PaymentCallback,
  PaymentCallback_State,
  PaymentCallbackSchema,
} from "../../../../gen/docket/payment/v1/payment_pb.js";
import { formatName, parseName } from "../../../runtime/api/resource-name.ts";
import type { StoredCallback } from "../../../runtime/callbacks/rows.ts";

const PATTERN = "paymentCallbacks/{payment_callback}";

/** Converts a callback to its API message. */
export function toCallbackMessage(callback: StoredCallback): PaymentCallback {
  return create(PaymentCallbackSchema, {
    name: formatName(PATTERN, { payment_callback: callback.id }),
    provider: callback.source,
    eventId: callback.eventId,
    eventType: callback.eventType,
    state: PaymentCallback_State[callback.state],
    payment: callback.subject,
    body: callback.body,
    receiveCount: callback.receiveCount,
    failureMessage: callback.failureMessage,
    createTime: timestampFromMs(callback.receivedAt),
    ...(callback.processedAt !== undefined && { processTime: timestampFromMs(callback.processedAt) }),
  });
}

/** Returns the id in a callback's name that the proto's rules have validated. */
export function callbackIdOf(name: string): string {
  return parseName(PATTERN, name)?.payment_callback ?? "";
}
