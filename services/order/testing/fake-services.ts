import { create, type DescMessage, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ServiceImpl } from "@connectrpc/connect";
import {
  type Item,
  ItemSchema,
  Reservation_State,
  ReservationSchema,
} from "../../../gen/docket/inventory/v1/inventory_pb.js";
import {
  BatchGetItemsResponseSchema,
  InventoryService,
} from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import {
  ShipmentCancelledSchema,
  ShipmentCreatedSchema,
  ShipmentDeliveredSchema,
} from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import { type Shipment, Shipment_State, ShipmentSchema } from "../../../gen/docket/logistics/v1/logistics_pb.js";
import {
  CancelOrderShipmentsResponseSchema,
  FenceOrderShipmentsResponseSchema,
  ListShipmentsResponseSchema,
  LogisticsService,
} from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentFailedSchema,
  PaymentMismatchedSchema,
  PaymentRefundedSchema,
  PaymentVoidedSchema,
  RefundFailedSchema,
} from "../../../gen/docket/payment/v1/payment_events_pb.js";
import {
  type Payment,
  Payment_State,
  PaymentSchema,
  Refund_State,
  RefundSchema,
} from "../../../gen/docket/payment/v1/payment_pb.js";
import { ListPaymentsResponseSchema, PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import type { EventBus } from "../../runtime/bus/event-bus.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { alreadyExists, failedPrecondition, notFound, unavailable } from "../../runtime/errors.ts";
import { toMoney } from "../../runtime/values/money.ts";

/*
 * Fakes of the other services, in memory, for tests of the order service. Each keeps the guarantees that the order's
 * sagas rely on: calls are idempotent, and compensating a call that never arrived is remembered.
 */

export const eur = (minor: number | bigint) => toMoney({ currency: "EUR", minor: BigInt(minor) });

interface Hold {
  readonly items: ReadonlyMap<string, bigint>;
  state: "HELD" | "COMMITTED" | "CONSUMED" | "RELEASED" | "EXPIRED";
}

/** Number of further calls that fail because the service is unreachable. */
interface Outage {
  away: number;
}

function beReachable(outage: Outage): void {
  if (outage.away > 0) {
    outage.away -= 1;
    throw unavailable("AWAY", "the service is away");
  }
}

export function fakeInventory() {
  const items = new Map<string, Item>();
  const stock = new Map<string, bigint>();
  const holds = new Map<string, Hold>();
  const calls: string[] = [];

  /** `catalogAway`: whether BatchGetItems is unavailable as well. `whenReleased` delays the answer of a release. */
  const control = { away: 0, catalogAway: false, whenReleased: async () => {} };

  const put = (
    sku: string,
    cents: number,
    onHand = 1_000_000,
    more: Partial<Pick<Item, "discontinued" | "prices">> = {},
  ) => {
    items.set(
      sku,
      create(ItemSchema, { name: `items/${sku}`, sku, title: `The ${sku}`, prices: [eur(cents)], ...more }),
    );
    stock.set(sku, BigInt(onHand));
  };
  const closeReservation = (hold: Hold) => {
    for (const [sku, quantity] of hold.items) {
      stock.set(sku, (stock.get(sku) ?? 0n) + quantity);
    }
  };
  const answer = (name: string, hold: Hold) =>
    create(ReservationSchema, { name, state: Reservation_State[hold.state] });

  const impl: Partial<ServiceImpl<typeof InventoryService>> = {
    anonymizeReservations: () => ({}),
    batchGetItems({ skus }) {
      if (control.catalogAway) {
        throw unavailable("AWAY", "the inventory is away");
      }
      return create(BatchGetItemsResponseSchema, { items: skus.flatMap((sku) => items.get(sku) ?? []) });
    },
    reserveStock({ name, items: wanted }) {
      beReachable(control);
      calls.push(`reserve ${name}`);
      const known = holds.get(name);
      if (known !== undefined) {
        if (known.state === "RELEASED" || known.state === "EXPIRED") {
          throw failedPrecondition(`RESERVATION_${known.state}`, `${name} is ${known.state}`, []);
        }
        return answer(name, known);
      }
      const sums = new Map<string, bigint>();
      for (const { sku, quantity } of wanted) {
        sums.set(sku, (sums.get(sku) ?? 0n) + quantity);
      }
      const short = [...sums].filter(([sku, quantity]) => (stock.get(sku) ?? 0n) < quantity);
      if (short.length > 0) {
        throw failedPrecondition(
          "OUT_OF_STOCK",
          "out of stock",
          short.map(([sku, quantity]) => ({
            type: "OUT_OF_STOCK",
            subject: `items/${sku}`,
            description: `wanted ${quantity}, available ${stock.get(sku) ?? 0n}`,
          })),
        );
      }
      for (const [sku, quantity] of sums) {
        stock.set(sku, (stock.get(sku) ?? 0n) - quantity);
      }
      const hold: Hold = { items: sums, state: "HELD" };
      holds.set(name, hold);
      return answer(name, hold);
    },
    commitReservation({ name }) {
      beReachable(control);
      calls.push(`commit ${name}`);
      const hold = holds.get(name);
      if (hold === undefined) {
        throw notFound("docket.dev/Reservation", name);
      }
      if (hold.state === "RELEASED" || hold.state === "EXPIRED") {
        throw failedPrecondition(`RESERVATION_${hold.state}`, `${name} is ${hold.state}`, []);
      }
      hold.state = hold.state === "CONSUMED" ? "CONSUMED" : "COMMITTED";
      return answer(name, hold);
    },
    resizeReservation({ name, items: wanted, giveBackOnly }) {
      const units = wanted.map(({ sku, quantity }) => `${sku}:${quantity}`).join(",");
      calls.push(`resize ${name} to ${units}${giveBackOnly ? " at most" : ""}`);
      const hold = holds.get(name);
      if (hold === undefined) {
        throw notFound("docket.dev/Reservation", name);
      }
      return answer(name, hold);
    },
    async releaseReservation({ name }) {
      calls.push(`release ${name}`);
      await control.whenReleased();
      const hold = holds.get(name) ?? { items: new Map(), state: "RELEASED" };
      if (hold.state === "HELD" || hold.state === "COMMITTED") {
        closeReservation(hold);
        hold.state = "RELEASED";
      }
      holds.set(name, hold);
      return answer(name, hold);
    },
  };
  return {
    put,
    control,
    stock,
    holds,
    calls,
    /** Reserves these units under a name, as an earlier call would have. */
    reserve(name: string, units: Readonly<Record<string, bigint>>) {
      for (const [sku, quantity] of Object.entries(units)) {
        stock.set(sku, (stock.get(sku) ?? 0n) - quantity);
      }
      holds.set(name, { items: new Map(Object.entries(units)), state: "HELD" });
    },
    /** Moves a reservation to a state, and releases its units if it ends. */
    move(name: string, state: Hold["state"]) {
      const hold = holds.get(name);
      if (hold === undefined) {
        throw new Error(`there is no ${name}`);
      }
      if (state === "EXPIRED" || state === "RELEASED") {
        closeReservation(hold);
      }
      hold.state = state;
    },
    spec: createServiceImplSpec(InventoryService, impl),
  };
}

/** Publishes events of one service as its outbox would: one sequence per aggregate. */
function publisher(bus: EventBus, source: string) {
  const sequences = new Map<string, number>();
  let id = 0;
  return async <Desc extends DescMessage>(
    schema: Desc,
    message: MessageShape<Desc>,
    tenant: string,
    aggregate: string,
  ) => {
    const sequence = (sequences.get(`${tenant} ${aggregate}`) ?? 0) + 1;
    sequences.set(`${tenant} ${aggregate}`, sequence);
    id += 1;
    const data = toBinary(schema, message);
    const attributes = { id: `${source}-${id}`, type: schema.typeName, source, aggregate, sequence, tenant };
    const event = { ...attributes, time: new Date(), data, extensions: {} };
    await bus.publish([event]);
    return event;
  };
}

export function fakePayment(bus: EventBus) {
  const publish = publisher(bus, "docket/payment");
  const payments = new Map<string, Payment & { tenant: string }>();
  const calls: string[] = [];
  const control = { away: 0, silent: false, paysWhenSettled: false, refusesRefunds: false };
  const orderOf = (name: string) => name.split("/").slice(0, 2).join("/");
  const tell = <Desc extends DescMessage>(schema: Desc, name: string) => {
    const { tenant, ...payment } = payments.get(name) ?? { tenant: "", ...create(PaymentSchema, { name }) };
    return publish(schema, create(schema, { payment } as unknown as MessageInitShape<Desc>), tenant, orderOf(name));
  };
  const change = (name: string, change: Partial<Payment>) => {
    const payment = payments.get(name);
    if (payment === undefined) {
      throw new Error(`there is no ${name}`);
    }
    Object.assign(payment, change);
    return payment;
  };

  const impl: Partial<ServiceImpl<typeof PaymentService>> = {
    anonymizePayments: () => ({}),
    async openPayment({ name, amount, paymentToken, captureAutomatically }, context) {
      beReachable(control);
      calls.push(`open ${name}`);
      const known = payments.get(name);
      if (known !== undefined) {
        if (known.settling) {
          throw failedPrecondition("PAYMENT_SETTLED", `${name} is settled`, []);
        }
        return known;
      }
      const { tenant } = principalOf(context);
      const state = paymentToken === "decline" ? Payment_State.FAILED : Payment_State.REQUIRES_ACTION;
      const opened = create(PaymentSchema, {
        name,
        state,
        captureAutomatically,
        clientSecret: control.silent ? "" : "secret",
        failureMessage: state === Payment_State.FAILED ? "card declined" : "",
        ...(amount && { amount }),
      });
      payments.set(name, { ...opened, tenant });
      return opened;
    },
    getPayment({ name }) {
      const payment = payments.get(name);
      if (payment === undefined) {
        throw notFound("docket.dev/Payment", name);
      }
      return payment;
    },
    async refundPayment({ name, amount }, context) {
      calls.push(`refund ${name} ${amount?.units}.${(amount?.nanos ?? 0) / 10_000_000}`);
      const payment = change(name, {});
      const id = `${payment.refunds.length + 1}`;
      const refuses = control.refusesRefunds;
      const state = refuses ? Refund_State.FAILED : Refund_State.SUCCEEDED;
      const refund = create(RefundSchema, { id, state, failureMessage: refuses ? "the account is closed" : "" });
      Object.assign(refund, { amount });
      payment.refunds.push(refund);
      const { tenant: _, ...snapshot } = payment;
      const target = [principalOf(context).tenant, orderOf(name)] as const;
      if (refuses) {
        const failed = create(RefundFailedSchema, { payment: snapshot, refund });
        await publish(RefundFailedSchema, failed, ...target);
        throw failedPrecondition("PROVIDER_REFUSED", "the account is closed", []);
      }
      Object.assign(payment, { refundedAmount: amount });
      await tell(PaymentRefundedSchema, name);
      return payment;
    },
    listPayments({ parent }) {
      return create(ListPaymentsResponseSchema, {
        payments: [...payments.values()].filter(({ name }) => orderOf(name) === parent),
      });
    },
    async settlePayment({ name, keepLateMoney }, context) {
      calls.push(`settle ${name}${keepLateMoney ? " keeping late money" : ""}`);
      const { tenant } = principalOf(context);
      const payment = payments.get(name) ?? { ...create(PaymentSchema, { name }), tenant };
      payments.set(name, payment);
      const captured = payment.capturedAmount;
      const isOpen = captured === undefined && payment.state !== Payment_State.VOIDED;
      if (keepLateMoney && control.paysWhenSettled && captured === undefined) {
        Object.assign(payment, { state: Payment_State.CAPTURED, capturedAmount: payment.amount });
        await tell(PaymentCapturedSchema, name);
      } else if (captured !== undefined && control.refusesRefunds) {
        const refund = create(RefundSchema, { id: "1", amount: captured, failureMessage: "the account is closed" });
        payment.settling = true;
        const { tenant: _, ...snapshot } = payment;
        await publish(
          RefundFailedSchema,
          create(RefundFailedSchema, { payment: snapshot, refund }),
          tenant,
          orderOf(name),
        );
        throw failedPrecondition("REFUND_FAILED", "the account is closed", []);
      } else if (captured !== undefined && payment.refundedAmount === undefined) {
        Object.assign(payment, { refundedAmount: captured, settling: true });
        await tell(PaymentRefundedSchema, name);
      } else if (isOpen) {
        Object.assign(payment, { state: Payment_State.VOIDED, settling: !keepLateMoney });
      }
      return payment;
    },
  };
  return {
    payments,
    calls,
    /** `paysWhenSettled`: the money arrives at the very moment the payment is settled, and is kept. */
    control,
    /** Opens a payment of the tenant `t1`, as an earlier call would have. */
    async opened(name: string, cents: number) {
      const opened = create(PaymentSchema, { name, state: Payment_State.REQUIRES_ACTION, amount: eur(cents) });
      payments.set(name, { ...opened, tenant: "t1" });
    },
    async authorize(name: string, cents: number) {
      change(name, { state: Payment_State.AUTHORIZED, authorizedAmount: eur(cents), capturableAmount: eur(cents) });
      return tell(PaymentAuthorizedSchema, name);
    },
    async capture(name: string, cents: number) {
      change(name, { state: Payment_State.CAPTURED, capturedAmount: eur(cents), capturableAmount: eur(0) });
      return tell(PaymentCapturedSchema, name);
    },
    async void(name: string) {
      change(name, { state: Payment_State.VOIDED, capturableAmount: eur(0) });
      return tell(PaymentVoidedSchema, name);
    },
    /** Refunds part of the money. */
    async refund(name: string, cents: number) {
      const { tenant, ...payment } = change(name, { refundedAmount: eur(cents) });
      const refund = create(RefundSchema, { id: "r1", amount: eur(cents) });
      const event = create(PaymentRefundedSchema, { payment, refund });
      return publish(PaymentRefundedSchema, event, tenant, orderOf(name));
    },
    async mismatch(name: string, message: string) {
      change(name, { mismatchMessage: message });
      return tell(PaymentMismatchedSchema, name);
    },
    async fail(name: string) {
      change(name, { state: Payment_State.FAILED, failureMessage: "card declined" });
      return tell(PaymentFailedSchema, name);
    },
    spec: createServiceImplSpec(PaymentService, impl),
  };
}

export function fakeLogistics(bus: EventBus) {
  const publish = publisher(bus, "docket/logistics");
  const shipments = new Map<string, Shipment>();
  const closed = new Set<string>();
  const calls: string[] = [];
  const control = { away: 0, underWay: false, refuse: false, whenFenced: async () => {} };
  const parentOf = (name: string) => name.split("/").slice(0, 2).join("/");
  const liveOf = (parent: string) =>
    [...shipments.values()].filter(
      ({ name, state }) => parentOf(name) === parent && state !== Shipment_State.CANCELLED,
    );
  /** Every order here has one line of two units. */
  const leftOf = (parent: string) =>
    liveOf(parent)
      .flatMap(({ lines }) => lines)
      .reduce((left, { quantity }) => left - quantity, 2);

  const impl: Partial<ServiceImpl<typeof LogisticsService>> = {
    anonymizeShipments: () => ({}),
    async createShipment({ parent, shipmentId, requestId }) {
      beReachable(control);
      calls.push(`ship ${parent}`);
      const name = `${parent}/shipments/${shipmentId || requestId.replaceAll("/", "-")}`;
      const existing = shipments.get(name);
      if (existing !== undefined) {
        if (existing.carrierService !== "") {
          throw alreadyExists("SHIPMENT_EXISTS", `${name} is another shipment`);
        }
        return existing;
      }
      if (closed.has(parent)) {
        throw failedPrecondition("ORDER_CLOSED", "the order is closed", []);
      }
      if (control.refuse) {
        throw failedPrecondition("CARRIER_REFUSED", "the carrier refused", []);
      }
      const quantity = leftOf(parent);
      if (quantity === 0) {
        throw failedPrecondition("NOTHING_TO_SHIP", "all units are already in shipments", []);
      }
      const lines = [{ lineItemId: "1", quantity }];
      const shipment = create(ShipmentSchema, { name, state: Shipment_State.PENDING, lines });
      shipments.set(name, shipment);
      return shipment;
    },
    listShipments({ parent }) {
      return create(ListShipmentsResponseSchema, { shipments: liveOf(parent) });
    },
    async fenceOrderShipments({ parent }) {
      const ofOrder = [...shipments.values()].filter(({ name }) => parentOf(name) === parent);
      await control.whenFenced();
      return create(FenceOrderShipmentsResponseSchema, { shipments: ofOrder });
    },
    async cancelOrderShipments({ parent }, context) {
      calls.push(`cancel shipments ${parent}`);
      if (control.underWay) {
        throw failedPrecondition("SHIPMENT_UNDER_WAY", "a shipment is under way", []);
      }
      closed.add(parent);
      const cancelled = [...shipments.values()].filter(({ name }) => parentOf(name) === parent);
      for (const shipment of cancelled) {
        shipment.state = Shipment_State.CANCELLED;
        await publish(
          ShipmentCancelledSchema,
          create(ShipmentCancelledSchema, { shipment }),
          principalOf(context).tenant,
          parent,
        );
      }
      return create(CancelOrderShipmentsResponseSchema, { shipments: cancelled });
    },
  };
  const tell = async (
    schema: typeof ShipmentCreatedSchema | typeof ShipmentDeliveredSchema | typeof ShipmentCancelledSchema,
    tenant: string,
    shipment: Shipment,
  ) => publish(schema, create(schema, { shipment }), tenant, parentOf(shipment.name));
  return {
    shipments,
    /** Orders closed to further shipments. */
    closed,
    calls,
    control,
    /** Publishes that a shipment of these lines was booked. */
    async created(tenant: string, name: string, lines: Record<string, number>, carrierService = "") {
      const shipmentLines = Object.entries(lines).map(([lineItemId, quantity]) => ({ lineItemId, quantity }));
      const shipment = create(ShipmentSchema, {
        name,
        state: Shipment_State.PENDING,
        lines: shipmentLines,
        carrierService,
      });
      shipments.set(name, shipment);
      return tell(ShipmentCreatedSchema, tenant, shipment);
    },
    async cancelled(tenant: string, name: string) {
      const shipment = shipments.get(name) ?? create(ShipmentSchema, { name });
      shipment.state = Shipment_State.CANCELLED;
      return tell(ShipmentCancelledSchema, tenant, shipment);
    },
    async delivered(tenant: string, name: string) {
      const shipment = shipments.get(name) ?? create(ShipmentSchema, { name });
      shipment.state = Shipment_State.DELIVERED;
      return tell(ShipmentDeliveredSchema, tenant, shipment);
    },
    spec: createServiceImplSpec(LogisticsService, impl),
  };
}
