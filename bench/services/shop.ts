import type { HttpCall } from "../support/http-client.ts";
import { drive } from "../support/load.ts";

const items = 200;

/** Stocks the items that {@link anOrder} uses, more than any benchmark sells. */
export async function openShop(call: HttpCall): Promise<void> {
  await drive({ concurrency: 16, count: items }, (nth) =>
    call(
      "POST",
      "/v1/items",
      JSON.stringify({
        sku: skuOf(nth),
        title: `Item number ${nth}`,
        prices: [{ currencyCode: "EUR", units: "4", nanos: 500_000_000 }],
        stockOnHand: "100000000",
      }),
    ),
  );
}

/** The nth order: two lines, with items that few concurrent orders share, as in a shop with many. */
export function anOrder(nth: number, own: object = {}) {
  return {
    currencyCode: "EUR",
    customer: { id: `c${nth % 1000}`, displayName: "Vins et alcools Chevalier", email: "paul@vinet.example" },
    shippingAddress: {
      recipient: "Paul Henriot",
      addressLines: ["59 rue de l'Abbaye"],
      locality: "Reims",
      postalCode: "51100",
      regionCode: "FR",
    },
    lineItems: [
      { sku: skuOf(nth * 2), quantity: 1 },
      { sku: skuOf(nth * 2 + 1), quantity: 2 },
    ],
    ...own,
  };
}

function skuOf(nth: number): string {
  return `item-${nth % items}`;
}
