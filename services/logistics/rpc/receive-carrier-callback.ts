import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { HttpBodySchema } from "../../../gen/google/api/httpbody_pb.js";
import { notFound, resourceExhausted, unauthenticated } from "../../runtime/errors.ts";
import type { LogisticsContext } from "../context.ts";
import { processCallback } from "../process-callback.ts";
import { insertCallback, markVerified, settleCallback } from "../store/carrier-callbacks.ts";

const MAX_BYTES = 1024 * 1024;
/** Longer than it takes to process a callback that was verified a moment ago. */
const LEASE_MS = 10_000;
/** Never stored: credentials of whoever calls, which are not the carrier's signature. */
const notKept = new Set(["authorization", "cookie", "x-api-key", "proxy-authorization"]);

/**
 * Receives what a carrier sends: stored as it came, verified before anything is looked up, made unique by the carrier's
 * event id, processed, and answered with what the carrier expects. Once it is verified the answer is always that: what
 * cannot be processed now is ours to keep and to process later.
 */
export function receiveCarrierCallback(
  logistics: LogisticsContext,
): ServiceImpl<typeof LogisticsService>["receiveCarrierCallback"] {
  const { db, carriers, clock, ids, log } = logistics;
  return async (request, context) => {
    const carrier = carriers.get(request.carrier);
    if (carrier === undefined) {
      throw notFound("docket.dev/Carrier", `carriers/${request.carrier}`);
    }
    const body = request.body?.data ?? new Uint8Array();
    if (body.length > MAX_BYTES) {
      throw resourceExhausted("CALLBACK_TOO_LARGE", `a callback has at most ${MAX_BYTES} bytes`);
    }
    const headers = Object.fromEntries([...context.requestHeader].filter(([name]) => !notKept.has(name)));
    const id = ids.next();
    await insertCallback(db, { id, carrier: carrier.name, headers, body, receivedAt: clock.now().getTime() });

    const eventId = await carrier.verify({ headers, body });
    if (eventId === undefined || eventId === "" || eventId.length > 128) {
      await settleCallback(db.kysely, id, { state: "REJECTED", error: "the signature is not the carrier's" });
      throw unauthenticated();
    }
    const claim = await markVerified(db, id, eventId, LEASE_MS);
    if (claim !== "duplicate") {
      try {
        await processCallback(logistics, claim);
      } catch (error) {
        log.error({ err: error, callback: id, carrier: carrier.name }, "a callback is left for later");
      }
    }
    const { contentType, body: text } = carrier.acknowledgement;
    return create(HttpBodySchema, { contentType, data: new TextEncoder().encode(text) });
  };
}
