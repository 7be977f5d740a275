import {
  create,
  type DescMessage,
  fromJsonString,
  type MessageInitShape,
  type MessageShape,
  toJsonString,
} from "@bufbuild/protobuf";
import { Webhook } from "standardwebhooks";
import {
  BookSandboxParcelRequestSchema,
  BookSandboxParcelResponseSchema,
  CancelSandboxParcelRequestSchema,
  CancelSandboxParcelResponseSchema,
  TrackSandboxParcelRequestSchema,
  TrackSandboxParcelResponseSchema,
} from "../../../../gen/docket/sandbox/v1/sandbox_carrier_service_pb.js";
import { verifiedMessageId } from "../../../runtime/callbacks/standard-webhooks.ts";
import { apiErrorOf } from "../../../runtime/http-api/api-error.ts";
import { createHttpApi } from "../../../runtime/http-api/http-api.ts";
import type { Carrier } from "../carrier.ts";
import { readEvent, toUpdate } from "./event.ts";

export interface SandboxCarrierOptions {
  /** Base URL of the sandbox's API. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Verifies the callbacks: `whsec_` followed by base64 of 24 to 64 bytes. */
  readonly secret: string;
}

/** The services that the sandbox offers, each with another course of a parcel. */
const services = [
  "standard",
  "deliver_now",
  "stay",
  "duplicate",
  "reordered",
  "lost",
  "attempt_failed",
  "return",
  "refuse",
] as const;

const parcels = "/sandbox/v1/parcels";

/**
 * Creates the adapter to the sandbox's carrier, by its HTTP API. Any response but a result leaves the outcome unknown.
 * The sandbox needs no address and is sent none.
 */
export function createSandboxCarrier({ baseUrl, apiKey, secret }: SandboxCarrierOptions): Carrier {
  const webhook = new Webhook(secret);
  const api = createHttpApi({ baseUrl, headers: { authorization: `Bearer ${apiKey}` } });

  const post = async <Request extends DescMessage, Response extends DescMessage>(
    path: string,
    [requestSchema, responseSchema]: readonly [Request, Response],
    message: MessageInitShape<Request>,
    signal: AbortSignal,
  ): Promise<MessageShape<Response>> => {
    const body = toJsonString(requestSchema, create(requestSchema, message));
    const response = await api.send({ method: "POST", path, body }, signal);
    if (response.status !== 200) {
      const { status, message: problem } = apiErrorOf(response);
      throw new Error(`The sandbox responded with status ${status}: ${problem}`);
    }
    return fromJsonString(responseSchema, response.body, { ignoreUnknownFields: true });
  };

  return {
    name: "sandbox",
    services,

    async book({ reference, service }, signal) {
      const schemas = [BookSandboxParcelRequestSchema, BookSandboxParcelResponseSchema] as const;
      const { refusal, trackingNumber, trackingUrl } = await post(parcels, schemas, { reference, service }, signal);
      return refusal === "" ? { kind: "booked", trackingNumber, trackingUrl } : { kind: "refused", reason: refusal };
    },

    async cancel({ reference }, signal) {
      const schemas = [CancelSandboxParcelRequestSchema, CancelSandboxParcelResponseSchema] as const;
      const { refusal } = await post(`${parcels}:cancel`, schemas, { reference }, signal);
      return refusal === "" ? { kind: "cancelled" } : { kind: "too-late", reason: refusal };
    },

    async track({ reference }, signal) {
      const schemas = [TrackSandboxParcelRequestSchema, TrackSandboxParcelResponseSchema] as const;
      const { events } = await post(`${parcels}:track`, schemas, { reference }, signal);
      return events.map(toUpdate);
    },

    async verify(callback) {
      const eventId = verifiedMessageId(webhook, callback);
      return eventId === undefined ? undefined : { eventId, ...readEvent(callback.body) };
    },

    read: readEvent,
    acknowledgement: { contentType: "application/json", body: '{"received":true}' },
    close: () => api[Symbol.dispose](),
  };
}
