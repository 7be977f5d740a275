import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type SandboxCarrierService,
  TrackSandboxParcelResponseSchema,
} from "../../../gen/docket/sandbox/v1/sandbox_carrier_service_pb.js";
import type { SandboxContext } from "../context.ts";
import { pastEventsOf } from "../domain/parcel.ts";
import { countAsking, findParcel } from "../store/parcels.ts";

export function trackSandboxParcel({
  db: { kysely },
  clock,
  timing,
}: SandboxContext): ServiceImpl<typeof SandboxCarrierService>["trackSandboxParcel"] {
  return async ({ reference }) => {
    await countAsking(kysely, reference);
    const parcel = await findParcel(kysely, reference);
    const events = parcel === undefined ? [] : pastEventsOf(parcel, timing.current.stepMs, clock.now().getTime());
    return create(TrackSandboxParcelResponseSchema, {
      events: events.map(({ tracking_number: trackingNumber, occurred_at: occurredAt, ...event }) => ({
        ...event,
        trackingNumber,
        occurredAt,
      })),
    });
  };
}
