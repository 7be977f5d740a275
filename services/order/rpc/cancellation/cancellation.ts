import { Code, ConnectError } from "@connectrpc/connect";
import type { Order as OrderMessage } from "../../../../gen/docket/order/v1/order_pb.js";
import { checkEtag } from "../../../runtime/api/etag.ts";
import type { ParentCall } from "../../../runtime/call/service-client.ts";
import type { Command } from "../../../runtime/commands/command.ts";
import { actorOf, principalOf } from "../../../runtime/context-values.ts";
import type { OrderContext } from "../../context.ts";
import { command } from "../../domain/changes.ts";
import { orderName } from "../../domain/order.ts";
import { transition } from "../../domain/order-state.ts";
import { lostRace, orderNotFound, shipmentUnderWay, wrongState } from "../../errors.ts";
import { orderIdOf, toOrderMessage } from "../../messages.ts";
import { needOrderAndSagas, sagaKeyOf } from "../../saga/order-sagas.ts";
import { recordChanges } from "../../store/change-order.ts";
import { existingOrder } from "../changing/existing-order.ts";
import { mayHaveShipments } from "../fencing/fence-shipments.ts";

/** A requested cancellation. */
export interface Cancellation {
  /** The order's resource name. */
  readonly name: string;
  /** Empty to match any. */
  readonly etag: string;
  /** The reason, for the timeline. */
  readonly note: string;
  /** The requested method, for error messages. */
  readonly method: string;
}

/** Outcome of {@link prepareCancellation}. */
export interface PreparedCancellation {
  readonly shipmentsCancelled: boolean;
}

/**
 * First phase of cancelling an order. If shipments may exist, they are cancelled: once one is in transit, the
 * cancellation is rejected and nothing has changed. Cancelling them may change the order, so the etag is checked before.
 *
 * @throws ConnectError NOT_FOUND; FAILED_PRECONDITION, reasons ORDER_STATE and SHIPMENT_UNDER_WAY
 */
export async function prepareCancellation(
  { reads, clients }: OrderContext,
  { name, etag, method }: Cancellation,
  call: ParentCall,
): Promise<PreparedCancellation> {
  const { tenant } = principalOf(call);
  const order = await reads.find({ tenant, id: orderIdOf(name) });
  if (order === undefined) {
    throw orderNotFound(name);
  }
  checkEtag(etag, order.version);
  if (!transition(order, "CANCEL").ok) {
    throw wrongState(order, method);
  }
  if (!mayHaveShipments(order)) {
    return { shipmentsCancelled: false };
  }
  try {
    await clients.logistics.for(tenant, call).cancelOrderShipments({ parent: orderName(order) });
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.FailedPrecondition) {
      throw shipmentUnderWay(order, error.rawMessage);
    }
    throw error;
  }
  return { shipmentsCancelled: true };
}

/**
 * Second phase: the command that cancels the order by compensating its saga.
 *
 * @throws ConnectError NOT_FOUND; FAILED_PRECONDITION, reason ORDER_STATE; ABORTED, reason ORDER_CHANGED, if the order
 * may have shipments since the first phase: begin again
 */
export function commitCancellation(
  ctx: OrderContext,
  { name, etag, note, method }: Cancellation,
  { call, prepared: { shipmentsCancelled } }: { readonly call: ParentCall; readonly prepared: PreparedCancellation },
): Command<OrderMessage> {
  const principal = principalOf(call);
  const key = { tenant: principal.tenant, id: orderIdOf(name) };
  const message = note || "Cancellation was requested.";
  return {
    keys: (need) => needOrderAndSagas(ctx, need, key),
    decide(batch) {
      const before = existingOrder(batch, key);
      if (!shipmentsCancelled) {
        checkEtag(etag, before.version);
        if (mayHaveShipments(before)) {
          throw lostRace(before);
        }
      }
      const cancelled = command(
        before,
        "CANCEL",
        {
          type: "OrderCancelling",
          message,
          metadata: { reason: "REQUESTED" },
          patch: { cancelReason: "REQUESTED", heldAt: undefined },
        },
        { actor: actorOf(principal), at: ctx.clock.now().getTime() },
      );
      if (!cancelled.ok) {
        throw wrongState(before, method);
      }
      const order = recordChanges(batch, ctx, before, [cancelled.change]);
      ctx.sagas.inBatch.compensate(batch, sagaKeyOf(order, order.sagaId), "REQUESTED", message);
      return toOrderMessage(order);
    },
  };
}
