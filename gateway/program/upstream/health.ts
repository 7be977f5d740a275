import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type Client, connectivityState, Metadata, type ServiceError, status } from "@grpc/grpc-js";

/**
 * The health reported by a server: `pending` until its first report after connecting. A server without
 * `grpc.health.v1.Health` is `serving`.
 */
export type Health = "pending" | "serving" | "not-serving";

/** A watch on the health of a server. Disposing stops it. */
export interface HealthWatch extends Disposable {
  readonly health: Health;
}

const retryMs = 1000;
const pollMs = 5000;

/** Values of `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
const serving = 1;
const serviceUnknown = 3;

const service = "/grpc.health.v1.Health";
const asIs = (bytes: Buffer): Buffer => bytes;
/** HealthCheckRequest for the server as a whole: its only field, the service name, is empty. */
const wholeServer = Buffer.alloc(0);

/**
 * Watches the health of the server behind a client, across connections: with Watch, or, if the server implements only
 * Check, by polling every five seconds. Any other response means that health is unsupported, which counts as serving
 * until the connection ends.
 */
export function watchHealth(client: Client): HealthWatch {
  let health: Health = "pending";
  let disposed = false;
  let timer: NodeJS.Timeout | undefined;
  let cancel: (() => void) | undefined;

  const later = (deed: () => void, ms: number): void => {
    if (disposed) return;
    timer = setTimeout(deed, ms).unref();
  };

  const watch = (): void => {
    const metadata = new Metadata({ waitForReady: true });
    const call = client.makeServerStreamRequest(`${service}/Watch`, asIs, healthOf, wholeServer, metadata);
    cancel = () => call.cancel();
    call.on("data", (answer: Health) => {
      health = answer;
    });
    call.on("error", (error: ServiceError) => {
      if (disposed) return;
      if (isLost(error.code)) reconnect();
      else if (error.code === status.UNIMPLEMENTED) check();
      else untilDisconnected();
    });
    call.on("end", () => undefined);
    call.on("status", ({ code }) => {
      if (code === status.OK) reconnect();
    });
  };

  const check = (): void => {
    const deadline = Date.now() + pollMs;
    const call = client.makeUnaryRequest(
      `${service}/Check`,
      asIs,
      healthOf,
      wholeServer,
      new Metadata(),
      { deadline },
      (error, answer) => {
        if (disposed) return;
        if (error === null) {
          health = answer ?? "pending";
          later(check, pollMs);
        } else if (isLost(error.code)) reconnect();
        else untilDisconnected();
      },
    );
    cancel = () => call.cancel();
  };

  const reconnect = (): void => {
    health = "pending";
    later(watch, retryMs);
  };

  const untilDisconnected = (): void => {
    health = "serving";
    const channel = client.getChannel();
    const wait = (): void => {
      if (disposed) return;
      if (channel.getConnectivityState(false) !== connectivityState.READY) reconnect();
      else channel.watchConnectivityState(connectivityState.READY, Number.POSITIVE_INFINITY, wait);
    };
    wait();
  };

  watch();
  return {
    get health() {
      return health;
    },
    [Symbol.dispose]() {
      disposed = true;
      clearTimeout(timer);
      cancel?.();
    },
  };
}

function isLost(code: status): boolean {
  return code === status.UNAVAILABLE || code === status.CANCELLED || code === status.DEADLINE_EXCEEDED;
}

/** Reads HealthCheckResponse: field 1 is the status. A server that does not know the empty name counts as serving. */
function healthOf(bytes: Buffer): Health {
  const reader = new BinaryReader(bytes);
  let status = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) status = reader.int32();
    else reader.skip(wireType, field);
  }
  return status === serving || status === serviceUnknown ? "serving" : "not-serving";
}
