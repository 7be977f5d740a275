import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import { CustomerService } from "../../gen/docket/order/v1/customer_service_pb.js";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import type { OrderContext } from "./context.ts";
import { announceShipment } from "./rpc/announce-shipment.ts";
import { anonymizeCustomer } from "./rpc/anonymize-customer.ts";
import { batchCreateOrders } from "./rpc/batch-create-orders.ts";
import { batchGetOrders } from "./rpc/batch-get-orders.ts";
import { cancelOrder } from "./rpc/cancel-order.ts";
import { cancelOrderLines } from "./rpc/cancel-order-lines.ts";
import { createOrder } from "./rpc/create-order.ts";
import { exportOrders } from "./rpc/export-orders.ts";
import { getOrder } from "./rpc/get-order.ts";
import { getOrderStatistics } from "./rpc/get-order-statistics.ts";
import { holdOrder } from "./rpc/hold-order.ts";
import { importOrders } from "./rpc/import-orders.ts";
import { listOrderEvents } from "./rpc/list-order-events.ts";
import { listOrders } from "./rpc/list-orders.ts";
import { lookupOrder } from "./rpc/lookup-order.ts";
import { releaseOrder } from "./rpc/release-order.ts";
import { updateOrder } from "./rpc/update-order.ts";
import { watchOrders } from "./rpc/watch-orders.ts";

/** The RPCs of the order service, each implemented in its own file. */
export const routes = (ctx: OrderContext): ServiceImplSpec[] => [
  createServiceImplSpec<typeof OrderService>(OrderService, {
    createOrder: createOrder(ctx),
    batchCreateOrders: batchCreateOrders(ctx),
    getOrder: getOrder(ctx),
    batchGetOrders: batchGetOrders(ctx),
    lookupOrder: lookupOrder(ctx),
    listOrders: listOrders(ctx),
    updateOrder: updateOrder(ctx),
    cancelOrder: cancelOrder(ctx),
    cancelOrderLines: cancelOrderLines(ctx),
    announceShipment: announceShipment(ctx),
    holdOrder: holdOrder(ctx),
    releaseOrder: releaseOrder(ctx),
    listOrderEvents: listOrderEvents(ctx),
    watchOrders: watchOrders(ctx),
    importOrders: importOrders(ctx),
    exportOrders: exportOrders(ctx),
    getOrderStatistics: getOrderStatistics(ctx),
  } satisfies ServiceImpl<typeof OrderService>),

  createServiceImplSpec<typeof CustomerService>(CustomerService, {
    anonymizeCustomer: anonymizeCustomer(ctx),
  } satisfies ServiceImpl<typeof CustomerService>),
];
