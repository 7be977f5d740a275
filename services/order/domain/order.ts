import type { OrderState, OrderStatus } from "./order-state.ts";
import type { Funds, PaymentState } from "./payment-state.ts";

/** Who does something: Docket, or somebody who calls a method. */
export type Automation = "AUTOMATIC" | "MANUAL";

export type CancelReason = "REQUESTED" | "OUT_OF_STOCK" | "PAYMENT_FAILED" | "SHIPMENT_FAILED";

export interface Customer {
  readonly id: string;
  readonly displayName: string;
  readonly email: string;
  readonly phone: string;
}

export interface Address {
  readonly recipient: string;
  readonly addressLines: readonly string[];
  readonly locality: string;
  readonly administrativeArea: string;
  readonly postalCode: string;
  readonly regionCode: string;
}

/** One line of an order. Amounts are minor units of the order's currency. */
export interface OrderLine {
  /** `1`, `2`, … in the order of the request. */
  readonly id: string;
  readonly sku: string;
  readonly title: string;
  readonly quantity: number;
  readonly unitPrice: bigint;
  readonly discount: bigint;
  /** The rate from which the discount was computed, as it was given; empty for none. */
  readonly discountRate: string;
  readonly total: bigint;
  readonly quantityShipped: number;
  readonly quantityDelivered: number;
  /** Units that were cancelled while the rest of the order goes on. */
  readonly quantityCancelled: number;
}

/** What the shopper must do next to pay. */
export interface PaymentAction {
  readonly payment: string;
  readonly clientSecret: string;
  readonly redirectUrl: string;
}

/** A SKU of which there was not enough. */
export interface Shortage {
  readonly sku: string;
  readonly wanted: string;
  readonly available: string;
}

/** What of an order is fixed when it is created. */
export interface OrderTerms {
  readonly tenant: string;
  readonly id: string;
  /** The caller's own number; empty for none. */
  readonly externalId: string;
  readonly currency: string;
  readonly lines: readonly OrderLine[];
  readonly shippingFee: bigint;
  readonly subtotal: bigint;
  readonly discountTotal: bigint;
  readonly total: bigint;
  readonly capture: Automation;
  readonly fulfillment: Automation;
  readonly paymentProvider: string;
  readonly carrier: string;
  readonly createdAt: number;
}

/** What of an order may change: only through `changes.ts`. Times are epoch milliseconds. */
export interface OrderProgress extends OrderStatus, Funds {
  readonly paymentState: PaymentState;
  readonly customer: Customer;
  readonly shippingAddress: Address;
  readonly labels: Readonly<Record<string, string>>;
  readonly note: string;
  readonly paymentAction: PaymentAction | undefined;
  readonly cancelReason: CancelReason | undefined;
  readonly shortages: readonly Shortage[];
  readonly attentionMessage: string;
  readonly paymentDeadlineAt: number;
  /** When the order was put on hold; undefined unless it is. */
  readonly heldAt: number | undefined;
  /** The saga that brings the order on its way, or brought it here: the one to undo when it is cancelled. */
  readonly sagaId: string;
  /** The saga that gives back money that came late, while it runs. */
  readonly lateSagaId: string | undefined;
  /** The saga that gives back what cancelled lines held, while it runs. */
  readonly linesSagaId: string | undefined;
  /** What cancelled lines took off the total, in minor units. */
  readonly cancelledTotal: bigint;
  /** How often a shipment was announced; grows without a new version. */
  readonly shipmentAnnouncements: number;
  /** How many reservations were tried; the last one's number. */
  readonly reservationAttempt: number;
  /** When its personal data was erased; undefined for orders that have theirs. */
  readonly anonymizedAt: number | undefined;
  readonly updatedAt: number;
  /** 1 when it is created, then one more with each change. Also the sequence of the timeline's last entry. */
  readonly version: number;
}

export interface Order extends OrderTerms, OrderProgress {}

/** One entry of an order's timeline. */
export interface TimelineEntry {
  /** 1, 2, 3, … without a gap. */
  readonly sequence: number;
  /** What happened, in the past tense: `OrderPlaced`. */
  readonly type: string;
  readonly message: string;
  /** The order's state after it. */
  readonly state: OrderState;
  readonly metadata: Readonly<Record<string, string>>;
  readonly actor: string;
  readonly createdAt: number;
}

/** What the customer has to pay for what was not cancelled, in minor units. */
export function dueOf({ total, cancelledTotal }: Pick<Order, "total" | "cancelledTotal">): bigint {
  return total - cancelledTotal;
}

/** The resource name. */
export function orderName(order: { readonly id: string } | string): string {
  return `orders/${typeof order === "string" ? order : order.id}`;
}

/** The name of an order's reservation; the first attempt is called as the order itself. */
export function reservationName(orderId: string, attempt: number): string {
  return attempt === 1 ? `reservations/${orderId}` : `reservations/${orderId}-${attempt}`;
}

/** The name of the payment that the order's saga opens. */
export function paymentName(orderId: string): string {
  return `orders/${orderId}/payments/1`;
}

/** The id, within the order, of the shipment that the order's saga books. */
export const firstShipmentId = "1";
