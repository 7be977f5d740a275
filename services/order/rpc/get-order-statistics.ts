import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { Order_State } from "../../../gen/docket/order/v1/order_pb.js";
import { type OrderService, OrderStatisticsSchema } from "../../../gen/docket/order/v1/order_service_pb.js";
import { DateSchema } from "../../../gen/google/type/date_pb.js";
import type { Money } from "../../../gen/google/type/money_pb.js";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import { toMoney } from "../../runtime/values/money.ts";
import type { OrderContext } from "../context.ts";
import { orderStates } from "../domain/order-state.ts";
import { countOrders, type OrderCount } from "../store/statistics.ts";

const MAX_DAYS = 400;
const earning: ReadonlySet<string> = new Set(["CONFIRMED", "FULFILLING", "COMPLETED"]);

/** Runs one statement over the index of creation times. Of more than 400 days, returns the newest. */
export function getOrderStatistics({ db }: OrderContext): ServiceImpl<typeof OrderService>["getOrderStatistics"] {
  return async ({ startTime, endTime }, call) => {
    const from = startTime ? timestampMs(startTime) : 0;
    const until = endTime ? timestampMs(endTime) : Number.MAX_SAFE_INTEGER;
    if (from > until) {
      throw invalidArgument([{ field: "end_time", description: "must not be before start_time" }]);
    }
    const { tenant } = principalOf(call);
    const counts = await countOrders(readsFor(db, call), db.dialect, { tenant, from, until });
    const byState = Map.groupBy(counts, ({ state }) => state);
    const byDay = Map.groupBy(counts, ({ day }) => day);
    return create(OrderStatisticsSchema, {
      states: orderStates.flatMap((state) => {
        const of = byState.get(state);
        return of
          ? [{ state: Order_State[state], orderCount: countOf(of), totals: sumsOf(of, ({ total }) => total) }]
          : [];
      }),
      days: [...byDay].slice(-MAX_DAYS).map(([day, of]) => ({
        date: dateOf(day),
        orderCount: countOf(of),
        ...revenueOf(of),
      })),
      orderCount: countOf(counts),
      ...revenueOf(counts),
    });
  };
}

function countOf(counts: readonly OrderCount[]): bigint {
  return BigInt(counts.reduce((sum, { count }) => sum + count, 0));
}

/** Totals revenue, refunds and net revenue of the orders that earn. */
function revenueOf(counts: readonly OrderCount[]) {
  const earned = counts.filter(({ state }) => earning.has(state));
  return {
    revenue: sumsOf(earned, ({ total }) => total),
    refunded: sumsOf(earned, ({ refunded }) => refunded),
    netRevenue: sumsOf(earned, ({ total, refunded }) => total - refunded),
  };
}

/** One amount per currency, sorted by currency code. */
function sumsOf(counts: readonly OrderCount[], amountOf: (count: OrderCount) => bigint): Money[] {
  const sums = new Map<string, bigint>();
  for (const count of counts) {
    sums.set(count.currency, (sums.get(count.currency) ?? 0n) + amountOf(count));
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([currency, minor]) => toMoney({ currency, minor }));
}

function dateOf(day: number) {
  const date = new Date(day);
  return create(DateSchema, {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
  });
}
