import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createContextValues, type UnaryRequest } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import {
  CreateOrderRequestSchema,
  GetOrderRequestSchema,
  OrderService,
} from "../../../gen/docket/order/v1/order_service_pb.js";
import { repeatableKey } from "../context-values.ts";
import { createRetryInterceptor } from "./retry.ts";

const away = () => new ConnectError("away", Code.Unavailable);
const read = { method: OrderService.method.getOrder, message: create(GetOrderRequestSchema) };
const { createOrder } = OrderService.method;
const unkeyed = { method: createOrder, message: create(CreateOrderRequestSchema) };
const keyed = { method: createOrder, message: create(CreateOrderRequestSchema, { requestId: "1" }) };

/** Calls through the interceptor, at most three times; the attempts fail in this order, and then they succeed. */
async function call(
  request: Pick<UnaryRequest, "method" | "message"> & Partial<Pick<UnaryRequest, "contextValues">>,
  failures: Error[],
  signal = new AbortController().signal,
) {
  let attempts = 0;
  const retry = createRetryInterceptor({ attempts: 3, backoff: { initialMs: 1, maxMs: 1 }, random: () => 0 });
  const next = retry(async () => {
    const failure = failures[attempts++];
    if (failure !== undefined) {
      throw failure;
    }
    return {} as never;
  });
  const common = { stream: false, service: OrderService, requestMethod: "POST", url: "grpc://orders" };
  const rest = { header: new Headers(), contextValues: createContextValues(), signal };
  const succeeded = await next({ ...common, ...rest, ...request } as UnaryRequest).then(
    () => true,
    () => false,
  );
  return { attempts, succeeded };
}

test.each([
  ["a read", read],
  ["a request with an idempotency key", keyed],
])("repeats %s that ended UNAVAILABLE", async (_, request) => {
  expect(await call(request, [away(), away()])).toEqual({ attempts: 3, succeeded: true });
});

test("gives up after the last attempt", async () => {
  expect(await call(read, [away(), away(), away()])).toEqual({ attempts: 3, succeeded: false });
});

test("does not repeat a change without an idempotency key", async () => {
  expect(await call(unkeyed, [away()])).toEqual({ attempts: 1, succeeded: false });
});

test("does not repeat a read whose caller repeats it", async () => {
  const contextValues = createContextValues().set(repeatableKey, false);
  expect(await call({ ...read, contextValues }, [away()])).toEqual({ attempts: 1, succeeded: false });
});

test("does not repeat what failed otherwise", async () => {
  const refused = new ConnectError("no", Code.FailedPrecondition);
  expect(await call(read, [refused])).toEqual({ attempts: 1, succeeded: false });
});

test("does not repeat a call that was cancelled", async () => {
  expect(await call(read, [away()], AbortSignal.abort())).toEqual({ attempts: 1, succeeded: false });
});
