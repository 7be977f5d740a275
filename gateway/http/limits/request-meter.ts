import { defaultServerLimits, type ServerLimits } from "./server-limits.ts";

/** Limits for messages while they are being received. */
type ReceivingLimits = Pick<
  ServerLimits,
  "minBytesPerSecond" | "rateWindowMs" | "bodyTimeoutMs" | "bufferedBytes" | "bufferedBytesPerConnection"
>;

/** Why the rest of a message is not received: it arrives too slowly, or unfinished messages use too much memory. */
export type CutReason = "slow" | "memory";

/**
 * Meters messages while they are received: bodies of unary calls and gRPC messages. One meter serves the whole process,
 * so that its bytes are bounded across all ports.
 */
export interface RequestMeter {
  /**
   * Starts to meter a message. `cut` is called at most once, never after `end`, and ends the message.
   *
   * @param connection whose bytes are counted together: a socket or an HTTP/2 session.
   * @param isPaced whether rate and duration are limited too; false for messages of a stream, which the receiver may
   * pause.
   */
  begin(connection: object, cut: (reason: CutReason) => void, isPaced?: boolean): ReceivedMessage;
  /** Bytes of unfinished messages. */
  readonly heldBytes: number;
}

/** A message that is being received. */
export interface ReceivedMessage {
  /** Counts bytes that have arrived and are buffered. May call `cut`. */
  add(bytes: number): void;
  /** The message is complete and the next one of the stream begins: its bytes are no longer counted. */
  next(): void;
  /** The message is complete or abandoned: its bytes are no longer counted. Repeatable. */
  end(): void;
}

/** A class, because every call creates an instance. */
class Received implements ReceivedMessage {
  readonly connection: object;
  readonly cut: (reason: CutReason) => void;
  readonly isPaced: boolean;
  readonly beganAt = performance.now();
  windowAt = this.beganAt;
  windowBytes = 0;
  bytes = 0;
  readonly #meter: Meter;

  constructor(meter: Meter, connection: object, cut: (reason: CutReason) => void, isPaced: boolean) {
    this.#meter = meter;
    this.connection = connection;
    this.cut = cut;
    this.isPaced = isPaced;
  }

  add(bytes: number): void {
    this.#meter.add(this, bytes);
  }

  next(): void {
    this.#meter.release(this);
  }

  end(): void {
    this.#meter.end(this);
  }
}

class Meter implements RequestMeter {
  readonly #limits: ReceivingLimits;
  readonly #messages = new Set<Received>();
  readonly #perConnection = new WeakMap<object, number>();
  #held = 0;
  #timer: NodeJS.Timeout | undefined;
  #lookedAt = 0;

  constructor(limits: ReceivingLimits) {
    this.#limits = limits;
  }

  get heldBytes(): number {
    return this.#held;
  }

  begin(connection: object, cut: (reason: CutReason) => void, isPaced = true): ReceivedMessage {
    const message = new Received(this, connection, cut, isPaced);
    this.#messages.add(message);
    if (this.#timer === undefined) {
      this.#lookedAt = message.beganAt;
      this.#timer = setInterval(() => this.#look(), this.#intervalMs).unref();
    }
    return message;
  }

  add(message: Received, bytes: number): void {
    if (!this.#messages.has(message)) return;
    const { bufferedBytes, bufferedBytesPerConnection } = this.#limits;
    message.windowBytes += bytes;
    message.bytes += bytes;
    this.#held += bytes;
    const ofConnection = (this.#perConnection.get(message.connection) ?? 0) + bytes;
    this.#perConnection.set(message.connection, ofConnection);
    if (this.#held > bufferedBytes || ofConnection > bufferedBytesPerConnection) this.#cut(message, "memory");
  }

  end(message: Received): void {
    if (this.#messages.delete(message)) this.release(message);
  }

  release(message: Received): void {
    const { connection, bytes } = message;
    if (bytes === 0) return;
    message.bytes = 0;
    this.#held -= bytes;
    this.#perConnection.set(connection, (this.#perConnection.get(connection) ?? bytes) - bytes);
  }

  get #intervalMs(): number {
    return this.#limits.rateWindowMs / 10;
  }

  #look(): void {
    if (this.#messages.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = performance.now();
    // Bytes may be queued while the process is blocked; that time is not attributed to the sender.
    const stalledMs = Math.max(0, now - this.#lookedAt - 2 * this.#intervalMs);
    this.#lookedAt = now;
    for (const message of this.#messages) {
      if (!message.isPaced) continue;
      message.windowAt += stalledMs;
      if (this.#isSlow(message, now)) this.#cut(message, "slow");
    }
  }

  /** Measures the rate of the message, and starts its next window when one has elapsed. */
  #isSlow(message: Received, now: number): boolean {
    const { minBytesPerSecond, rateWindowMs, bodyTimeoutMs } = this.#limits;
    const elapsedMs = now - message.windowAt;
    if (now - message.beganAt >= bodyTimeoutMs) return elapsedMs > 0;
    if (elapsedMs < rateWindowMs) return false;
    const isSlow = message.windowBytes * 1000 < minBytesPerSecond * elapsedMs;
    message.windowAt = now;
    message.windowBytes = 0;
    return isSlow;
  }

  #cut(message: Received, reason: CutReason): void {
    this.end(message);
    message.cut(reason);
  }
}

/** Creates a meter. Its timer runs only while messages are being received. */
export function createRequestMeter(limits: ReceivingLimits = defaultServerLimits): RequestMeter {
  return new Meter(limits);
}
