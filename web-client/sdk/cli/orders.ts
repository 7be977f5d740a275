import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fromJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type Order, Order_State, OrderEventSchema, OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import { WatchOrdersResponseSchema } from "../../../gen/docket/order/v1/order_service_pb.js";
import type { Docket } from "../docket.ts";
import { contextOf, parseCount, type Surroundings } from "./context.ts";
import { findOrder, orderArgument } from "./find-order.ts";
import { orderColumns, orderText } from "./order-text.ts";
import { take } from "./text.ts";

/** `docket orders …` */
export function addOrderCommands(program: Command, surroundings: Surroundings): void {
  const orders = program.command("orders").description("list, show, create, cancel, hold, release and watch orders");

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
    .argument("<order>", orderArgument)
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

  const addTransition = (
    verb: string,
    description: string,
    move: (docket: Docket, request: { name: string; note: string }) => Promise<Order>,
  ) =>
    orders
      .command(verb)
      .description(description)
      .argument("<order>", orderArgument)
      .option("--note <text>", "why, for the timeline")
      .action(async (name: string, { note = "" }: { note?: string }, command: Command) => {
        const { docket, output } = contextOf(command, surroundings);
        const order = await move(docket, { name: (await findOrder(docket, name)).name, note });
        output.one(OrderSchema, order, `${order.name} is ${Order_State[order.state]}`);
      });

  addTransition("cancel", "cancel an order", (docket, request) => docket.orders.cancelOrder(request));
  addTransition("hold", "stop an order where it is, until it is released", (docket, request) =>
    docket.orders.holdOrder(request),
  );
  addTransition("release", "let an order go on that is on hold or needs attention", (docket, request) =>
    docket.orders.releaseOrder(request),
  );

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
