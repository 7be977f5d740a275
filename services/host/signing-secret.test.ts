import { expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { signingSecretFor } from "./signing-secret.ts";

test("what is signed for payments does not verify for carriers", () => {
  const payments = signingSecretFor("sandbox payments", "whsec_abc");
  const carriers = signingSecretFor("sandbox carriers", "whsec_abc");
  expect(signingSecretFor("sandbox payments", "whsec_abc")).toBe(payments);
  const at = new Date();
  const headers = {
    "webhook-id": "e1",
    "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
    "webhook-signature": new Webhook(payments).sign("e1", at, "{}"),
  };
  expect(() => new Webhook(payments).verify("{}", headers)).not.toThrow();
  expect(() => new Webhook(carriers).verify("{}", headers)).toThrow();
});
