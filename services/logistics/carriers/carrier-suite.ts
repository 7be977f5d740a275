import { describe, expect, test } from "@jest/globals";
import type { RawCallback } from "../../runtime/callbacks/callback-source.ts";
import type { BookingRequest, Carrier } from "./carrier.ts";

/** A carrier under test, with the services and callbacks that the suite needs. */
export interface CarrierUnderTest extends AsyncDisposable {
  readonly carrier: Carrier;
  /** A service whose shipments are not collected during a test. */
  readonly restingService: string;
  /** A service whose shipments are collected immediately. */
  readonly collectedService: string;
  /** A service whose bookings are refused. */
  readonly refusedService: string;
  /** Returns a callback signed by the carrier for a shipment with this tracking number. */
  signed(trackingNumber: string): RawCallback;
}

const never = new AbortController().signal;
let made = 0;

const request = (service: string): BookingRequest => ({
  reference: `orders/o${++made}/shipments/1`,
  service,
  destination: {
    recipient: "Ada",
    addressLines: ["1 Main St"],
    locality: "London",
    administrativeArea: "",
    postalCode: "E1",
    regionCode: "GB",
  },
  lines: [{ lineItemId: "1", sku: "chai", quantity: 1 }],
});

/** Contract tests for every implementation of {@link Carrier}. `open` creates a carrier without shipments. */
export function describeCarrier(name: string, open: () => Promise<CarrierUnderTest>): void {
  describe(`carrier: ${name}`, () => {
    test("books a shipment once per reference, also for repeated and concurrent requests", async () => {
      await using it = await open();
      const booking = request(it.restingService);
      const outcomes = await Promise.all([1, 2, 3].map(() => it.carrier.book(booking, never)));
      expect(outcomes[0]).toMatchObject({ kind: "booked", trackingNumber: expect.stringMatching(/./) });
      expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
      const other = await it.carrier.book(request(it.restingService), never);
      expect(other).not.toEqual(outcomes[0]);
    });

    test("gives the reason for a refused booking", async () => {
      await using it = await open();
      const outcome = await it.carrier.book(request(it.refusedService), never);
      expect(outcome).toMatchObject({ kind: "refused", reason: expect.stringMatching(/./) });
    });

    test("cancels a shipment that it has not collected, idempotently", async () => {
      await using it = await open();
      const booking = request(it.restingService);
      const booked = await it.carrier.book(booking, never);
      const trackingNumber = booked.kind === "booked" ? booked.trackingNumber : undefined;
      const consignment = { reference: booking.reference, trackingNumber };
      expect(await it.carrier.cancel(consignment, never)).toEqual({ kind: "cancelled" });
      expect(await it.carrier.cancel(consignment, never)).toEqual({ kind: "cancelled" });
    });

    test("refuses a booking that arrives after its cancellation", async () => {
      await using it = await open();
      const booking = request(it.restingService);
      const consignment = { reference: booking.reference, trackingNumber: undefined };
      expect(await it.carrier.cancel(consignment, never)).toEqual({ kind: "cancelled" });
      expect(await it.carrier.book(booking, never)).toMatchObject({ kind: "refused" });
    });

    test("does not cancel a shipment that it has collected", async () => {
      await using it = await open();
      const booking = request(it.collectedService);
      const booked = await it.carrier.book(booking, never);
      const trackingNumber = booked.kind === "booked" ? booked.trackingNumber : undefined;
      await new Promise((resolve) => setTimeout(resolve, 20));
      const outcome = await it.carrier.cancel({ reference: booking.reference, trackingNumber }, never);
      expect(outcome).toMatchObject({ kind: "too-late", reason: expect.stringMatching(/./) });
    });

    test("tracks a shipment, with stable event ids", async () => {
      await using it = await open();
      const booking = request(it.collectedService);
      const booked = await it.carrier.book(booking, never);
      const trackingNumber = booked.kind === "booked" ? booked.trackingNumber : undefined;
      await new Promise((resolve) => setTimeout(resolve, 20));
      const first = await it.carrier.track({ reference: booking.reference, trackingNumber }, never);
      const second = await it.carrier.track({ reference: booking.reference, trackingNumber }, never);
      expect(first.length).toBeGreaterThan(0);
      expect(second.map(({ eventId }) => eventId)).toEqual(expect.arrayContaining(first.map(({ eventId }) => eventId)));
      expect(new Set(first.map(({ eventId }) => eventId)).size).toBe(first.length);
    });

    test("verifies its own callbacks, and rejects them if a byte was changed", async () => {
      await using it = await open();
      const callback = it.signed("NUMBER-1");
      const verified = await it.carrier.verify(callback);
      expect(verified?.eventId).toMatch(/./);
      expect(await it.carrier.verify(callback)).toEqual(verified);
      expect(verified).toMatchObject({ content: { trackingNumber: "NUMBER-1" } });
      expect(verified).toMatchObject(it.carrier.read(callback.body));
      for (const at of [0, Math.floor(callback.body.length / 2), callback.body.length - 1]) {
        const body = callback.body.with(at, (callback.body[at] ?? 0) ^ 1);
        expect(await it.carrier.verify({ ...callback, body })).toBeUndefined();
      }
      expect(await it.carrier.verify({ ...callback, header: new Headers() })).toBeUndefined();
    });

    test("reports a malformed body as a problem", async () => {
      await using it = await open();
      for (const text of ["", "{", "null", "[]", "{}", "\u0000"]) {
        expect(it.carrier.read(new TextEncoder().encode(text))).toMatchObject({ problem: expect.any(String) });
      }
    });
  });
}
