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

/** Parses the report of a body; undefined if it is about something else. Throws if the format is wrong. */
export function decodeEvent(body: Uint8Array): ProviderReport | undefined {
  const event = objectAt(JSON.parse(Buffer.from(body).toString()), "event");
  if (event["payment"] === undefined) {
    return undefined;
  }
  const payment = objectAt(event["payment"], "payment");
  const of = payment["payment"] === undefined ? undefined : objectAt(payment["payment"], "payment.payment");
  const refunds = payment["refunds"];
  if (!Array.isArray(refunds)) {
    throw new TypeError("payment.refunds is no list");
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

/** The event type of a body; empty if there is none. */
export function typeOfEvent(body: Uint8Array): string {
  try {
    return textAt(objectAt(JSON.parse(Buffer.from(body).toString()), "event"), "type");
  } catch {
    return "";
  }
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
    throw new TypeError(`${name} is no object`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function textAt(object: Readonly<Record<string, unknown>>, key: string): string {
  const value = object[key];
  if (typeof value !== "string") {
    throw new TypeError(`${key} is no text`);
  }
  return value;
}

function optionalText(object: Readonly<Record<string, unknown>>, key: string): string {
  return object[key] === undefined ? "" : textAt(object, key);
}

function sumAt(object: Readonly<Record<string, unknown>>, key: string): bigint {
  const text = textAt(object, key);
  if (!/^-?\d{1,19}$/.test(text)) {
    throw new TypeError(`${key} is no sum of minor units`);
  }
  return BigInt(text);
}
