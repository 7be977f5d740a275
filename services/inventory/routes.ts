import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import type { InventoryContext } from "./context.ts";
import { adjustStock } from "./rpc/adjust-stock.ts";
import { anonymizeReservations } from "./rpc/anonymize-reservations.ts";
import { batchGetItems } from "./rpc/batch-get-items.ts";
import { batchUpsertItems } from "./rpc/batch-upsert-items.ts";
import { commitReservation } from "./rpc/commit-reservation.ts";
import { createItem } from "./rpc/create-item.ts";
import { getItem } from "./rpc/get-item.ts";
import { getReservation } from "./rpc/get-reservation.ts";
import { listItems } from "./rpc/list-items.ts";
import { listReservations } from "./rpc/list-reservations.ts";
import { listStockMovements } from "./rpc/list-stock-movements.ts";
import { releaseReservation } from "./rpc/release-reservation.ts";
import { reserveStock } from "./rpc/reserve-stock.ts";
import { resizeReservation } from "./rpc/resize-reservation.ts";
import { updateItem } from "./rpc/update-item.ts";

/** Registers the RPCs of the inventory service. */
export const routes = (ctx: InventoryContext): ServiceImplSpec[] => [
  createServiceImplSpec<typeof InventoryService>(InventoryService, {
    createItem: createItem(ctx),
    getItem: getItem(ctx),
    batchGetItems: batchGetItems(ctx),
    updateItem: updateItem(ctx),
    listItems: listItems(ctx),
    batchUpsertItems: batchUpsertItems(ctx),
    adjustStock: adjustStock(ctx),
    listStockMovements: listStockMovements(ctx),
    reserveStock: reserveStock(ctx),
    commitReservation: commitReservation(ctx),
    releaseReservation: releaseReservation(ctx),
    resizeReservation: resizeReservation(ctx),
    getReservation: getReservation(ctx),
    listReservations: listReservations(ctx),
    anonymizeReservations: anonymizeReservations(ctx),
  } satisfies ServiceImpl<typeof InventoryService>),
];
