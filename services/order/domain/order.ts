import type { OrderState, OrderStatus } from "./order-state.ts";
import type { Funds, PaymentState } from "./payment-state.ts";

/** The actor of a change: Docket itself, or an API caller. */
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
  /** The rate from which the discount was computed, as given; empty for none. */
  readonly discountRate: string;
  readonly total: bigint;
  readonly quantityShipped: number;
  readonly quantityDelivered: number;
  /** Units cancelled while the rest of the order proceeds. */
  readonly quantityCancelled: number;
}

/** What the shopper must do next to pay. */
export interface PaymentAction {
  readonly payment: string;
  readonly clientSecret: string;
  readonly redirectUrl: string;
}

/** A SKU whose stock was short. */
export interface Shortage {
  readonly sku: string;
  readonly wanted: string;
  readonly available: string;
}

/** Fields fixed at creation. */
export interface OrderTerms {
  readonly tenant: string;
  readonly id: string;
  /** The caller's own order number; empty for none. */
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

/** Fields that may change, only through `changes.ts`. Times are epoch milliseconds. */
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
  /** When the order was put on hold; undefined if it is not. */
  readonly heldAt: number | undefined;
  /** The saga that placed or is placing the order: the one to compensate on cancellation. */
  readonly sagaId: string;
  /** The saga that handles a late payment, while it runs. */
  readonly lateSagaId: string | undefined;
  /** The saga that releases what cancelled lines held, while it runs. */
  readonly linesSagaId: string | undefined;
  /** Amount by which line cancellations reduced the total, in minor units. */
  readonly cancelledTotal: bigint;
  /** Number of announced shipments; increases without a new version. */
  readonly shipmentAnnouncements: number;
  /** Number of reservation attempts, which is the number of the last one. */
  readonly reservationAttempt: number;
  /** When the personal data was erased; undefined if it was not. */
  readonly anonymizedAt: number | undefined;
  readonly updatedAt: number;
  /** 1 at creation, incremented by each change. Also the sequence of the last timeline entry. */
  readonly version: number;
}

export interface Order extends OrderTerms, OrderProgress {}

/** One entry of an order's timeline. */
export interface TimelineEntry {
  /** 1, 2, 3, … without a gap. */
  readonly sequence: number;
  /** The event's type, in the past tense: `OrderPlaced`. */
  readonly type: string;
  readonly message: string;
  /** The order's state after the event. */
  readonly state: OrderState;
  readonly metadata: Readonly<Record<string, string>>;
  readonly actor: string;
  readonly createdAt: number;
}

/** The amount due for units that are not cancelled, in minor units. */
export function dueOf({ total, cancelledTotal }: Pick<Order, "total" | "cancelledTotal">): bigint {
  return total - cancelledTotal;
}

/** The resource name. */
export function orderName(order: { readonly id: string } | string): string {
  return `orders/${typeof order === "string" ? order : order.id}`;
}

/** The name of an order's reservation; the first attempt has the order's id. */
export function reservationName(orderId: string, attempt: number): string {
  return attempt === 1 ? `reservations/${orderId}` : `reservations/${orderId}-${attempt}`;
}

/** The name of the payment opened by the order's saga. */
export function paymentName(orderId: string): string {
  return `orders/${orderId}/payments/1`;
}

/** The id, within the order, of the shipment booked by the order's saga. */
export const firstShipmentId = "1";
