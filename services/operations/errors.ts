import type { ConnectError } from "@connectrpc/connect";
import { failedPrecondition } from "../runtime/errors.ts";

/** The key comes from the configuration, so the next start would restore it. */
export function keyIsConfigured(name: string): ConnectError {
  const description =
    "the administrator's key comes from the configuration and cannot be revoked; change DOCKET_ADMIN_KEY, or delete the " +
    "file admin-key in the data folder where it is not set, and restart";
  return failedPrecondition("API_KEY_IS_CONFIGURED", description, [
    { type: "API_KEY_IS_CONFIGURED", subject: name, description },
  ]);
}
