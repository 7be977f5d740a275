import { create } from "@bufbuild/protobuf";
import {
  AddressSchema,
  Automation,
  CustomerSchema,
  LineItemSchema,
  type Order as OrderMessage,
  OrderSchema,
} from "../../../../gen/docket/order/v1/order_pb.js";
import { minorOfDecimal } from "../../../runtime/values/amount-text.ts";
import { exponentOf, toMoney } from "../../../runtime/values/money.ts";
import type { CsvColumn } from "./csv-columns.ts";
import type { ImportRecord, RecordFailure } from "./import-record.ts";

/** One row of the file, by column name. */
export interface CsvRow {
  readonly lineNumber: number;
  readonly values: Readonly<Partial<Record<CsvColumn, string>>>;
}

/** The rows of one order. `failure` is set if the rows themselves are invalid. */
export interface CsvGroup {
  readonly rows: readonly CsvRow[];
  readonly rowCount: number;
  readonly lastLine: number;
  readonly failure: RecordFailure | undefined;
}

/** Builds an order from its rows. */
export function toRecord(group: CsvGroup): ImportRecord {
  const [first] = group.rows;
  const lineNumber = first?.lineNumber ?? 0;
  return {
    lineNumber,
    lastLine: group.lastLine,
    rows: group.rowCount,
    externalId: first?.values.external_id ?? "",
    order: group.failure ?? toOrder(group.rows),
    locate(path) {
      const line = /^line_items\[(\d+)\]\.?(.*)$/.exec(path);
      return line === null
        ? { lineNumber, field: columnOf(path) }
        : { lineNumber: group.rows[Number(line[1])]?.lineNumber ?? lineNumber, field: columnOf(line[2] ?? "") };
    },
  };
}

/** The column of an order's field. */
function columnOf(path: string): string {
  const [outer = "", inner = ""] = path.replace(/\[\d+\]/g, "").split(".");
  if (outer === "customer") {
    return inner === "" ? "customer_id" : `customer_${inner}`;
  }
  return outer === "shipping_address" ? inner : outer;
}

function toOrder(rows: readonly CsvRow[]): OrderMessage | RecordFailure {
  const [first] = rows;
  if (first === undefined) {
    return { lineNumber: 0, field: "", message: "has no rows" };
  }
  const failures: RecordFailure[] = [];
  const read = reader(first, failures);
  const currency = read.text("currency_code");
  if (exponentOf(currency) === undefined) {
    return { lineNumber: first.lineNumber, field: "currency_code", message: "is not an ISO 4217 currency" };
  }
  const shippingFee = read.amount("shipping_fee", currency);
  const order = create(OrderSchema, {
    externalId: read.text("external_id"),
    currencyCode: currency,
    customer: create(CustomerSchema, {
      id: read.text("customer_id"),
      displayName: read.text("customer_display_name"),
      email: read.text("customer_email"),
      phone: read.text("customer_phone"),
    }),
    shippingAddress: create(AddressSchema, {
      recipient: read.text("recipient"),
      addressLines: read.text("address_lines").split(/\r?\n/).filter(Boolean),
      locality: read.text("locality"),
      administrativeArea: read.text("administrative_area"),
      postalCode: read.text("postal_code"),
      regionCode: read.text("region_code"),
    }),
    ...(shippingFee && { shippingFee }),
    capture: read.automation("capture"),
    fulfillment: read.automation("fulfillment"),
    paymentProvider: read.text("payment_provider"),
    paymentToken: read.text("payment_token"),
    carrier: read.text("carrier"),
    labels: read.labels(),
    note: read.text("note"),
    lineItems: rows.map((row) => {
      const of = reader(row, failures);
      const unitPrice = of.amount("unit_price", currency);
      const discount = of.amount("discount", currency);
      return create(LineItemSchema, {
        sku: of.text("sku"),
        quantity: of.integer("quantity"),
        discountRate: of.text("discount_rate"),
        ...(unitPrice && { unitPrice }),
        ...(discount && { discount }),
      });
    }),
  });
  return failures[0] ?? order;
}

/** Reads the values of a row; violations are added to `failures`. */
function reader({ lineNumber, values }: CsvRow, failures: RecordFailure[]) {
  const text = (column: CsvColumn) => values[column] ?? "";
  const fail = (field: CsvColumn, message: string) => {
    failures.push({ lineNumber, field, message });
  };
  return {
    text,
    integer(column: CsvColumn): number {
      if (!/^\d{1,9}$/.test(text(column))) {
        fail(column, "is not a whole number");
      }
      return Number(text(column)) || 0;
    },
    amount(column: CsvColumn, currency: string) {
      if (text(column) === "") {
        return undefined;
      }
      const minor = minorOfDecimal(currency, text(column));
      if (minor === undefined) {
        fail(column, `is not an amount of ${currency}, such as 12.30`);
      }
      return toMoney({ currency, minor: minor ?? 0n });
    },
    automation(column: CsvColumn): Automation {
      const name = text(column) || "AUTOMATIC";
      if (name !== "AUTOMATIC" && name !== "MANUAL") {
        fail(column, "is neither AUTOMATIC nor MANUAL");
        return Automation.AUTOMATION_UNSPECIFIED;
      }
      return Automation[name];
    },
    labels(): Record<string, string> {
      if (text("labels") === "") {
        return {};
      }
      try {
        const parsed: unknown = JSON.parse(text("labels"));
        if (parsed !== null && typeof parsed === "object" && !Array.isArray(parsed)) {
          const entries = Object.entries(parsed);
          if (entries.every((entry): entry is [string, string] => typeof entry[1] === "string")) {
            return Object.fromEntries(entries);
          }
        }
      } catch {
        // Reported below, like JSON of another shape.
      }
      fail("labels", "is not a JSON object of texts");
      return {};
    },
  };
}
