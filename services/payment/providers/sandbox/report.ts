import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import {
  type SandboxPayment,
  SandboxPaymentEventSchema,
  type SandboxRefund,
  SandboxRefund_State,
} from "../../../../gen/docket/sandbox/v1/sandbox_payment_pb.js";
import type { ParsedCallback } from "../../../runtime/callbacks/callback-source.ts";
import type { ProviderReport, RefundReport } from "../../domain/provider-report.ts";
import { REFUND_STATES } from "../../domain/refund-state.ts";

/** Parses the type and the report of a callback's body; an event about something else has no report. */
export function readEvent(body: Uint8Array): ParsedCallback<readonly ProviderReport[]> {
  let eventType = "";
  try {
    const json: unknown = JSON.parse(Buffer.from(body).toString());
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw new TypeError("the event is not an object");
    }
    const { type } = json as { type?: unknown };
    eventType = typeof type === "string" ? type.slice(0, 255) : "";
    const { payment } = fromJson(SandboxPaymentEventSchema, json as JsonObject, { ignoreUnknownFields: true });
    return { eventType, content: payment === undefined ? [] : [toReport(payment)] };
  } catch (error) {
    return { eventType, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Converts the sandbox's payment to a report. Throws if it lacks a reference or a refund's state. */
export function toReport(message: SandboxPayment): ProviderReport {
  const { reference, payment, amount, clientSecret, redirectUrl } = message;
  if (reference === "") {
    throw new TypeError("the payment has no reference");
  }
  const { authorized, captured, actionRequired, failed, voided, failureMessage } = message;
  return {
    reference,
    ...(payment && { payment: { tenant: payment.tenant, name: payment.name } }),
    ...(amount && { amount: { currency: amount.currency, minor: amount.minor } }),
    authorized,
    captured,
    actionRequired,
    failed,
    voided,
    failureMessage,
    clientSecret,
    redirectUrl,
    refunds: message.refunds.map(toRefund),
  };
}

function toRefund({ reference, id, amount, state, failureMessage }: SandboxRefund): RefundReport {
  const known = REFUND_STATES.find((name) => SandboxRefund_State[name] === state);
  if (known === undefined || amount === undefined) {
    throw new TypeError("a refund has no amount or no known state");
  }
  const { currency, minor } = amount;
  return { reference, id, amount: { currency, minor }, state: known, failureMessage };
}
