import { type Shipment, Shipment_State } from "../../../gen/docket/logistics/v1/logistics_pb.js";
import {
  done,
  later,
  refused,
  type SagaStep,
  type StepContext,
  type StepOutcome,
} from "../../runtime/saga/definition.ts";
import type { OrderContext } from "../context.ts";
import { firstShipmentId, type Order, orderName } from "../domain/order.ts";
import { type Refusal, rejectionOr } from "./rpc-outcome.ts";
import { dependencyRetryPolicy, type OrderSagaState } from "./steps.ts";

/** The pause before an order that cannot be shipped at the moment is checked again. */
const STOPPED_LOOK_MS = 1_000;

/**
 * Books a shipment of all units that are in no shipment yet, unless the order is fulfilled manually. Shipments created
 * through the API count: the step is done once nothing is left to ship.
 *
 * Fails with SHIPMENT_FAILED only if the order has no shipment, and only after it was closed to further shipments. The
 * compensation cancels every shipment of the order.
 */
export function createShipment<State extends OrderSagaState>(ctx: OrderContext): SagaStep<State> {
  return {
    name: "create-shipment",
    // Logistics ships confirmed orders only, so the confirmation has to be stored.
    isolated: true,
    ...dependencyRetryPolicy,
    timeoutMs: 30_000,
    async invoke(context) {
      const { state, tenant } = context;
      const order = await ctx.reads.find({ tenant, id: state.orderId });
      if (state.fulfillment === "MANUAL" || order === undefined) {
        return done();
      }
      switch (order.state) {
        case "CONFIRMED":
        case "FULFILLING":
          return ship(ctx, context, order);
        case "ON_HOLD":
        case "NEEDS_ATTENTION":
          return later(STOPPED_LOOK_MS);
        default:
          return done();
      }
    },
    async compensate({ state, tenant, signal }) {
      await ctx.clients.logistics.for(tenant).cancelOrderShipments({ parent: orderName(state.orderId) }, { signal });
      return done();
    },
  };
}

async function ship<State extends OrderSagaState>(
  ctx: OrderContext,
  context: StepContext<State>,
  order: Order,
): Promise<StepOutcome<State>> {
  const refusal = await shipRest(ctx, context, order);
  if (refusal === undefined) {
    return done();
  }
  switch (refusal.reason) {
    case "NOTHING_TO_SHIP":
      return done();
    case "ORDER_NOT_SHIPPABLE":
    case "ORDER_NOT_FUNDED":
      // The order was stopped, has changed its state or has lost its funds since it was read.
      return later(STOPPED_LOOK_MS);
    case "ORDER_CLOSED":
      // A cancellation has closed the order and is about to compensate this saga.
      throw refusal.error;
    default:
      return giveUp(ctx, context, refusal);
  }
}

/**
 * Books the first shipment. If another shipment has its name, or the order is larger than one shipment, books one more
 * for the rest. Resolves with the rejection, if any.
 */
async function shipRest(
  { clients }: OrderContext,
  { tenant, signal, idempotencyKey }: StepContext<OrderSagaState>,
  order: Order,
): Promise<Refusal | undefined> {
  const book = (request: { readonly shipmentId: string } | { readonly requestId: string }) =>
    rejectionOr(
      clients.logistics.for(tenant).createShipment({ parent: orderName(order), shipment: {}, ...request }, { signal }),
    );
  const first = await book({ shipmentId: firstShipmentId });
  if ("answer" in first ? holdsAll(first.answer, order) : first.refusal.reason !== "SHIPMENT_EXISTS") {
    return "refusal" in first ? first.refusal : undefined;
  }
  const rest = await book({ requestId: idempotencyKey });
  return "refusal" in rest ? rest.refusal : undefined;
}

function holdsAll({ state, lines }: Shipment, order: Order): boolean {
  const held = new Map(lines.map(({ lineItemId, quantity }) => [lineItemId, quantity]));
  return (
    state !== Shipment_State.CANCELLED &&
    order.lines.every(({ id, quantity, quantityCancelled }) => (held.get(id) ?? 0) >= quantity - quantityCancelled)
  );
}

/**
 * Rejects the step if nothing was shipped. If a part is in a shipment already, the order must not be compensated: the
 * rejection is thrown, so that the step is retried and the saga finally needs attention.
 */
async function giveUp<State extends OrderSagaState>(
  { clients }: OrderContext,
  { state, tenant, signal }: StepContext<State>,
  refusal: Refusal,
): Promise<StepOutcome<State>> {
  const parent = orderName(state.orderId);
  const logistics = clients.logistics.for(tenant);
  const { shipments } = await logistics.listShipments(
    { parent, filter: "state != CANCELLED", pageSize: 1 },
    { signal },
  );
  if (shipments.length > 0) {
    throw refusal.error;
  }
  await logistics.cancelOrderShipments({ parent }, { signal });
  return refused("SHIPMENT_FAILED", { message: refusal.message });
}
