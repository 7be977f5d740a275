import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { HttpBodySchema } from "../../../gen/google/api/httpbody_pb.js";
import { fullJitterMs } from "../../runtime/backoff.ts";
import { notFound, unauthenticated } from "../../runtime/errors.ts";
import type { PaymentContext } from "../context.ts";
import { processCallback } from "../process-callback.ts";
import {
  type ArrivedCallback,
  countCallback,
  insertCallback,
  postponeCallback,
  type StoredCallback,
} from "../store/callbacks.ts";

/** Of callbacks as long as their payment, and so its tenant, is not known. */
const UNKNOWN_TENANT = "default";
/** How long a stored callback is left to the call that received it. */
const LEASE_MS = 10_000;

/**
 * Receives a callback: proves the raw bytes before anything is looked up, stores them, and processes them in the same
 * transaction. What cannot be processed now is stored all the same and left to the worker; the provider hears that it is
 * safe in both cases, and an error only when it is not stored.
 */
export function receivePaymentCallback(
  payments: PaymentContext,
): ServiceImpl<typeof PaymentService>["receivePaymentCallback"] {
  const { db, ids, log, providers, random, timing } = payments;

  /** Stores a callback and, unless it is to wait, processes it. False when it is there already. */
  const store = (callback: ArrivedCallback, process: boolean) =>
    db.transaction(async (trx) => {
      const isNew = await insertCallback(trx, db.dialect, callback, LEASE_MS);
      if (isNew && process) {
        const processed = await processCallback(payments, trx, { ...arrived, ...callback });
        if (processed !== "finished") {
          const pauseMs = fullJitterMs(1, timing.retry, random);
          await postponeCallback(trx, db.dialect, callback.id, { pauseMs, problem: processed.early });
        }
      }
      return isNew;
    });

  return async ({ provider: name, body }, context) => {
    const provider = providers.get(name);
    if (provider === undefined) {
      throw notFound("docket.dev/PaymentProvider", name);
    }
    const raw = { header: context.requestHeader, body: body?.data ?? new Uint8Array() };
    const event = await provider.verify(raw);
    if (event === undefined) {
      throw unauthenticated();
    }
    const callback = { ...event, id: ids.next(), tenant: UNKNOWN_TENANT, provider: name, body: raw.body };
    const isNew = await store(callback, true).catch((error: unknown) => {
      log.error({ err: error, provider: name, event: event.eventId }, "a callback could not be processed at once");
      return store(callback, false);
    });
    if (!isNew) {
      // In a statement of its own: the failed insertion holds a lock that many repetitions at once would share.
      await countCallback(db.kysely, callback);
    }
    const { contentType, body: answer } = provider.acknowledgement;
    return create(HttpBodySchema, { contentType, data: Buffer.from(answer) });
  };
}

/** How a callback is when it has just come. */
const arrived = {
  state: "RECEIVED",
  payment: "",
  receiveCount: 1,
  failureMessage: "",
  createdAt: 0,
  processedAt: undefined,
} as const satisfies Partial<StoredCallback>;
