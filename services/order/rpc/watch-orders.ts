import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { RawBuilder, SqlBool } from "kysely";
import {
  type OrderService,
  type WatchOrdersResponse,
  WatchOrdersResponseSchema,
} from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { compileFilter } from "../../runtime/db/filter-sql.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import { decodePageToken, encodePageToken } from "../../runtime/page-token.ts";
import type { OrderContext } from "../context.ts";
import type { Order } from "../domain/order.ts";
import { resumeTokenExpired } from "../errors.ts";
import { toEventMessage, toOrderMessage } from "../messages.ts";
import { feedSignal } from "../parts.ts";
import { type FeedItem, feedEnds, readFeed } from "../store/feed.ts";
import { findMatching } from "../store/list-orders.ts";
import { orderFilterFields } from "../store/order-filter.ts";

const BATCH = 100;
/** How often to look for what other processes wrote. */
const LOOK_MS = 250;
/** How often a watcher whose filter lets nothing through is told how far it has come. */
const TOKEN_EVERY_MS = 10_000;

/**
 * Reads the feed from a position on. The first message tells that position, so that a watcher that has seen no change yet
 * misses none when it comes back either. The stream ends when the caller leaves, and by itself when the service drains;
 * the caller then goes on elsewhere with its last token. A token stays good for another filter.
 */
export function watchOrders(ctx: OrderContext): ServiceImpl<typeof OrderService>["watchOrders"] {
  const fields = orderFilterFields(ctx.db.dialect);
  return async function* watch(request, context) {
    const { tenant } = principalOf(context);
    const where = compileFilter(request.filter, fields, ctx.db.dialect);
    let position = await startOf(ctx, tenant, request.resumeToken);
    yield tokenAlone(position, tenant);
    let toldAt = ctx.clock.monotonicMs();
    const ends = AbortSignal.any([context.signal, ctx.draining]);

    while (!ends.aborted) {
      const woken = ctx.changed.wait(feedSignal(tenant), LOOK_MS, ends);
      const items = await readFeed(ctx.db.kysely, tenant, position, BATCH);
      if (items.length === 0) {
        await woken;
        continue;
      }
      for await (const response of responses(ctx, tenant, items, where)) {
        yield response;
        toldAt = ctx.clock.monotonicMs();
      }
      position = items.at(-1)?.position ?? position;
      if (ctx.clock.monotonicMs() - toldAt >= TOKEN_EVERY_MS) {
        yield tokenAlone(position, tenant);
        toldAt = ctx.clock.monotonicMs();
      }
    }
  };
}

async function startOf({ db }: OrderContext, tenant: string, token: string): Promise<number> {
  const { head, pruned } = await feedEnds(db.kysely, tenant);
  if (token === "") {
    return head;
  }
  const position = positionOf(token, tenant);
  if (position > head) {
    throw invalidArgument([{ field: "resume_token", description: "is none of this method's" }], "INVALID_RESUME_TOKEN");
  }
  if (position < pruned) {
    throw resumeTokenExpired();
  }
  return position;
}

async function* responses(
  { db }: OrderContext,
  tenant: string,
  items: readonly FeedItem[],
  where: RawBuilder<SqlBool> | undefined,
): AsyncGenerator<WatchOrdersResponse> {
  const ids = [...new Set(items.map(({ orderId }) => orderId))];
  const orders = await findMatching(db.kysely, tenant, ids, where);
  const byId = new Map<string, Order>(orders.map((order) => [order.id, order]));
  for (const { orderId, entry, position } of items) {
    const order = byId.get(orderId);
    if (order !== undefined) {
      yield create(WatchOrdersResponseSchema, {
        event: toEventMessage(orderId, entry),
        order: toOrderMessage(order),
        resumeToken: tokenOf(position, tenant),
      });
    }
  }
}

function tokenAlone(position: number, tenant: string): WatchOrdersResponse {
  return create(WatchOrdersResponseSchema, { resumeToken: tokenOf(position, tenant) });
}

const tokenQuery = (tenant: string) => ["WatchOrders", tenant];

function tokenOf(position: number, tenant: string): string {
  return encodePageToken(tokenQuery(tenant), [position]);
}

function positionOf(token: string, tenant: string): number {
  try {
    const [position = 0] = decodePageToken(token, tokenQuery(tenant), ["integer"]) ?? [];
    return Number(position);
  } catch {
    throw invalidArgument([{ field: "resume_token", description: "is none of this method's" }], "INVALID_RESUME_TOKEN");
  }
}
