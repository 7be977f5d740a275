import { expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { describeEachDatabase } from "../../../runtime/testing/databases.ts";
import { sandboxCarrierSecret, startSandbox } from "../../../sandbox/testing/running-sandbox.ts";
import { describeCarrier } from "../carrier-suite.ts";
import { createSandboxCarrier } from "./sandbox-carrier.ts";

const webhook = new Webhook(sandboxCarrierSecret);
const signal = AbortSignal.timeout(60_000);

function signed(trackingNumber: string) {
  const event = { status: "in_transit", message: "", location: "", occurred_at: "2026-01-01T00:00:00.000Z" };
  const body = JSON.stringify({ id: "e1", tracking_number: trackingNumber, ...event });
  const now = new Date();
  const headers = {
    "webhook-id": "e1",
    "webhook-timestamp": `${Math.floor(now.getTime() / 1000)}`,
    "webhook-signature": webhook.sign("e1", now, body),
  };
  return { header: new Headers(headers), body: new TextEncoder().encode(body) };
}

describeEachDatabase("the sandbox over HTTP", (open) => {
  describeCarrier("sandbox", async () => {
    const { url: databaseUrl } = await open();
    const sandbox = await startSandbox({ databaseUrl, stepMs: 60_000 });
    const carrier = createSandboxCarrier(sandbox.carrier);
    return {
      carrier,
      restingService: "standard",
      collectedService: "deliver_now",
      refusedService: "refuse",
      signed,
      async [Symbol.asyncDispose]() {
        carrier.close?.();
        await sandbox[Symbol.asyncDispose]();
      },
    };
  });
});

test("the sandbox knows every service that the adapter offers", async () => {
  await using sandbox = await startSandbox();
  const carrier = createSandboxCarrier(sandbox.carrier);
  const destination = {
    recipient: "",
    addressLines: [],
    locality: "",
    administrativeArea: "",
    postalCode: "",
    regionCode: "",
  };
  for (const service of carrier.services) {
    const outcome = await carrier.book(
      { reference: `orders/o/shipments/${service}`, service, destination, lines: [] },
      signal,
    );
    expect([service, outcome.kind]).toEqual([service, service === "refuse" ? "refused" : "booked"]);
  }
  const unknown = await carrier.book(
    { reference: "orders/o/shipments/x", service: "x", destination, lines: [] },
    signal,
  );
  expect(unknown).toEqual({
    kind: "refused",
    reason: `refused (no service "x"); known services: ${carrier.services.join(", ")}`,
  });
  carrier.close?.();
});

test("a wrong key leaves the outcome unknown", async () => {
  await using sandbox = await startSandbox();
  const carrier = createSandboxCarrier({ ...sandbox.carrier, apiKey: "sbx_key_other" });
  const consignment = { reference: "orders/o/shipments/1", trackingNumber: undefined };
  await expect(carrier.cancel(consignment, signal)).rejects.toThrow("The sandbox responded with status 401");
  carrier.close?.();
});
