import { createReadStream } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse";

/** Rows of Northwind's CSV files, with all fields as text. */
export interface Records {
  readonly products: readonly Product[];
  readonly customers: ReadonlyMap<string, Customer>;
  readonly orders: readonly OrderRecord[];
  /** Order lines by order id. */
  readonly lines: ReadonlyMap<string, readonly OrderLine[]>;
}

export interface Product {
  readonly ProductID: string;
  readonly ProductName: string;
  readonly UnitPrice: string;
  readonly UnitsInStock: string;
  readonly Discontinued: string;
}

export interface Customer {
  readonly CustomerID: string;
  readonly CompanyName: string;
  readonly Phone: string;
}

export interface OrderRecord {
  readonly OrderID: string;
  readonly CustomerID: string;
  readonly OrderDate: string;
  readonly RequiredDate: string;
  readonly ShippedDate: string;
  readonly ShipVia: string;
  readonly Freight: string;
  readonly ShipName: string;
  readonly ShipAddress: string;
  readonly ShipCity: string;
  readonly ShipRegion: string;
  readonly ShipPostalCode: string;
  readonly ShipCountry: string;
}

export interface OrderLine {
  readonly OrderID: string;
  readonly ProductID: string;
  readonly UnitPrice: string;
  readonly Quantity: string;
  readonly Discount: string;
}

/** Reads `products.csv`, `customers.csv`, `orders.csv` and `order_details.csv` from a folder. */
export async function readRecords(folder: string): Promise<Records> {
  const [products, customers, orders, lines] = await Promise.all([
    readCsv<Product>(join(folder, "products.csv")),
    readCsv<Customer>(join(folder, "customers.csv")),
    readCsv<OrderRecord>(join(folder, "orders.csv")),
    readCsv<OrderLine>(join(folder, "order_details.csv")),
  ]);
  return {
    products,
    customers: new Map(customers.map((customer) => [customer.CustomerID, customer])),
    orders,
    lines: Map.groupBy(lines, (line) => line.OrderID),
  };
}

async function readCsv<Row>(path: string): Promise<Row[]> {
  return Array.fromAsync(createReadStream(path).pipe(parse({ columns: true, bom: true })) as AsyncIterable<Row>);
}
