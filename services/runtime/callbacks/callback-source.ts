/** An unverified callback. */
export interface RawCallback {
  readonly header: Headers;
  readonly body: Uint8Array;
}

/** Identity of a verified callback. */
export interface VerifiedCallback {
  /** Unique among the source's events and stable across redeliveries; 1 to 255 characters. */
  readonly eventId: string;
  /** The source's event type; empty if it has none. */
  readonly eventType: string;
}

/** The response that a source expects for a stored callback. */
export interface Acknowledgement {
  readonly contentType: string;
  readonly body: string;
}

/** Receiving half of a port to an external system that sends callbacks: a payment provider, a carrier. */
export interface CallbackSource {
  /** Name in the receiver's URL: lower-case letters, digits, `-` and `_`. */
  readonly name: string;
  /**
   * Verifies that a callback is authentic and recent; resolves with undefined if not. Reads only the raw bytes and
   * headers, and does no I/O except to fetch the source's keys.
   */
  verify(callback: RawCallback): Promise<VerifiedCallback | undefined>;
  readonly acknowledgement: Acknowledgement;
}
