import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { Order_State } from "../../../gen/docket/order/v1/order_pb.js";
import { type OrderStatistics, OrderStatisticsSchema } from "../../../gen/docket/order/v1/order_service_pb.js";
import type { Money } from "../../../gen/google/type/money_pb.js";
import { contextOf, parseTime, type Surroundings } from "./context.ts";
import { moneyText } from "./order-text.ts";

const sumText = (sums: readonly Money[]) => sums.map(moneyText).join(", ") || "0";

function statisticsText({ states, orderCount, revenue, refunded, netRevenue }: OrderStatistics): string {
  return [
    `orders       ${orderCount}`,
    ...states.map(
      ({ state, orderCount: count, totals }) =>
        `  ${(Order_State[state] ?? String(state)).padEnd(16)}  ${String(count).padStart(8)}  ${sumText(totals)}`,
    ),
    `revenue      ${sumText(revenue)}`,
    `refunded     ${sumText(refunded)}`,
    `net revenue  ${sumText(netRevenue)}`,
  ].join("\n");
}

/** `docket stats` */
export function addStatisticsCommand(program: Command, surroundings: Surroundings): void {
  program
    .command("stats")
    .description("count orders and sum up revenue; with --json by day too")
    .option("--from <time>", "orders created from then on, for example 2027-01-01", parseTime)
    .option("--until <time>", "orders created before then", parseTime)
    .action(async ({ from, until }: { from?: Date; until?: Date }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const statistics = await docket.orders.getOrderStatistics({
        ...(from && { startTime: timestampFromDate(from) }),
        ...(until && { endTime: timestampFromDate(until) }),
      });
      output.one(OrderStatisticsSchema, statistics, statisticsText(statistics));
    });
}
