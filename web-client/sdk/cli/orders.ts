import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fromJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type Order, Order_State, OrderEventSchema, OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import { WatchOrdersResponseSchema } from "../../../gen/docket/order/v1/order_service_pb.js";
import type { Docket } from "../docket.ts";
import { contextOf, parseCount, type Surroundings } from "./context.ts";
import { orderColumns, orderText } from "./order-text.ts";

/** `docket orders …` */
export function addOrderCommands(program: Command, surroundings: Surroundings): void {
  const orders = program.command("orders").description("list, show, create, cancel and watch orders");

  orders
    .command("list")
    .description("list orders, the newest first")
    .option("-f, --filter <filter>", 'which orders, for example: state = CONFIRMED AND customer.id = "c1"')
    .option("-o, --order-by <fields>", "by what to sort, for example: total desc")
    .option("-n, --limit <count>", "how many at the most", parseCount, 50)
    .action(async (options: { filter?: string; orderBy?: string; limit: number }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const { filter = "", orderBy = "", limit } = options;
      const found = docket.listOrders({ filter, orderBy, pageSize: Math.min(limit, 1000) });
      await output.rows(OrderSchema, take(found, limit), orderColumns);
    });

  orders
    .command("get")
    .description("show an order with its timeline")
    .argument("<order>", "its name (orders/…), its id, or your own order number")
    .action(async (name: string, _options: unknown, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const order = await findOrder(docket, name);
      output.one(OrderSchema, order, orderText(order));
      if (!output.isJson) {
        await output.rows(OrderEventSchema, docket.listOrderEvents({ parent: order.name }), {
          TIME: ({ createTime }) => (createTime ? timestampDate(createTime).toISOString() : ""),
          EVENT: ({ type }) => type,
          STATE: ({ state }) => Order_State[state] ?? "",
          MESSAGE: ({ message }) => message,
        });
      }
    });

  orders
    .command("create")
    .description("create an order from JSON, the body of POST /v1/orders")
    .argument("[file]", "the file; - or nothing: standard input", "-")
    .option("-w, --wait <seconds>", "wait until the order rests, this long at the most", parseCount)
    .option("--request-id <id>", "makes repeating the command safe")
    .action(async (file: string, options: { wait?: number; requestId?: string }, command: Command) => {
      const { docket, output, signal } = contextOf(command, surroundings);
      const json = file === "-" ? await text(surroundings.stdin) : await readFile(file, "utf8");
      const order = fromJsonString(OrderSchema, json);
      const { wait, requestId } = options;
      const key = requestId === undefined ? {} : { requestId };
      const created =
        wait === undefined
          ? await docket.orders.createOrder({ order, ...key }, { signal })
          : await docket.placeOrder(order, { waitMs: wait * 1000, signal, ...key });
      output.one(OrderSchema, created, orderText(created));
    });

  orders
    .command("cancel")
    .description("cancel an order")
    .argument("<order>", "its name (orders/…), its id, or your own order number")
    .option("--note <text>", "why, for the timeline")
    .action(async (name: string, { note = "" }: { note?: string }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const order = await findOrder(docket, name);
      const cancelled = await docket.orders.cancelOrder({ name: order.name, note });
      output.one(OrderSchema, cancelled, `${cancelled.name} is ${Order_State[cancelled.state]}`);
    });

  orders
    .command("watch")
    .description("print changes of orders as they happen, until Ctrl-C")
    .option("-f, --filter <filter>", "which orders")
    .option("--resume-token <token>", "go on after the message with this token")
    .action(async (options: { filter?: string; resumeToken?: string }, command: Command) => {
      const { docket, output, signal } = contextOf(command, surroundings);
      for await (const change of docket.watchOrders(options, { signal })) {
        const { event, order } = change;
        const at = event?.createTime ? timestampDate(event.createTime).toISOString() : "";
        output.one(WatchOrdersResponseSchema, change, `${at}  ${order?.name}  ${event?.type}  ${event?.message ?? ""}`);
      }
    });
}

/** An order by its resource name, its id, or the caller's own number. */
async function findOrder(docket: Docket, name: string): Promise<Order> {
  if (name.startsWith("orders/")) {
    return docket.orders.getOrder({ name });
  }
  if (/^[0-9a-hjkmnp-tv-z]{26}$/.test(name)) {
    return docket.orders.getOrder({ name: `orders/${name}` });
  }
  return docket.orders.lookupOrder({ externalId: name });
}

async function* take<T>(rows: AsyncIterable<T>, limit: number): AsyncGenerator<T> {
  let left = limit;
  for await (const row of rows) {
    yield row;
    left -= 1;
    if (left === 0) {
      return;
    }
  }
}
