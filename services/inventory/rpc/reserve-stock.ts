import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";

import type { InventoryService, ReserveStockRequest } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import type { Batch, Command } from "../../runtime/commands/command.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { type FieldViolation, invalidArgument } from "../../runtime/errors.ts";
import { expireIfOverdue } from "../close-reservation.ts";
import type { InventoryContext } from "../context.ts";
import {
  holdsExactly,
  isOverdue,
  type ReservationValue,
  type SkuQuantity,
  sumPerSku,
  transition,
} from "../domain/reservation.ts";
import { outOfStock, reservationDiffers, reservationIs } from "../errors.ts";
import { stockChanged } from "../events.ts";
import { reservationIdOf, toReservationMessage } from "../messages.ts";
import { items, reservations } from "../store/mappings.ts";
import { moveInBatch } from "../store/move-in-batch.ts";

/** Far above any warehouse's stock, and far below the overflow of a 64-bit sum. */
const MAX_UNITS = 1_000_000_000_000n;
const MAX_TTL_MS = 366 * 24 * 60 * 60 * 1000;

/**
 * Holds all SKUs or none. The reservation's name is the idempotency key. A repeated request extends a hold, and never
 * shortens it. An overdue hold is expired, and the request refused.
 */
export function reserveStock(ctx: InventoryContext): ServiceImpl<typeof InventoryService>["reserveStock"] {
  const { commands, clock } = ctx;
  return async (request, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const id = reservationIdOf(request.name);
    const asked = { tenant, id, order: request.order, ...parse(request) };
    const nowMs = clock.now().getTime();

    const reserved = await commands.execute(reserve({ ...asked, actor: actorOf(principal), nowMs }), {
      signal: call.signal,
      tenant,
    });
    if (reserved === "overdue") {
      throw reservationIs(await expireIfOverdue(ctx, { tenant, id }), id);
    }
    return toReservationMessage(reserved);
  };
}

interface Wish {
  readonly tenant: string;
  readonly id: string;
  readonly order: string;
  readonly wanted: readonly SkuQuantity[];
  readonly ttlMs: number;
  readonly actor: string;
  /** By the process's clock, for display. Expiry is decided by the database's clock. */
  readonly nowMs: number;
}

function reserve(wish: Wish): Command<ReservationValue | "overdue"> {
  const { tenant, id, order, wanted, ttlMs, actor, nowMs } = wish;
  return {
    keys(need) {
      need.one(reservations, [tenant, id]);
      for (const { sku } of wanted) {
        need.one(items, [tenant, sku]);
      }
    },
    decide(batch) {
      const expiresAt = batch.nowMs + ttlMs;
      const known = batch.get(reservations, [tenant, id]);
      if (known !== undefined) {
        return repeat(batch, asAsked(known, wish), expiresAt);
      }
      const moves = wanted.map(({ sku, quantity }) => ({ sku, onHandDelta: 0n, reservedDelta: quantity }));
      const moved = moveInBatch(batch, tenant, moves, { type: "RESERVATION", reservation: id, actor }, nowMs);
      if ("short" in moved) {
        throw outOfStock(moved.short);
      }
      const lines = wanted.map(({ sku, quantity }) => ({ sku, quantity, consumed: 0n }));
      const times = { expiresAt, createdAt: nowMs, updatedAt: nowMs };
      const reservation = { tenant, id, order, state: "HELD", lines, revision: 0, ...times } as const;
      batch.insert(reservations, reservation);
      for (const item of moved.items) {
        batch.publish(stockChanged(item));
      }
      return reservation;
    },
  };
}

function repeat(batch: Batch, known: ReservationValue, expiresAt: number): ReservationValue | "overdue" {
  if (isOverdue(known, batch.nowMs)) {
    return "overdue";
  }
  if (known.state !== "HELD" || (known.expiresAt ?? 0) >= expiresAt) {
    return known;
  }
  const extended = { ...known, expiresAt };
  batch.update(reservations, extended);
  return extended;
}

/** Returns the reservation. Throws if its content differs from the request or it has been released. */
function asAsked(reservation: ReservationValue, { order, wanted }: Wish): ReservationValue {
  if (transition(reservation.state, "reserve") === "refused") {
    throw reservationIs(reservation.state, reservation.id);
  }
  if (reservation.order !== order || !holdsExactly(reservation.lines, wanted)) {
    throw reservationDiffers(reservation.id);
  }
  return reservation;
}

function parse({ items, ttl, order }: ReserveStockRequest): { wanted: SkuQuantity[]; ttlMs: number } {
  const violations: FieldViolation[] = [];
  const wanted = sumPerSku(items);
  if (wanted.some(({ quantity }) => quantity > MAX_UNITS)) {
    violations.push({ field: "items", description: `must not sum up to more than ${MAX_UNITS} units of a SKU` });
  }
  const ttlMs = ttl ? durationMs(ttl) : 0;
  if (!(ttlMs > 0 && ttlMs <= MAX_TTL_MS)) {
    violations.push({ field: "ttl", description: "must be more than 0 and at most 366 days" });
  }
  if (!/^orders\/[^/]{1,64}$/.test(order)) {
    violations.push({ field: "order", description: "must be an order's name, orders/{order}" });
  }
  if (violations.length > 0) {
    throw invalidArgument(violations);
  }
  return { wanted, ttlMs };
}
