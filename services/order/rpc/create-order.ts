import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Order as OrderMessage, OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { responding } from "../../runtime/commands/responding.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { prepareAndExecuteOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import type { OrderContext } from "../context.ts";
import { externalIdTaken, orderInvalid } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";
import { auditForbiddenPrices } from "./placement/forbidden-prices.ts";
import { newPlacement } from "./placement/new-placement.ts";
import { readDraft } from "./placement/order-draft.ts";
import { placeOrders, takenExternalIds } from "./placement/place-orders.ts";
import { priceDrafts } from "./placement/price-drafts.ts";
import { untilSettled } from "./placement/until-settled.ts";

/**
 * Prices the order before the command that writes order, saga, event, key and response. A repeated
 * request returns the response stored under its key, even if the order could not be priced now.
 */
export function createOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["createOrder"] {
  const method = OrderService.method.createOrder;
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const order = request.order ?? create(OrderSchema);
    const { draft, violations } = readDraft(order, ctx.config);
    if (violations.length > 0) {
      throw orderInvalid(violations, "order");
    }
    const requestId = idempotencyKeyOf(request, call);
    const prepare = async () => {
      const [pricing] = await priceDrafts(ctx, [draft], call);
      if (!pricing?.ok) {
        auditForbiddenPrices(call, pricing?.violations ?? []);
        throw orderInvalid(pricing?.violations ?? [], "order");
      }
      return newPlacement(ctx, call, { ...pricing, draft });
    };
    if (request.validateOnly) {
      return validated(ctx, (await prepare()).change.order);
    }
    const mutation = { tenant, method, requestId, request, clock: ctx.clock, signal: call.signal };
    const response = await prepareAndExecuteOnce(ctx.commands, mutation, {
      prepare,
      command: (placement) =>
        responding(placeOrders(ctx, [placement]), ([placed]) => toOrderMessage(placed ?? placement.change.order)),
    });
    const waitMs = request.wait ? durationMs(request.wait) : 0;
    if (waitMs === 0) {
      return response;
    }
    // A replay's order has the id in its response, not the id of this call's placement.
    const key = { tenant, id: orderIdOf(response.name) };
    const settled = await untilSettled(ctx, key, { waitMs, isPaid: draft.paymentToken !== "", signal: call.signal });
    return settled ? toOrderMessage(settled) : response;
  };
}

/** The order that would be created, without the fields that only a stored order has. */
async function validated(ctx: OrderContext, order: Parameters<typeof toOrderMessage>[0]): Promise<OrderMessage> {
  const [taken] = await takenExternalIds(ctx.db.kysely, [order]);
  if (taken !== undefined) {
    throw externalIdTaken(taken);
  }
  return { ...toOrderMessage(order), name: "", etag: "" };
}
