import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { RawBuilder, SqlBool } from "kysely";
import {
  type OrderService,
  type WatchOrdersResponse,
  WatchOrdersResponseSchema,
} from "../../../gen/docket/order/v1/order_service_pb.js";
import { decodePageToken, encodePageToken } from "../../runtime/api/page-token.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { compileFilter } from "../../runtime/db/filter-sql.ts";
import { invalidArgument, unavailable } from "../../runtime/errors.ts";
import type { OrderContext } from "../context.ts";
import { resumeTokenExpired } from "../errors.ts";
import type { FeedBatch } from "../feed-tail.ts";
import { toEventMessage, toOrderMessage } from "../messages.ts";
import { feedEnds } from "../store/feed.ts";
import { findMatching } from "../store/list-orders.ts";
import { orderFilterFields } from "../store/order-filter.ts";

/** Interval at which a watcher whose filter matches nothing receives its current position. */
const TOKEN_EVERY_MS = 10_000;

/**
 * Streams the feed from a position on. The first message carries that position, so that a watcher that has seen no
 * change yet can resume without a gap. When the process shuts down, the stream ends with its current position and
 * UNAVAILABLE, reason `SHUTTING_DOWN`; the caller then resumes elsewhere with its last token. A token remains valid for
 * another filter.
 */
export function watchOrders(ctx: OrderContext): ServiceImpl<typeof OrderService>["watchOrders"] {
  const fields = orderFilterFields(ctx.db.dialect);
  return async function* watch(request, call) {
    const { tenant } = principalOf(call);
    const where = compileFilter(request.filter, fields, ctx.db.dialect);
    let position = await startOf(ctx, tenant, request.resumeToken);
    yield tokenAlone(position, tenant);
    let tokenSentAtMs = ctx.clock.monotonicMs();
    // A generator that is not resumed never reaches its `finally`, so the signal ends the subscription.
    const feed = ctx.feedTail.subscribe(tenant, AbortSignal.any([call.signal, ctx.draining]));

    for (let batch = await feed.next(position); batch; batch = await feed.next(position)) {
      for (const response of await responses(ctx, tenant, batch, { after: position, filter: request.filter, where })) {
        yield response;
        tokenSentAtMs = ctx.clock.monotonicMs();
      }
      position = batch.items.at(-1)?.position ?? position;
      if (ctx.clock.monotonicMs() - tokenSentAtMs >= TOKEN_EVERY_MS) {
        yield tokenAlone(position, tenant);
        tokenSentAtMs = ctx.clock.monotonicMs();
      }
    }
    if (ctx.draining.aborted && !call.signal.aborted) {
      yield tokenAlone(position, tenant);
      throw unavailable("SHUTTING_DOWN", "the server is shutting down: resume with the last resume token", {
        retryAfterMs: 0,
      });
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
    throw invalidArgument(
      [{ field: "resume_token", description: "is not a resume token of this method" }],
      "INVALID_RESUME_TOKEN",
    );
  }
  if (position < pruned) {
    throw resumeTokenExpired();
  }
  return position;
}

interface Watched {
  readonly after: number;
  readonly filter: string;
  readonly where: RawBuilder<SqlBool> | undefined;
}

/** Messages for one batch. Watchers with the same filter share the query for its orders. */
async function responses(
  { db }: OrderContext,
  tenant: string,
  { items, matching }: FeedBatch,
  { after, filter, where }: Watched,
): Promise<WatchOrdersResponse[]> {
  let matches = matching.get(filter);
  if (matches === undefined) {
    // Not cancelled with the call, because other watchers wait for it too.
    const reads = db.reading({ caller: `${tenant} watch` });
    const ids = [...new Set(items.map(({ orderId }) => orderId))];
    matches = findMatching(reads, tenant, ids, where).then((found) => new Map(found.map((order) => [order.id, order])));
    matching.set(filter, matches);
  }
  const orders = await matches;
  return items.flatMap(({ orderId, entry, position }) => {
    const order = position > after ? orders.get(orderId) : undefined;
    return order === undefined
      ? []
      : create(WatchOrdersResponseSchema, {
          event: toEventMessage(orderId, entry),
          order: toOrderMessage(order),
          resumeToken: tokenOf(position, tenant),
        });
  });
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
    throw invalidArgument(
      [{ field: "resume_token", description: "is not a resume token of this method" }],
      "INVALID_RESUME_TOKEN",
    );
  }
}
