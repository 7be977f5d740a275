import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { InventoryService, type ListItemsRequestSchema } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import type { ListShipmentsRequestSchema } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
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
import { createRetryInterceptor, type RetryOptions } from "./retry.ts";
import { type WatchOptions, watchOrders } from "./watch-orders.ts";

/** How to reach a Docket. */
export interface DocketOptions {
  /** For example `https://orders.example.com`; default `http://127.0.0.1:8080`. */
  readonly baseUrl?: string | undefined;
  /** An API key (`dk_…`) or a JWT. */
  readonly apiKey?: string | undefined;
  /** How long a call may take with all its tries, in milliseconds; default 30,000. A call's own option goes before it. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: RetryOptions | undefined;
  /** JSON on the wire in place of binary, to read along in a browser's developer tools. */
  readonly useJson?: boolean | undefined;
  /** Default: the platform's own. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Run outside the SDK's own. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

/** How `placeOrder` behaves. */
export interface PlaceOrderOptions {
  /** Repeating an order with the same id is safe; made when missing. */
  readonly requestId?: string | undefined;
  /** How long to wait until the order rests, in milliseconds, 60,000 at most; default 20,000. */
  readonly waitMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A Docket, as its clients see it. Failures of any call are `DocketError`s. */
export type Docket = ReturnType<typeof createDocket>;

/** Makes a client of a Docket; nothing is sent yet. Works in Node and in browsers. */
export function createDocket(options: DocketOptions = {}) {
  const baseUrl = (options.baseUrl ?? "http://127.0.0.1:8080").replace(/\/+$/, "");
  const { apiKey, timeoutMs = 30_000, fetch = globalThis.fetch } = options;
  const transport = createConnectTransport({
    baseUrl,
    fetch,
    useBinaryFormat: options.useJson !== true,
    defaultTimeoutMs: timeoutMs,
    interceptors: [...(options.interceptors ?? []), createRetryInterceptor(options.retry), withKey(apiKey)],
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
    customers: createTypedClient(CustomerService, transport),

    /**
     * Creates an order and waits until it rests: it is confirmed, or awaits payment; with a `paymentToken` the latter only
     * where the shopper must act (`paymentAction`).
     *
     * @throws DocketError FAILED_PRECONDITION `OUT_OF_STOCK` with `sku`, `wanted` and `available` in its metadata, or
     *   `PAYMENT_FAILED` where the payment is declined; both with `order`
     */
    placeOrder: (order: MessageInitShape<typeof OrderSchema>, place: PlaceOrderOptions = {}): Promise<Order> => {
      const waitMs = place.waitMs ?? 20_000;
      return orders.createOrder(
        { order, wait: durationFromMs(waitMs), requestId: place.requestId ?? crypto.randomUUID() },
        { timeoutMs: Math.max(timeoutMs, waitMs + 10_000), ...(place.signal && { signal: place.signal }) },
      );
    },

    /** Follows changes of orders, over broken connections too. */
    watchOrders: (request: Parameters<typeof watchOrders>[1] = {}, watch: WatchOptions = {}) =>
      watchOrders(orders, request, watch),

    /** Creates orders from a CSV or NDJSON file. */
    importOrders: (source: ImportSource, how: ImportOptions) => importOrders({ baseUrl, apiKey, fetch }, source, how),

    /** All orders that match, page by page as they are needed. */
    listOrders: (request: MessageInitShape<typeof ListOrdersRequestSchema> = {}) =>
      paged(
        (pageToken) => orders.listOrders({ ...request, pageToken }),
        (page) => page.orders,
      ),

    /** An order's timeline, the oldest entry first. */
    listOrderEvents: (request: MessageInitShape<typeof ListOrderEventsRequestSchema>) =>
      paged(
        (pageToken) => orders.listOrderEvents({ ...request, pageToken }),
        (page) => page.events,
      ),

    /** All items that match. */
    listItems: (request: MessageInitShape<typeof ListItemsRequestSchema> = {}) =>
      paged(
        (pageToken) => items.listItems({ ...request, pageToken }),
        (page) => page.items,
      ),

    /** All payments that match; `orders/-` is the parent of all. */
    listPayments: (request: MessageInitShape<typeof ListPaymentsRequestSchema>) =>
      paged(
        (pageToken) => payments.listPayments({ ...request, pageToken }),
        (page) => page.payments,
      ),

    /** All shipments that match; `orders/-` is the parent of all. */
    listShipments: (request: MessageInitShape<typeof ListShipmentsRequestSchema>) =>
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
