import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { type CreateOrderRequest, OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { createTypedClient } from "./client.ts";
import { createDocket } from "./docket.ts";
import { createRetryInterceptor } from "./retry.ts";

/** An order service that fails with the given error the given number of times, then succeeds. */
function flaky(error: ConnectError, times: number, maxAttempts?: number) {
  const seen: CreateOrderRequest[] = [];
  let left = times;
  const fail = () => {
    left -= 1;
    if (left >= 0) throw error;
  };
  const transport = createRouterTransport(
    ({ service }) =>
      service(OrderService, {
        createOrder(request) {
          seen.push(request);
          fail();
          return { name: "orders/1" };
        },
        getOrder({ name }) {
          fail();
          return { name };
        },
        async *watchOrders() {
          fail();
          yield {};
        },
      }),
    { transport: { interceptors: [createRetryInterceptor({ initialMs: 1, ...(maxAttempts && { maxAttempts }) })] } },
  );
  return { seen, orders: createTypedClient(OrderService, transport) };
}

const down = new ConnectError("down", Code.Unavailable);

describe("retries", () => {
  test("repeat an order under one generated key", async () => {
    const { orders, seen } = flaky(down, 2);
    await expect(orders.createOrder({})).resolves.toMatchObject({ name: "orders/1" });
    expect(seen).toHaveLength(3);
    expect(new Set(seen.map((request) => request.requestId)).size).toBe(1);
    expect(seen[0]?.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("keep the caller's own key", async () => {
    const { orders, seen } = flaky(down, 1);
    await orders.createOrder({ requestId: "mine" });
    expect(seen.map((request) => request.requestId)).toEqual(["mine", "mine"]);
  });

  test("repeat reads", async () => {
    const { orders } = flaky(down, 3);
    await expect(orders.getOrder({ name: "orders/1" })).resolves.toMatchObject({ name: "orders/1" });
  });

  test("end after the last attempt with a typed error", async () => {
    const { orders, seen } = flaky(down, 99, 3);
    await expect(orders.createOrder({})).rejects.toMatchObject({ name: "DocketError", code: "UNAVAILABLE" });
    expect(seen).toHaveLength(3);
  });

  test("skip errors that would recur", async () => {
    const { orders, seen } = flaky(new ConnectError("stale", Code.Aborted), 1);
    await expect(orders.createOrder({})).rejects.toMatchObject({ code: "ABORTED" });
    expect(seen).toHaveLength(1);
  });

  test("wait as long as the server says", async () => {
    const retryDelay = { seconds: 0n, nanos: 60_000_000 };
    const busy = new ConnectError("in progress", Code.Aborted, undefined, [
      { desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) },
    ]);
    const { orders, seen } = flaky(busy, 1);
    const started = performance.now();
    await orders.createOrder({});
    expect(seen).toHaveLength(2);
    expect(performance.now() - started).toBeGreaterThanOrEqual(55);
  });

  test("do not repeat streams, which the reader has partly consumed", async () => {
    const { orders } = flaky(down, 1);
    await expect(Array.fromAsync(orders.watchOrders({}))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});

test("an unreachable server is UNAVAILABLE and retried", async () => {
  let calls = 0;
  const { orders } = createDocket({
    retry: { initialMs: 1, maxAttempts: 3 },
    fetch: async () => {
      calls += 1;
      throw new TypeError("fetch failed");
    },
  });
  await expect(orders.getOrder({ name: "orders/1" })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(calls).toBe(3);
});
