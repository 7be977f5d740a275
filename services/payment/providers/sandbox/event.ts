import type { ParsedCallback } from "../../../runtime/callbacks/callback-source.ts";
import type { Amount } from "../../../runtime/values/money.ts";
import type { ProviderReport, RefundReport } from "../../domain/provider-report.ts";
import { REFUND_STATES } from "../../domain/refund-state.ts";

/** The sandbox's own callback format: JSON, with sums as decimal strings of minor units. */

export function encodeEvent(id: string, type: string, report: ProviderReport): string {
  const { amount, authorized, captured, refunds, ...rest } = report;
  return JSON.stringify({
    id,
    type,
    payment: {
      ...rest,
      ...(amount && { amount: encodeAmount(amount) }),
      authorized: `${authorized}`,
      captured: `${captured}`,
      refunds: refunds.map((refund) => ({ ...refund, amount: encodeAmount(refund.amount) })),
    },
  });
}

/** Parses the type and the report of a body; an event about something else has no report. */
export function readEvent(body: Uint8Array): ParsedCallback<readonly ProviderReport[]> {
  let eventType = "";
  try {
    const event = objectAt(JSON.parse(Buffer.from(body).toString()), "event");
    eventType = typeof event["type"] === "string" ? event["type"].slice(0, 255) : "";
    return { eventType, content: event["payment"] === undefined ? [] : [decodePayment(event)] };
  } catch (error) {
    return { eventType, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Decodes the report of an event about a payment. Throws if the format is wrong. */
function decodePayment(event: Readonly<Record<string, unknown>>): ProviderReport {
  const payment = objectAt(event["payment"], "payment");
  const of = payment["payment"] === undefined ? undefined : objectAt(payment["payment"], "payment.payment");
  const refunds = payment["refunds"];
  if (!Array.isArray(refunds)) {
    throw new TypeError("payment.refunds is not a list");
  }
  return {
    reference: textAt(payment, "reference"),
    ...(of && { payment: { tenant: textAt(of, "tenant"), name: textAt(of, "name") } }),
    ...(payment["amount"] !== undefined && { amount: amountAt(payment, "amount") }),
    authorized: sumAt(payment, "authorized"),
    captured: sumAt(payment, "captured"),
    actionRequired: payment["actionRequired"] === true,
    failed: payment["failed"] === true,
    voided: payment["voided"] === true,
    failureMessage: optionalText(payment, "failureMessage"),
    clientSecret: optionalText(payment, "clientSecret"),
    redirectUrl: optionalText(payment, "redirectUrl"),
    refunds: refunds.map(decodeRefund),
  };
}

function decodeRefund(value: unknown): RefundReport {
  const refund = objectAt(value, "refund");
  const state = REFUND_STATES.find((known) => known === refund["state"]);
  if (state === undefined) {
    throw new TypeError("a refund has no known state");
  }
  return {
    reference: textAt(refund, "reference"),
    id: textAt(refund, "id"),
    amount: amountAt(refund, "amount"),
    state,
    failureMessage: optionalText(refund, "failureMessage"),
  };
}

function encodeAmount({ currency, minor }: Amount): unknown {
  return { currency, minor: `${minor}` };
}

function amountAt(object: Readonly<Record<string, unknown>>, key: string): Amount {
  const amount = objectAt(object[key], key);
  return { currency: textAt(amount, "currency"), minor: sumAt(amount, "minor") };
}

function objectAt(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${name} is not an object`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function textAt(object: Readonly<Record<string, unknown>>, key: string): string {
  const value = object[key];
  if (typeof value !== "string") {
    throw new TypeError(`${key} is not a string`);
  }
  return value;
}

function optionalText(object: Readonly<Record<string, unknown>>, key: string): string {
  return object[key] === undefined ? "" : textAt(object, key);
}

function sumAt(object: Readonly<Record<string, unknown>>, key: string): bigint {
  const text = textAt(object, key);
  if (!/^-?\d{1,19}$/.test(text)) {
    throw new TypeError(`${key} is not an amount in minor units`);
  }
  return BigInt(text);
}
