import type { AdminService } from "../../gen/docket/admin/v1/admin_service_pb.js";
import type { ServiceClient } from "../runtime/call/service-client.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { OperationsDatabase } from "./db/schema.ts";

/** A service with sagas or dead letters, this one included. */
export interface AdministeredService {
  /** Its name in AdminService's requests. */
  readonly name: string;
  readonly client: ServiceClient<typeof AdminService>;
}

/** Dependencies of the operations service's RPCs. */
export interface OperationsContext {
  readonly db: Database<OperationsDatabase>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly administered: readonly AdministeredService[];
  /** Drops a revoked key, by its hash, from what processes have cached. */
  readonly onKeyEnded: (hash: string) => void;
}
