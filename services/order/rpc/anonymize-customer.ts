import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Kysely } from "kysely";
import {
  type AnonymizeCustomerRequest,
  type AnonymizeCustomerResponse,
  AnonymizeCustomerResponseSchema,
  CustomerService,
  SkippedOrder_Reason as Reason,
} from "../../../gen/docket/order/v1/customer_service_pb.js";
import { Order_State } from "../../../gen/docket/order/v1/order_pb.js";
import { auditTrail } from "../../runtime/audit/audit.ts";
import type { Command } from "../../runtime/commands/command.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import { prepareAndExecuteOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { beginErasure } from "../begin-erasure.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { hasEnded } from "../domain/anonymize.ts";
import { type Order, orderName } from "../domain/order.ts";
import { orderIdOf } from "../messages.ts";
import { needOrder } from "../store/change-order.ts";
import { findCustomerOrders } from "../store/customer-orders.ts";
import { findOrders } from "../store/orders.ts";

/** Orders per request. One command changes them all. */
const MAX_ORDERS = 100;

/** Initial and maximum pause between polls for the ends of sagas that run in another process; the pause doubles. */
const LOOK_MS = { first: 20, most: 500 };

/**
 * Erases the personal data of the orders themselves and starts the sagas that erase the rest, in one command with
 * the audit trail and the response: once the RPC has returned, the erasure survives any crash.
 */
export function anonymizeCustomer(ctx: OrderContext): ServiceImpl<typeof CustomerService>["anonymizeCustomer"] {
  const method = CustomerService.method.anonymizeCustomer;
  return async (request, call) => {
    const { tenant } = principalOf(call);
    if (request.customerId === "" && request.email.trim() === "" && request.orders.length === 0) {
      const description = "is required, unless `email` or `orders` is given";
      throw invalidArgument([{ field: "customer_id", description }]);
    }
    if (request.validateOnly) {
      return toResponse(await choose(ctx.db.kysely, tenant, request));
    }
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock: ctx.clock };
    const response = await prepareAndExecuteOnce(
      ctx.commands,
      { ...mutation, signal: call.signal },
      {
        prepare: () => choose(ctx.db.kysely, tenant, request),
        command: (choice) => anonymize(ctx, call, choice),
      },
    );
    const waitMs = request.wait ? durationMs(request.wait) : 0;
    return waitMs > 0 ? untilErased(ctx, response, { waitMs, signal: call.signal }) : response;
  };
}

/** The orders selected by a request. */
interface Choice {
  readonly ended: readonly Order[];
  readonly underWay: readonly Order[];
  /** Names that match no order. */
  readonly unknown: readonly string[];
  readonly hasMore: boolean;
}

async function choose(
  db: Kysely<OrderDatabase>,
  tenant: string,
  { customerId, email, orders: names }: AnonymizeCustomerRequest,
): Promise<Choice> {
  const found = await findCustomerOrders(db, {
    tenant,
    customerId,
    email: email.trim().toLowerCase(),
    limit: MAX_ORDERS + 1,
  });
  // A malformed name is skipped like one that matches no order.
  const named = names.map((name) => name.slice("orders/".length));
  const ids = [...new Set([...named, ...found.ended, ...found.underWay])];
  const orders = ids.length === 0 ? [] : await findOrders(db, tenant, ids);
  const known = new Set(orders.map(({ id }) => id));
  // Named orders come first, so that a request that names all of its orders anonymizes them all.
  orders.sort((a, b) => Number(named.includes(b.id)) - Number(named.includes(a.id)) || (a.id < b.id ? -1 : 1));
  const ended = orders.filter(hasEnded);
  return {
    ended: ended.slice(0, MAX_ORDERS),
    underWay: orders.filter((order) => !hasEnded(order)).slice(0, MAX_ORDERS),
    unknown: named.filter((id) => !known.has(id)).map(orderName),
    hasMore: ended.length > MAX_ORDERS,
  };
}

/** The command that anonymizes the chosen orders that have ended. */
function anonymize(
  ctx: OrderContext,
  call: HandlerContext,
  { ended, underWay, ...choice }: Choice,
): Command<AnonymizeCustomerResponse> {
  const moment = { actor: actorOf(principalOf(call)), at: ctx.clock.now().getTime() };
  return {
    keys(need) {
      for (const order of ended) {
        needOrder(need, order);
      }
    },
    decide(batch) {
      const done: { order: Order; saga: string }[] = [];
      const changed: Order[] = [];
      for (const { tenant, id } of ended.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
        const begun = beginErasure(batch, ctx, { tenant, id }, { moment, deletes: false });
        if (begun === undefined || "underWay" in begun) {
          changed.push(...(begun === undefined ? [] : [begun.underWay]));
          continue;
        }
        const { order, sagaId } = begun;
        const aggregate = orderName(order);
        auditTrail(call, { resource: aggregate, aggregate, details: { saga: `sagas/${sagaId}` } }).forEach(
          batch.publish,
        );
        done.push({ order, saga: `sagas/${sagaId}` });
      }
      const sagas = new Map(done.map(({ order, saga }) => [order.id, saga]));
      const anonymized = done.map(({ order }) => order);
      return toResponse({ ...choice, ended: anonymized, underWay: [...underWay, ...changed] }, sagas);
    },
  };
}

function toResponse(
  { ended, underWay, unknown, hasMore }: Choice,
  sagas: ReadonlyMap<string, string> = new Map(),
): AnonymizeCustomerResponse {
  return create(AnonymizeCustomerResponseSchema, {
    anonymizedOrders: ended.map((order) => ({ order: orderName(order), saga: sagas.get(order.id) ?? "" })),
    skippedOrders: [
      ...underWay.map((order) => ({
        order: orderName(order),
        reason: Reason.NOT_ENDED,
        state: Order_State[order.state],
      })),
      ...unknown.map((order) => ({ order, reason: Reason.NOT_FOUND })),
    ],
    hasMore,
  });
}

/** Returns the response once every saga has ended, or the current state at the deadline or on cancellation. */
async function untilErased(
  { sagas, clock, changed }: OrderContext,
  response: AnonymizeCustomerResponse,
  { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<AnonymizeCustomerResponse> {
  const until = clock.monotonicMs() + waitMs;
  for (const anonymizedOrder of response.anonymizedOrders) {
    for (let lookMs = LOOK_MS.first; !signal.aborted; lookMs = Math.min(2 * lookMs, LOOK_MS.most)) {
      const leftMs = until - clock.monotonicMs();
      const woken = changed.wait(orderIdOf(anonymizedOrder.order), Math.min(lookMs, Math.max(leftMs, 0)), signal);
      const saga = await sagas.get(anonymizedOrder.saga.slice("sagas/".length));
      anonymizedOrder.done = saga === undefined || saga.status === "SUCCEEDED";
      if (anonymizedOrder.done || saga?.status === "NEEDS_ATTENTION" || leftMs <= 0) {
        break;
      }
      await woken;
    }
  }
  return response;
}
