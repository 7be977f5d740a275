/** A callback as it arrived. Nothing in it is trusted. */
export interface RawCallback {
  readonly header: Headers;
  readonly body: Uint8Array;
}

/** What a verified callback says about itself. */
export interface VerifiedCallback {
  /** Unique among the source's events, and the same in every repetition; 1 to 255 characters. */
  readonly eventId: string;
  /** The source's own name of what happened; empty where it has none. */
  readonly eventType: string;
}

/** What a source expects as the response to a callback that was stored. */
export interface Acknowledgement {
  readonly contentType: string;
  readonly body: string;
}

/** The receiving half of a port to an outside system that calls back: a payment provider, a carrier. */
export interface CallbackSource {
  /** The name in the receiver's URL: lower-case letters, digits, `-` and `_`. */
  readonly name: string;
  /**
   * Checks that a callback was sent by this source and is recent. Resolves with undefined where it was not. Reads only
   * the raw bytes and the headers, and does no I/O except for fetching the source's keys.
   */
  verify(callback: RawCallback): Promise<VerifiedCallback | undefined>;
  readonly acknowledgement: Acknowledgement;
}
