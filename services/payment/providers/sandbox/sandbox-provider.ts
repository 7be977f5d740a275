import { create, type DescMessage, fromJsonString, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { Webhook } from "standardwebhooks";
import { SandboxPaymentSchema } from "../../../../gen/docket/sandbox/v1/sandbox_payment_pb.js";
import {
  CaptureSandboxPaymentRequestSchema,
  CreateSandboxPaymentRequestSchema,
  RefundSandboxPaymentRequestSchema,
  SandboxPaymentResultSchema,
  VoidSandboxPaymentRequestSchema,
} from "../../../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import { verifiedMessageId } from "../../../runtime/callbacks/standard-webhooks.ts";
import { type ApiError, apiErrorOf } from "../../../runtime/http-api/api-error.ts";
import { createHttpApi } from "../../../runtime/http-api/http-api.ts";
import type { PaymentProvider, ProviderAnswer } from "../payment-provider.ts";
import { readEvent, toReport } from "./report.ts";

export interface SandboxProviderOptions {
  /** Base URL of the sandbox's API. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Verifies the callbacks: `whsec_` followed by base64 of 24 to 64 bytes. */
  readonly secret: string;
}

const payments = "/sandbox/v1/payments";
const readOptions = { ignoreUnknownFields: true };

/**
 * Creates the adapter to the sandbox's payment provider, by its HTTP API. A response that is neither a result nor a
 * definite rejection leaves the outcome unknown.
 */
export function createSandboxProvider({ baseUrl, apiKey, secret }: SandboxProviderOptions): PaymentProvider {
  const webhook = new Webhook(secret);
  const api = createHttpApi({ baseUrl, headers: { authorization: `Bearer ${apiKey}` } });
  const pathOf = (reference: string, verb = "") => `${payments}/${encodeURIComponent(reference)}${verb}`;

  const post = async <Schema extends DescMessage>(
    path: string,
    schema: Schema,
    message: MessageInitShape<Schema>,
    signal: AbortSignal,
  ): Promise<ProviderAnswer> => {
    const body = toJsonString(schema, create(schema, message));
    const response = await api.send({ method: "POST", path, body }, signal);
    if (response.status === 200) {
      const { payment, refusal } = fromJsonString(SandboxPaymentResultSchema, response.body, readOptions);
      const report = toReport(payment ?? create(SandboxPaymentSchema));
      return refusal === "" ? { kind: "done", report } : { kind: "refused", message: refusal, report };
    }
    const error = apiErrorOf(response);
    if (isUnknownPayment(error) || error.code === Code.InvalidArgument) {
      return { kind: "refused", message: error.message };
    }
    throw unexpected(error);
  };

  return {
    name: "sandbox",

    open: ({ key, payment, amount, paymentToken, captureAutomatically, expireTime }, signal) =>
      post(
        payments,
        CreateSandboxPaymentRequestSchema,
        {
          requestId: key,
          payment,
          amount,
          paymentToken,
          captureAutomatically,
          expireTime: timestampFromDate(expireTime),
        },
        signal,
      ),

    capture: ({ key, reference, amount }, signal) =>
      post(
        pathOf(reference, ":capture"),
        CaptureSandboxPaymentRequestSchema,
        { requestId: key, minor: amount.minor },
        signal,
      ),

    void: ({ key, reference }, signal) =>
      post(pathOf(reference, ":void"), VoidSandboxPaymentRequestSchema, { requestId: key }, signal),

    refund: ({ key, reference, amount, refundId }, signal) =>
      post(
        pathOf(reference, ":refund"),
        RefundSandboxPaymentRequestSchema,
        { requestId: key, minor: amount.minor, refundId },
        signal,
      ),

    async fetch(reference, signal) {
      const response = await api.send({ method: "GET", path: pathOf(reference) }, signal);
      if (response.status === 200) {
        return toReport(fromJsonString(SandboxPaymentSchema, response.body, readOptions));
      }
      const error = apiErrorOf(response);
      if (isUnknownPayment(error)) {
        return undefined;
      }
      throw unexpected(error);
    },

    async verify(callback) {
      const eventId = verifiedMessageId(webhook, callback);
      return eventId === undefined ? undefined : { eventId, ...readEvent(callback.body) };
    },

    read: readEvent,
    acknowledgement: { contentType: "application/json", body: "{}" },
    close: () => api[Symbol.dispose](),
  };
}

/** Not every 404 is about the payment: another server at that address knows no such path. */
function isUnknownPayment({ status, resourceType }: ApiError): boolean {
  return status === 404 && resourceType === "docket.dev/SandboxPayment";
}

function unexpected({ status, message }: ApiError): Error {
  return new Error(`The sandbox responded with status ${status}: ${message}`);
}
