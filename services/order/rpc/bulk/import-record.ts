import type { Order as OrderMessage } from "../../../../gen/docket/order/v1/order_pb.js";

/** Why an order of a file cannot be taken. */
export interface RecordFailure {
  /** The line of the file, the first being 1. */
  readonly lineNumber: number;
  /** Empty when it is not one field. */
  readonly field: string;
  readonly message: string;
}

/** One order of a file, whichever form the file has. */
export interface ImportRecord {
  readonly lineNumber: number;
  /** The last line that it takes. */
  readonly lastLine: number;
  /** How many rows of the file it takes. */
  readonly rows: number;
  readonly externalId: string;
  readonly order: OrderMessage | RecordFailure;
  /** The line of the file and the name there of a field of the order, `line_items[2].sku`. */
  locate(path: string): { readonly lineNumber: number; readonly field: string };
}

export function isFailure(order: OrderMessage | RecordFailure): order is RecordFailure {
  return !("$typeName" in order);
}
