import { newOrder } from "../domain/new-order.ts";
import type { Order } from "../domain/order.ts";

/** A new order `o1` of 2 TEA for 9.00 EUR, with overrides. */
export function someOrder(more: Partial<Order> = {}): Order {
  const { order } = newOrder({
    tenant: "t1",
    id: "o1",
    externalId: "",
    currency: "EUR",
    customer: { id: "c1", displayName: "", email: "", phone: "" },
    shippingAddress: {
      recipient: "Ada",
      addressLines: ["1"],
      locality: "London",
      administrativeArea: "",
      postalCode: "",
      regionCode: "GB",
    },
    lines: [
      {
        id: "1",
        sku: "TEA",
        title: "Tea",
        quantity: 2,
        unitPrice: 450n,
        discount: 0n,
        discountRate: "",
        total: 900n,
        quantityShipped: 0,
        quantityDelivered: 0,
        quantityCancelled: 0,
      },
    ],
    totals: { subtotal: 900n, discountTotal: 0n, shippingFee: 0n, total: 900n },
    capture: "AUTOMATIC",
    fulfillment: "AUTOMATIC",
    paymentProvider: "",
    carrier: "",
    labels: {},
    note: "",
    paymentDeadlineAt: 2000,
    at: 1000,
    actor: "api_key:1",
  });
  return { ...order, ...more };
}
