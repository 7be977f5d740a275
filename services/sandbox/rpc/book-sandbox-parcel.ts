import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type BookSandboxParcelResponse,
  BookSandboxParcelResponseSchema,
  type SandboxCarrierService,
} from "../../../gen/docket/sandbox/v1/sandbox_carrier_service_pb.js";
import type { SandboxContext } from "../context.ts";
import { callbacksOf, type Parcel } from "../domain/parcel.ts";
import { scriptOf, serviceNames } from "../domain/parcel-script.ts";
import { insertParcel, lockParcel } from "../store/parcels.ts";

/** Receives the callbacks about parcels. */
const CALLBACK_PATH = "/v1/webhooks/carriers/sandbox";

/** Books a parcel and schedules its callbacks. A reference that was cancelled before is refused. */
export function bookSandboxParcel({
  db,
  clock,
  ids,
  sender,
  timing,
}: SandboxContext): ServiceImpl<typeof SandboxCarrierService>["bookSandboxParcel"] {
  return ({ reference, service }) => {
    if (service === "refuse" || scriptOf(service) === undefined) {
      const why = service === "refuse" ? "requested" : `no service ${JSON.stringify(service)}`;
      const refusal = `refused (${why}); known services: ${serviceNames.join(", ")}`;
      return create(BookSandboxParcelResponseSchema, { refusal });
    }
    return db.transaction(async (trx) => {
      const parcel: Parcel = {
        reference,
        tracking_number: `SBX${ids.next().toUpperCase()}`,
        service,
        booked_at: clock.now().getTime(),
        cancelled_at: null,
        asked: 0,
      };
      if (!(await insertParcel(trx, parcel))) {
        return booked((await lockParcel(trx, db.dialect, reference)) ?? parcel);
      }
      const callbacks = callbacksOf(parcel, timing.current.stepMs);
      await sender.schedule(
        trx,
        callbacks.map(({ event, delayMs }) => ({
          messageId: event.id,
          url: CALLBACK_PATH,
          body: JSON.stringify(event),
          delayMs,
        })),
      );
      return booked(parcel);
    });
  };
}

function booked({ tracking_number: trackingNumber, cancelled_at: cancelledAt }: Parcel): BookSandboxParcelResponse {
  return create(
    BookSandboxParcelResponseSchema,
    cancelledAt === null
      ? { trackingNumber, trackingUrl: `https://sandbox.invalid/track/${trackingNumber}` }
      : { refusal: "the shipment was cancelled" },
  );
}
