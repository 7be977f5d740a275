import type { Order as OrderMessage } from "../../../../gen/docket/order/v1/order_pb.js";

/** Why an order of a file is rejected. */
export interface RecordFailure {
  /** Line of the file; the first is 1. */
  readonly lineNumber: number;
  /** Empty if the failure is not about one field. */
  readonly field: string;
  readonly message: string;
}

/** One order of a file, independent of the file's format. */
export interface ImportRecord {
  readonly lineNumber: number;
  /** The order's last line. */
  readonly lastLine: number;
  /** Number of file rows of the order. */
  readonly rows: number;
  readonly externalId: string;
  readonly order: OrderMessage | RecordFailure;
  /** Locates a field of the order, such as `line_items[2].sku`, in the file: its line and its name there. */
  locate(path: string): { readonly lineNumber: number; readonly field: string };
}

export function isFailure(order: OrderMessage | RecordFailure): order is RecordFailure {
  return !("$typeName" in order);
}
