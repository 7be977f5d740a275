/** An unverified callback. */
export interface RawCallback {
  readonly header: Headers;
  readonly body: Uint8Array;
}

/** The body of a callback, parsed: its content, or what makes it unreadable. */
export type ParsedCallback<Content> = {
  /** The source's event type, at most 255 characters; empty if it has none. */
  readonly eventType: string;
} & ({ readonly content: Content } | { readonly problem: string });

/** A verified callback. */
export type VerifiedCallback<Content> = ParsedCallback<Content> & {
  /** Unique among the source's events and stable across redeliveries; 1 to 255 characters. */
  readonly eventId: string;
};

/** The response that a source expects for a stored callback. */
export interface Acknowledgement {
  readonly contentType: string;
  readonly body: string;
}

/**
 * Receiving half of a port to an external system that sends callbacks: a payment provider, a carrier. `Content` is what
 * a body says, in the service's own terms.
 */
export interface CallbackSource<Content> {
  /** Name in the receiver's URL: lower-case letters, digits, `-` and `_`. */
  readonly name: string;
  /**
   * Verifies that a callback is authentic and recent, and parses its body; resolves with undefined if it is not. Does
   * no I/O except to fetch the source's keys.
   */
  verify(callback: RawCallback): Promise<VerifiedCallback<Content> | undefined>;
  /** Parses a stored body that `verify` has accepted before. Returns a problem for an unreadable body. */
  read(body: Uint8Array): ParsedCallback<Content>;
  readonly acknowledgement: Acknowledgement;
}
