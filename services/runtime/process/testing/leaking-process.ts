import { EventEmitter } from "node:events";
import { connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { createLogger } from "../../telemetry/log.ts";
import { systemClock } from "../../values/clock.ts";
import { createCheckRunner } from "../check-runner.ts";
import { createLeakCheck } from "../leak-watch.ts";
import { createLifecycle } from "../lifecycle.ts";
import { openOperations } from "../operations-server.ts";
import { countPending } from "../pending.ts";

/** A process with the leak of its argument, watched at a short interval. Prints the address of its operations port. */
const intervalMs = 100;

function plantSession(): () => void {
  const server = createServer((_, response) => response.end());
  server.listen(0, "127.0.0.1");
  return () => {
    const { port } = server.address() as AddressInfo;
    connect(`http://127.0.0.1:${port}`).request({ ":path": "/" }).resume();
  };
}

function plantListener(): () => void {
  const bus = new (class OrderBus extends EventEmitter {})();
  return () => void bus.on("changed", () => {});
}

function plantPromise(): () => void {
  const pending = countPending("forgotten calls");
  return () => void pending(new Promise(() => {}));
}

const plants: Readonly<Record<string, () => () => void>> = {
  session: plantSession,
  listener: plantListener,
  promise: plantPromise,
  timer: () => () => void setTimeout(() => {}, 3_600_000),
  nothing: () => () => {},
};

const leak = plants[process.argv[2] ?? ""]?.();
if (leak === undefined) {
  throw new Error(`there is no leak named ${process.argv[2]}`);
}
const checks = createCheckRunner({ leaks: createLeakCheck({ samples: 16, intervalMs }) });
const log = createLogger({ level: "silent", name: "test" });
const lifecycle = createLifecycle({ log, clock: systemClock });
const { url } = await openOperations({ host: "127.0.0.1", port: 0, lifecycle, checks, clock: systemClock });
checks.start();
lifecycle.ready();
setInterval(leak, intervalMs / 4);
console.log(url);
