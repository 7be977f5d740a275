import { create, type DescField, equals, getOption } from "@bufbuild/protobuf";
import { pathToString, reflect } from "@bufbuild/protobuf/reflect";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Order as OrderMessage, OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { FieldBehavior, field_behavior } from "../../../gen/google/api/field_behavior_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import { applyPaths, updatePaths } from "../../runtime/api/field-mask.ts";
import type { Command } from "../../runtime/commands/command.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import { executeOnce, prepareAndExecuteOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import type { OrderContext } from "../context.ts";
import { type Change, note } from "../domain/changes.ts";
import type { Order } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { localityViolations, regionViolations } from "../domain/region.ts";
import { orderAnonymized, orderInvalid, shipmentExists, wrongState } from "../errors.ts";
import { orderIdOf, toAddress, toCustomer, toOrderMessage } from "../messages.ts";
import { isOver } from "../shipment-units.ts";
import { needOrder, recordChanges } from "../store/change-order.ts";
import { existingOrder } from "./changing/existing-order.ts";
import { checkFence, type FencedShipments, fenceShipments, mayHaveShipments } from "./fencing/fence-shipments.ts";
import { retryIfChanged } from "./fencing/retry-if-changed.ts";

/** Mutable at any time. */
const free = ["labels", "note"];
/** Mutable until the first shipment. */
const untilShipped = [
  "customer.id",
  "customer.display_name",
  "customer.email",
  "customer.phone",
  "shipping_address.recipient",
  "shipping_address.address_lines",
  "shipping_address.locality",
  "shipping_address.administrative_area",
  "shipping_address.postal_code",
  "shipping_address.region_code",
];
const mutable = [...free, ...untilShipped];

/**
 * Updates mutable fields. Supports read-modify-write of a whole order: output-only fields are ignored, and immutable
 * fields may be present with their stored values. An update that changes nothing keeps the etag.
 */
export function updateOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["updateOrder"] {
  const method = OrderService.method.updateOrder;
  const validator = createValidator();

  const validate = (order: OrderMessage) => {
    const result = validator.validate(OrderSchema, order);
    if (result.kind === "error") {
      throw result.error;
    }
    if (result.kind === "invalid") {
      throw invalidArgument(
        result.violations.map(({ field, message, ruleId }) => ({
          field: `order.${pathToString(field)}`,
          description: message || ruleId,
        })),
      );
    }
  };

  return async (request, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const wanted = request.order ?? create(OrderSchema);
    const id = orderIdOf(wanted.name);
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock: ctx.clock };

    const update = (fenced: FencedShipments | undefined): Command<OrderMessage> => ({
      keys: (need) => needOrder(need, { tenant, id }),
      decide(batch) {
        const before = existingOrder(batch, { tenant, id });
        checkEtag(wanted.etag, before.version);
        const { paths, updated, changes } = wantedOf(before, wanted, request.updateMask);
        if (!changes) {
          return toOrderMessage(before);
        }
        if (before.anonymizedAt !== undefined) {
          throw orderAnonymized(before);
        }
        if (dependsOnShipments(paths)) {
          checkChangeable(before, fenced);
        }
        validate(updated);
        checkRegion(updated, paths);
        const moment = { actor: actorOf(principal), at: ctx.clock.now().getTime() };
        return toOrderMessage(recordChanges(batch, ctx, before, [change(before, updated, paths, moment)]));
      },
    });

    const given = request.updateMask?.paths ?? [];
    if (given.length > 0 && !dependsOnShipments(given)) {
      return executeOnce(ctx.commands, mutation, update(undefined));
    }
    const needs = (order: Order) => {
      const { paths, changes } = wantedOf(order, wanted, request.updateMask);
      return changes && dependsOnShipments(paths);
    };
    const prepare = () => fenceShipments(ctx, { tenant, id, call, needs });
    return retryIfChanged(() => prepareAndExecuteOnce(ctx.commands, mutation, { prepare, command: update }));
  };
}

/** The requested changes, and whether they change anything. */
function wantedOf(order: Order, wanted: OrderMessage, mask: FieldMask | undefined) {
  const stored = toOrderMessage(order);
  const paths = pathsOf(stored, wanted, mask);
  const updated = applyPaths(OrderSchema, stored, wanted, paths);
  return { paths, updated, changes: !equals(OrderSchema, stored, updated) };
}

/** An order placed before regions were checked keeps its region until its address changes. */
function checkRegion({ shippingAddress }: OrderMessage, paths: readonly string[]): void {
  const changes = paths.some((path) => path.startsWith("shipping_address"));
  const { locality = "", regionCode = "" } = shippingAddress ?? {};
  const violations = changes ? [...regionViolations(regionCode), ...localityViolations(locality, regionCode)] : [];
  if (violations.length > 0) {
    throw orderInvalid(violations, "order");
  }
}

function dependsOnShipments(paths: readonly string[]): boolean {
  return paths.some((path) => !free.includes(path.split(".")[0] ?? ""));
}

/** Customer and address may change until a shipment carries them, which only the logistics service knows. */
function checkChangeable(order: Order, fenced: FencedShipments | undefined): void {
  const state = effectiveState(order);
  if (state === "PLACING" || state === "AWAITING_PAYMENT") {
    return;
  }
  if (!mayHaveShipments(order)) {
    throw wrongState(order, "changing customer and shipping address");
  }
  const shipment = checkFence(order, fenced).find((candidate) => !isOver(candidate));
  if (shipment !== undefined) {
    throw shipmentExists(order, shipment.name);
  }
}

function change(
  before: Order,
  updated: OrderMessage,
  paths: readonly string[],
  moment: Parameters<typeof note>[2],
): Change {
  const patch = {
    customer: toCustomer(updated.customer),
    shippingAddress: toAddress(updated.shippingAddress),
    labels: { ...updated.labels },
    note: updated.note,
  };
  const fields = [...new Set(paths.map((path) => path.split(".")[0]))].join(",");
  return note(before, { type: "OrderUpdated", message: "The order was changed.", metadata: { fields }, patch }, moment);
}

/** The paths to change, without the unchanged fields of an order that was read and sent back whole. */
function pathsOf(stored: OrderMessage, wanted: OrderMessage, mask: FieldMask | undefined): readonly string[] {
  const given = mask?.paths ?? [];
  if (given.length === 0) {
    return updatePaths(OrderSchema, wanted, undefined, mutable);
  }
  const paths = given.filter((path) => !isPassedOver(path, stored, wanted));
  return paths.length === 0 ? [] : updatePaths(OrderSchema, wanted, create(FieldMaskSchema, { paths }), mutable);
}

function isPassedOver(path: string, stored: OrderMessage, wanted: OrderMessage): boolean {
  const field = OrderSchema.fields.find(({ name }) => name === path.split(".")[0]);
  if (field === undefined) {
    return false;
  }
  const behaves = (behavior: FieldBehavior) => getOption(field, field_behavior).includes(behavior);
  if (field.name === "etag" || behaves(FieldBehavior.OUTPUT_ONLY) || behaves(FieldBehavior.IDENTIFIER)) {
    return true;
  }
  return behaves(FieldBehavior.IMMUTABLE) && sameField(field, stored, wanted);
}

function sameField(field: DescField, stored: OrderMessage, wanted: OrderMessage): boolean {
  const only = (order: OrderMessage) => {
    const message = reflect(OrderSchema, create(OrderSchema));
    const source = reflect(OrderSchema, order);
    if (source.isSet(field)) {
      message.set(field, source.get(field));
    }
    return message.message as OrderMessage;
  };
  return equals(OrderSchema, only(stored), only(wanted));
}
