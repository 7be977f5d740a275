import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import type { LogisticsContext } from "./context.ts";
import { anonymizeShipments } from "./rpc/anonymize-shipments.ts";
import { cancelOrderShipments } from "./rpc/cancel-order-shipments.ts";
import { cancelShipment } from "./rpc/cancel-shipment.ts";
import { closeShipment } from "./rpc/close-shipment.ts";
import { createShipment } from "./rpc/create-shipment.ts";
import { fenceOrderShipments } from "./rpc/fence-order-shipments.ts";
import { getShipment } from "./rpc/get-shipment.ts";
import { listShipments } from "./rpc/list-shipments.ts";
import { receiveCarrierCallback } from "./rpc/receive-carrier-callback.ts";
import { syncShipment } from "./rpc/sync-shipment.ts";

/** Registers the RPCs of the logistics service. */
export const routes = (ctx: LogisticsContext): ServiceImplSpec[] => [
  createServiceImplSpec<typeof LogisticsService>(LogisticsService, {
    createShipment: createShipment(ctx),
    getShipment: getShipment(ctx),
    listShipments: listShipments(ctx),
    cancelShipment: cancelShipment(ctx),
    cancelOrderShipments: cancelOrderShipments(ctx),
    closeShipment: closeShipment(ctx),
    fenceOrderShipments: fenceOrderShipments(ctx),
    anonymizeShipments: anonymizeShipments(ctx),
    syncShipment: syncShipment(ctx),
    receiveCarrierCallback: receiveCarrierCallback(ctx),
  } satisfies ServiceImpl<typeof LogisticsService>),
];
