import type { Integer64 } from "../../runtime/db/columns.ts";
import type { CallbackTables } from "../../runtime/webhooks/tables.ts";
import type { SandboxStepKind } from "../domain/payment.ts";

export interface PaymentsTable {
  reference: string;
  open_key: string;
  tenant: string;
  payment: string;
  currency: string;
  amount: Integer64;
  token: string;
  capture_automatically: number;
  client_secret: string;
  expires_at: number;
}

/** An event of a payment at a time: reported by callbacks, and visible to requests from then on. */
export interface PaymentStepsTable {
  reference: string;
  number: number;
  effective_at: number;
  kind: SandboxStepKind;
  amount: Integer64;
  /** For refunds. */
  refund_id: string;
  refund_reference: string;
  message: string;
  /** The key of the request that caused it; null for the sandbox's own events. */
  request_key: string | null;
}

export interface ParcelsTable {
  reference: string;
  tracking_number: string;
  service: string;
  booked_at: number;
  cancelled_at: number | null;
  /** Number of tracking requests. Advances the parcels of services without callbacks. */
  asked: number;
}

/** All tables of the sandbox's database. None holds personal data. */
export interface SandboxDatabase extends CallbackTables {
  payments: PaymentsTable;
  payment_steps: PaymentStepsTable;
  parcels: ParcelsTable;
}
