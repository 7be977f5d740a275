import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { InventoryService, type ListItemsRequestSchema } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import type { ListShipmentsRequestSchema } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { DeadLetterService } from "../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { SagaService } from "../../gen/docket/operations/v1/saga_service_pb.js";
import { CustomerService } from "../../gen/docket/order/v1/customer_service_pb.js";
import type { Order, OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import {
  type ListOrderEventsRequestSchema,
  type ListOrdersRequestSchema,
  OrderService,
} from "../../gen/docket/order/v1/order_service_pb.js";
import { type ListPaymentsRequestSchema, PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import { createTypedClient } from "./client.ts";
import { type ImportOptions, type ImportSource, importOrders } from "./import-orders.ts";
import { paged } from "./pages.ts";
import { withReadPosition } from "./read-position.ts";
import type { RequestShape } from "./request-shape.ts";
import { createRetryInterceptor, type RetryOptions } from "./retry.ts";
import { type WatchOptions, watchOrders } from "./watch-orders.ts";

/** Connection options. */
export interface DocketOptions {
  /** For example `https://orders.example.com`; default `http://127.0.0.1:8080`. */
  readonly baseUrl?: string | undefined;
  /** An API key (`dk_…`) or a JWT. */
  readonly apiKey?: string | undefined;
  /** Timeout of a call including all retries, in milliseconds; default 30,000. A call's own option takes precedence. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: RetryOptions | undefined;
  /** Uses JSON on the wire instead of binary, readable in a browser's developer tools. */
  readonly useJson?: boolean | undefined;
  /** Default: the platform's `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Interceptors that run outside the SDK's own. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

/** Options of `placeOrder`. */
export interface PlaceOrderOptions {
  /** Idempotency key. A repeated order with the same id is safe. Generated if missing. */
  readonly requestId?: string | undefined;
  /** How long to wait for the order to settle, in milliseconds; at most 60,000, default 20,000. */
  readonly waitMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A client of a Docket server. Calls reject with `DocketError`. */
export type Docket = ReturnType<typeof createDocket>;

/** Creates a client of a Docket server without connecting yet. Works in Node and in browsers. */
export function createDocket(options: DocketOptions = {}) {
  const baseUrl = (options.baseUrl ?? "http://127.0.0.1:8080").replace(/\/+$/, "");
  const { apiKey, timeoutMs = 30_000, fetch = globalThis.fetch } = options;
  const transport = createConnectTransport({
    baseUrl,
    fetch,
    useBinaryFormat: options.useJson !== true,
    defaultTimeoutMs: timeoutMs,
    interceptors: [
      ...(options.interceptors ?? []),
      createRetryInterceptor(options.retry),
      withReadPosition(),
      withKey(apiKey),
    ],
  });
  const orders = createTypedClient(OrderService, transport);
  const items = createTypedClient(InventoryService, transport);
  const payments = createTypedClient(PaymentService, transport);
  const shipments = createTypedClient(LogisticsService, transport);

  return {
    orders,
    items,
    payments,
    shipments,
    apiKeys: createTypedClient(ApiKeyService, transport),
    sagas: createTypedClient(SagaService, transport),
    deadLetters: createTypedClient(DeadLetterService, transport),
    customers: createTypedClient(CustomerService, transport),

    /**
     * Creates an order and waits until it settles: confirmed, or awaiting payment. With a `paymentToken`, the latter
     * counts only if the shopper must act (`paymentAction`).
     *
     * @throws DocketError FAILED_PRECONDITION `OUT_OF_STOCK` with `sku`, `wanted` and `available` in its metadata, or
     *   `PAYMENT_FAILED` if the payment is declined; both with `order`
     */
    placeOrder: (order: RequestShape<typeof OrderSchema>, place: PlaceOrderOptions = {}): Promise<Order> => {
      const waitMs = place.waitMs ?? 20_000;
      return orders.createOrder(
        { order, wait: durationFromMs(waitMs), requestId: place.requestId ?? crypto.randomUUID() },
        { timeoutMs: Math.max(timeoutMs, waitMs + 10_000), ...(place.signal && { signal: place.signal }) },
      );
    },

    /** Streams changes of orders, and resumes after broken connections. */
    watchOrders: (request: Parameters<typeof watchOrders>[1] = {}, watch: WatchOptions = {}) =>
      watchOrders(orders, request, watch),

    /** Creates orders from a CSV or NDJSON file. */
    importOrders: (source: ImportSource, how: ImportOptions) => importOrders({ baseUrl, apiKey, fetch }, source, how),

    /** Lists all matching orders. Pages are fetched on demand. */
    listOrders: (request: RequestShape<typeof ListOrdersRequestSchema> = {}) =>
      paged(
        (pageToken) => orders.listOrders({ ...request, pageToken }),
        (page) => page.orders,
      ),

    /** Lists an order's timeline, oldest entry first. */
    listOrderEvents: (request: RequestShape<typeof ListOrderEventsRequestSchema>) =>
      paged(
        (pageToken) => orders.listOrderEvents({ ...request, pageToken }),
        (page) => page.events,
      ),

    /** Lists all matching items. */
    listItems: (request: RequestShape<typeof ListItemsRequestSchema> = {}) =>
      paged(
        (pageToken) => items.listItems({ ...request, pageToken }),
        (page) => page.items,
      ),

    /** Lists all matching payments. The parent `orders/-` includes all orders. */
    listPayments: (request: RequestShape<typeof ListPaymentsRequestSchema>) =>
      paged(
        (pageToken) => payments.listPayments({ ...request, pageToken }),
        (page) => page.payments,
      ),

    /** Lists all matching shipments. The parent `orders/-` includes all orders. */
    listShipments: (request: RequestShape<typeof ListShipmentsRequestSchema>) =>
      paged(
        (pageToken) => shipments.listShipments({ ...request, pageToken }),
        (page) => page.shipments,
      ),
  };
}

function withKey(apiKey: string | undefined): Interceptor {
  return (next) => (request) => {
    if (apiKey !== undefined) {
      request.header.set("authorization", `Bearer ${apiKey}`);
    }
    return next(request);
  };
}
