import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  CancelSandboxParcelResponseSchema,
  type SandboxCarrierService,
} from "../../../gen/docket/sandbox/v1/sandbox_carrier_service_pb.js";
import type { SandboxContext } from "../context.ts";
import { eventsOf, isCollectedBy } from "../domain/parcel.ts";
import { cancelParcel, insertParcel, lockParcel } from "../store/parcels.ts";

/** Cancels a parcel with its pending callbacks. An unknown reference is stored as cancelled. */
export function cancelSandboxParcel({
  db,
  clock,
  sender,
  timing,
}: SandboxContext): ServiceImpl<typeof SandboxCarrierService>["cancelSandboxParcel"] {
  return ({ reference }) =>
    db.transaction(async (trx) => {
      const done = create(CancelSandboxParcelResponseSchema);
      const nowMs = clock.now().getTime();
      const { stepMs } = timing.current;
      const blank = { reference, tracking_number: "", service: "", booked_at: nowMs, cancelled_at: nowMs, asked: 0 };
      const parcel = await lockParcel(trx, db.dialect, reference);
      if (parcel === undefined) {
        await insertParcel(trx, blank);
        return done;
      }
      if (parcel.cancelled_at !== null) {
        return done;
      }
      if (isCollectedBy(parcel, stepMs, nowMs)) {
        return create(CancelSandboxParcelResponseSchema, { refusal: "the sandbox has collected the parcel" });
      }
      await cancelParcel(trx, reference, nowMs);
      await sender.cancel(
        trx,
        eventsOf(parcel, stepMs).map(({ id }) => id),
      );
      return done;
    });
}
