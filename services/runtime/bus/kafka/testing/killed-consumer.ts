import { createLogger } from "../../../telemetry/log.ts";
import type { EventBus } from "../../event-bus.ts";
import { createKafkaBus } from "../kafka-bus.ts";
import { openEffects } from "./effects.ts";

/**
 * A process that consumes with an inbox and kills itself after a batch has committed in its database and before its
 * offsets are committed.
 *
 *     node killed-consumer.ts ADDRESS PREFIX DATABASE_URL
 */
const [address = "", prefix = "", url = ""] = process.argv.slice(2);
const log = createLogger({ level: "silent", name: "killed" });
const kafka = createKafkaBus({
  kafka: { brokers: [address], clientId: "killed", prefix, sessionTimeoutMs: 2_000 },
  packages: ["google"],
  log,
});
const bus: EventBus = {
  ...kafka,
  subscribe: (consumer, types, handler) =>
    kafka.subscribe(consumer, types, async (events) => {
      await handler(events);
      process.kill(process.pid, "SIGKILL");
    }),
};
await openEffects(url, bus, log);
