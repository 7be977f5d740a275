import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ItemSchema } from "../../gen/docket/inventory/v1/inventory_pb.js";
import { Automation, type OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { money } from "../../web-client/sdk/money.ts";
import type { Customer, OrderLine, OrderRecord, Product } from "./records.ts";

const currency = "USD";

/** Filter for Northwind's orders, so that other orders of the same Docket are left alone. */
export const northwindOrders = 'labels.source = "northwind"';

/** CLDR region codes of the countries that Northwind ships to. */
const regions: Readonly<Record<string, string>> = {
  Argentina: "AR",
  Austria: "AT",
  Belgium: "BE",
  Brazil: "BR",
  Canada: "CA",
  Denmark: "DK",
  Finland: "FI",
  France: "FR",
  Germany: "DE",
  Ireland: "IE",
  Italy: "IT",
  Mexico: "MX",
  Norway: "NO",
  Poland: "PL",
  Portugal: "PT",
  Spain: "ES",
  Sweden: "SE",
  Switzerland: "CH",
  UK: "GB",
  USA: "US",
  Venezuela: "VE",
};

/** The SKU of a product. */
export function skuOf(productId: string): string {
  return `NW-${productId.padStart(2, "0")}`;
}

/** Converts a product to an item with this stock on hand. */
export function toItem(product: Product, stockOnHand: bigint): MessageInitShape<typeof ItemSchema> {
  return {
    sku: skuOf(product.ProductID),
    title: product.ProductName,
    prices: [money(currency, product.UnitPrice)],
    discontinued: product.Discontinued === "1",
    stockOnHand,
  };
}

/**
 * Converts a record to an order: at the prices and discounts of its lines, paid immediately with the sandbox, and
 * shipped by CreateShipment.
 */
export function toOrder(
  record: OrderRecord,
  customer: Customer | undefined,
  lines: readonly OrderLine[],
): MessageInitShape<typeof OrderSchema> {
  return {
    externalId: record.OrderID,
    currencyCode: currency,
    customer: { id: record.CustomerID, displayName: customer?.CompanyName ?? "", phone: customer?.Phone ?? "" },
    shippingAddress: {
      recipient: record.ShipName,
      addressLines: [record.ShipAddress],
      locality: record.ShipCity,
      administrativeArea: record.ShipRegion,
      postalCode: record.ShipPostalCode,
      regionCode: regionOf(record.ShipCountry),
    },
    lineItems: lines.map((line) => ({
      sku: skuOf(line.ProductID),
      quantity: Number(line.Quantity),
      unitPrice: money(currency, line.UnitPrice),
      discountRate: line.Discount,
    })),
    shippingFee: money(currency, record.Freight),
    capture: Automation.AUTOMATIC,
    fulfillment: Automation.MANUAL,
    paymentProvider: "sandbox",
    paymentToken: "tok_success",
    carrier: "sandbox",
    labels: {
      source: "northwind",
      order_date: dateOf(record.OrderDate),
      required_date: dateOf(record.RequiredDate),
      ...(record.ShippedDate !== "" && { shipped_date: dateOf(record.ShippedDate) }),
      ship_via: record.ShipVia,
    },
  };
}

/** Parses the day of `1996-07-04 00:00:00.000`. */
function dateOf(text: string): string {
  return text.slice(0, 10);
}

function regionOf(country: string): string {
  const region = regions[country];
  if (region === undefined) {
    throw new Error(`Northwind's country ${country} has no region code here; add it to ${import.meta.filename}`);
  }
  return region;
}
