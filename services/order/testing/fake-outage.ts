import { unavailable } from "../../runtime/errors.ts";

/** Number of further calls that fail because the service is unreachable. */
export interface Outage {
  away: number;
}

/** Fails as often as the outage says. @throws ConnectError UNAVAILABLE, reason AWAY */
export function beReachable(outage: Outage): void {
  if (outage.away > 0) {
    outage.away -= 1;
    throw unavailable("AWAY", "the service is away");
  }
}
