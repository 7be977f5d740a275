import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { createTypedClient } from "./client.ts";
import { watchOrders } from "./watch-orders.ts";

/** Streams 1, 2, 3, … after the token and breaks the connection after every second message. */
function numbers(breaksWith: ConnectError) {
  const resumedFrom: string[] = [];
  const transport = createRouterTransport(({ service }) =>
    service(OrderService, {
      async *watchOrders({ resumeToken }) {
        resumedFrom.push(resumeToken);
        const first = Number(resumeToken || "0") + 1;
        yield { event: {}, resumeToken: String(first) };
        yield { event: {}, resumeToken: String(first + 1) };
        throw breaksWith;
      },
    }),
  );
  return { resumedFrom, orders: createTypedClient(OrderService, transport) };
}

async function take(count: number, watched: AsyncIterable<{ resumeToken: string }>) {
  const tokens: string[] = [];
  for await (const { resumeToken } of watched) {
    tokens.push(resumeToken);
    if (tokens.length === count) break;
  }
  return tokens;
}

describe("watchOrders", () => {
  test("resumes after the last message received", async () => {
    const { orders, resumedFrom } = numbers(new ConnectError("gone", Code.Unavailable));
    const tokens = await take(5, watchOrders(orders, {}, { reconnectMs: 1 }));
    expect(tokens).toEqual(["1", "2", "3", "4", "5"]);
    expect(resumedFrom).toEqual(["", "2", "4"]);
  });

  test("resumes from the start position if the connection breaks before the first change, and hides messages with only a token", async () => {
    const resumedFrom: string[] = [];
    const transport = createRouterTransport(({ service }) =>
      service(OrderService, {
        async *watchOrders({ resumeToken }) {
          resumedFrom.push(resumeToken);
          yield { resumeToken: "7" };
          if (resumeToken === "") throw new ConnectError("gone", Code.Unavailable);
          yield { event: {}, resumeToken: "8" };
        },
      }),
    );
    const orders = createTypedClient(OrderService, transport);
    expect(await take(1, watchOrders(orders, {}, { reconnectMs: 1 }))).toEqual(["8"]);
    expect(resumedFrom).toEqual(["", "7"]);
  });

  test("starts from the caller's token", async () => {
    const { orders } = numbers(new ConnectError("gone", Code.Unavailable));
    expect(await take(1, watchOrders(orders, { resumeToken: "41" }))).toEqual(["42"]);
  });

  test("stops after errors that cannot be retried", async () => {
    const { orders } = numbers(new ConnectError("no", Code.PermissionDenied));
    await expect(take(9, watchOrders(orders, {}, { reconnectMs: 1 }))).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
    });
  });

  test("ends without an error when its signal is aborted", async () => {
    const { orders } = numbers(new ConnectError("gone", Code.Unavailable));
    const end = new AbortController();
    const tokens: string[] = [];
    for await (const { resumeToken } of watchOrders(orders, {}, { signal: end.signal, reconnectMs: 1 })) {
      tokens.push(resumeToken);
      if (tokens.length === 3) end.abort();
    }
    expect(tokens.slice(0, 3)).toEqual(["1", "2", "3"]);
    expect(tokens.length).toBeLessThanOrEqual(4);
  });
});
