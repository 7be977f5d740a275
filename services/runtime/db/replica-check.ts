import type { Checks } from "../process/checks.ts";
import type { Database } from "./connect.ts";

/** Lag from which the check warns. */
const warnMs = 1_000;

/** The check of a database's replica, `{service}-replica`; none without one. Reads go to the primary meanwhile. */
export function replicaChecks<DB>(service: string, { replicaLagMs }: Database<DB>): Checks {
  if (replicaLagMs === undefined) {
    return {};
  }
  return {
    [`${service}-replica`]: {
      policy: "degraded",
      async run() {
        const lagMs = await replicaLagMs();
        return lagMs < warnMs ? undefined : { status: "warn", error: "the replica is more than a second behind" };
      },
    },
  };
}
