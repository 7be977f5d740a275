import { addressKey, type Networks } from "../client-address.ts";
import type { ServerLimits } from "../limits/server-limits.ts";

/** Counts open HTTP/2 requests, of which one connection carries many. */
export interface OpenRequests {
  /** Counts a request of the address. Returns false, without counting it, if a limit is reached. */
  enter(address: string): boolean;
  /** Must be called exactly once per entered request. */
  leave(address: string): void;
}

/** Counts the requests of one port. @param trustedProxies are exempt from the limit per address. */
export function countOpenRequests(
  limits: Pick<ServerLimits, "streams" | "streamsPerAddress">,
  trustedProxies?: Networks,
): OpenRequests {
  const perAddress = new Map<string, number>();
  let open = 0;
  return {
    enter(address) {
      const key = addressKey(address);
      const count = perAddress.get(key) ?? 0;
      if (open >= limits.streams) return false;
      if (count >= limits.streamsPerAddress && trustedProxies?.has(address) !== true) return false;
      open += 1;
      perAddress.set(key, count + 1);
      return true;
    },
    leave(address) {
      const key = addressKey(address);
      const left = (perAddress.get(key) ?? 1) - 1;
      open -= 1;
      if (left > 0) perAddress.set(key, left);
      else perAddress.delete(key);
    },
  };
}
