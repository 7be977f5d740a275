import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Order as OrderMessage, OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent } from "../../runtime/idempotency/idempotent.ts";
import type { OrderContext } from "../context.ts";
import { externalIdTaken, orderInvalid } from "../errors.ts";
import { toOrderMessage } from "../messages.ts";
import { attempt } from "./attempt.ts";
import { readDraft } from "./order-draft.ts";
import { placeAll, takenExternalIds, toPlacement } from "./place-drafts.ts";
import { priceDrafts } from "./price-drafts.ts";
import { untilSettled } from "./until-settled.ts";

/**
 * Prices the order outside the transaction, then commits order, saga, event, key and response together. A repeated
 * request returns the response stored under its key, even if the order could not be priced now.
 */
export function createOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["createOrder"] {
  const method = OrderService.method.createOrder;
  return async (request, context) => {
    const { tenant } = principalOf(context);
    const order = request.order ?? create(OrderSchema);
    const { draft, violations } = readDraft(order, ctx.config);
    if (violations.length > 0) {
      throw orderInvalid(violations, "order");
    }
    const requestId = idempotencyKeyOf(request, context);
    const placement = await attempt(async () => {
      const [pricing] = await priceDrafts(ctx, [draft], context);
      if (!pricing?.ok) {
        throw orderInvalid(pricing?.violations ?? [], "order");
      }
      return toPlacement(ctx, context, { ...pricing, draft });
    });
    if (request.validateOnly) {
      return validated(ctx, placement().change.order);
    }
    const call = { tenant, method, requestId, request, clock: ctx.clock, signal: context.signal };
    const answer = await idempotent(ctx.db, call, async (trx) => {
      const placed = placement();
      await placeAll(trx, ctx, [placed]);
      return toOrderMessage(placed.change.order);
    });
    const waitMs = request.wait ? durationMs(request.wait) : 0;
    const isPaid = draft.paymentToken !== "";
    return waitMs > 0 ? untilSettled(ctx, tenant, answer, { waitMs, isPaid, signal: context.signal }) : answer;
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
