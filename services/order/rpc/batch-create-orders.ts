import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import {
  BatchCreateOrdersResponseSchema,
  type CreateOrderRequest,
  OrderService,
} from "../../../gen/docket/order/v1/order_service_pb.js";
import { PAGE_LINES } from "../../runtime/api/read-page.ts";
import { responding } from "../../runtime/commands/responding.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { type FieldViolation, invalidArgument } from "../../runtime/errors.ts";
import { prepareAndExecuteOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import type { Offers } from "../config.ts";
import type { OrderContext } from "../context.ts";
import { under } from "../errors.ts";
import { toOrderMessage } from "../messages.ts";
import { auditForbiddenPrices } from "./placement/forbidden-prices.ts";
import { newPlacement } from "./placement/new-placement.ts";
import { type OrderDraft, readDraft } from "./placement/order-draft.ts";
import { placeOrders } from "./placement/place-orders.ts";
import { priceDrafts } from "./placement/price-drafts.ts";

/**
 * Creates all orders in one command. Reports every violation of every order at once; nothing is created if there is
 * one.
 */
export function batchCreateOrders(ctx: OrderContext): ServiceImpl<typeof OrderService>["batchCreateOrders"] {
  const method = OrderService.method.batchCreateOrders;
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const drafts = readDrafts(request.requests, ctx.config);
    const prepare = async () => {
      const pricings = await priceDrafts(ctx, drafts, call);
      const violations = pricings.flatMap((pricing, i) =>
        pricing.ok ? [] : under(`requests[${i}].order`, pricing.violations),
      );
      if (violations.length > 0) {
        auditForbiddenPrices(
          call,
          pricings.flatMap((pricing) => (pricing.ok ? [] : pricing.violations)),
        );
        throw invalidArgument(violations);
      }
      return pricings.flatMap((pricing, i) => {
        const draft = drafts[i];
        return pricing.ok && draft ? [newPlacement(ctx, call, { ...pricing, draft })] : [];
      });
    };
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock: ctx.clock };
    return prepareAndExecuteOnce(ctx.commands, mutation, {
      prepare,
      command: (placements) =>
        responding(placeOrders(ctx, placements), (orders) =>
          create(BatchCreateOrdersResponseSchema, { orders: orders.map(toOrderMessage) }),
        ),
    });
  };
}

function readDrafts(requests: readonly CreateOrderRequest[], offers: Offers): OrderDraft[] {
  const lines = requests.reduce((sum, { order }) => sum + (order?.lineItems.length ?? 0), 0);
  if (lines > PAGE_LINES) {
    const description = `the orders have ${lines} lines together, at most ${PAGE_LINES} are created at once`;
    throw invalidArgument([{ field: "requests", description }], "TOO_MANY_LINES");
  }
  const violations: FieldViolation[] = [];
  const seen = new Set<string>();
  const drafts = requests.map((request, i) => {
    const at = `requests[${i}]`;
    const foreign = [
      ...(request.requestId === "" ? [] : ["request_id"]),
      ...(request.wait === undefined ? [] : ["wait"]),
      ...(request.validateOnly ? ["validate_only"] : []),
    ];
    violations.push(...foreign.map((field) => ({ field: `${at}.${field}`, description: "must be empty in a batch" })));
    const read = readDraft(request.order ?? create(OrderSchema), offers);
    violations.push(...under(`${at}.order`, read.violations));
    const { externalId } = read.draft;
    if (externalId !== "" && seen.has(externalId)) {
      violations.push({ field: `${at}.order.external_id`, description: "occurs earlier in the batch" });
    }
    seen.add(externalId);
    return read.draft;
  });
  if (violations.length > 0) {
    throw invalidArgument(violations);
  }
  return drafts;
}
