import type { EventBus } from "../runtime/bus/event-bus.ts";
import { createInProcessBus } from "../runtime/bus/in-process.ts";
import { createRemoteBus } from "../runtime/bus/remote-bus.ts";
import type { Checks } from "../runtime/process/checks.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { HostConfig } from "./config.ts";
import { openKafkaBus } from "./kafka.ts";
import type { Remote } from "./mesh.ts";

/** How the services of this process publish and consume events. */
export interface HostBus {
  readonly bus: EventBus;
  /** The bus to the consumers of this process. */
  readonly localBus: EventBus;
  /** Whether other processes deliver events by RPC. */
  readonly takesFromPeers: boolean;
  readonly checks: Checks;
}

/** Opens the bus: on Kafka if brokers are set, otherwise within this process and by RPC to the others. */
export async function openHostBus(options: {
  readonly config: HostConfig;
  readonly remotes: readonly Remote[];
  readonly log: Logger;
  /** Whether the platform delivers the records of topics, so that this process fetches none. Default false. */
  readonly takesRecords?: boolean;
}): Promise<HostBus> {
  const { config, remotes, log, takesRecords = false } = options;
  const localBus = createInProcessBus({ log });
  // A process without services that publish or consume has no use for brokers.
  const hasEvents = [...config.targets].some((target) => target !== "gateway" && target !== "sandbox");
  if (config.kafka.brokers.length > 0) {
    const bus = hasEvents ? await openKafkaBus(config.kafka, log) : undefined;
    if (bus !== undefined && takesRecords) {
      return { bus: publishedElsewhere(bus, localBus), localBus, takesFromPeers: false, checks: {} };
    }
    return { bus: bus ?? localBus, localBus, takesFromPeers: false, checks: bus ? { kafka: bus.check } : {} };
  }
  // The sandbox stands for an external system, which takes no part in events.
  const peers = remotes.filter(({ name }) => name !== "sandbox").map(({ transport }) => transport);
  const bus = peers.length === 0 ? localBus : createRemoteBus({ local: localBus, peers, subject: "bus" });
  return { bus, localBus, takesFromPeers: peers.length > 0, checks: {} };
}

/** Publishes on one bus and consumes from another. */
function publishedElsewhere(elsewhere: EventBus, localBus: EventBus): EventBus {
  return {
    publish: (events) => elsewhere.publish(events),
    subscribe: (consumer, types, handler) => localBus.subscribe(consumer, types, handler),
    async [Symbol.asyncDispose]() {
      await Promise.all([elsewhere[Symbol.asyncDispose](), localBus[Symbol.asyncDispose]()]);
    },
  };
}
