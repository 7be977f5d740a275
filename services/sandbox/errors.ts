import type { ConnectError } from "@connectrpc/connect";
import { notFound } from "../runtime/errors.ts";

/** The sandbox has no payment with this reference. */
export function paymentNotFound(reference: string): ConnectError {
  return notFound("docket.dev/SandboxPayment", reference);
}

/** The request does not repeat the client secret. */
export function pageNotFound(): ConnectError {
  return notFound("docket.dev/SandboxPayment", "the sandbox's payment");
}
