import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka";
import { clientOptions, type KafkaOptions } from "./connection.ts";

/** Largest event in bytes of data. Larger ones are refused by `publish`. */
export const maxEventBytes = 8 * 1024 * 1024;

/** How topics are created. */
export interface TopicPlan {
  /** The packages of event types, by their last name: `order` for `docket.order.v1`. Each has a topic. */
  readonly packages: readonly string[];
  readonly partitions: number;
  /** Copies of each partition. */
  readonly replication: number;
  /** How long events are kept, in milliseconds. A consumer that is away for longer loses some. */
  readonly retentionMs: number;
}

/** What {@link createTopics} did to a topic. */
export interface TopicOutcome {
  readonly topic: string;
  readonly partitions: number;
  readonly created: boolean;
}

/** The package of a type by its last name: `order` of `docket.order.v1.OrderPlaced`. */
export function packageOf(type: string): string {
  return type.split(".").at(-3) ?? type;
}

/** The topic of a type: that of its package. */
export function topicOf(prefix: string, type: string): string {
  return `${prefix}${packageOf(type)}`;
}

/** Creates the topics that are missing, and sets the configuration of all. Idempotent; never changes partitions. */
export async function createTopics(options: KafkaOptions, plan: TopicPlan): Promise<readonly TopicOutcome[]> {
  await using admin = openAdmin(options);
  const existing = await partitionCounts(admin, options, plan.packages);
  const configs = topicConfigs(plan);
  const outcomes: TopicOutcome[] = [];
  for (const [topic, found] of existing) {
    const partitions = found ?? plan.partitions;
    if (found === undefined) {
      await admin.client.createTopics({ topics: [topic], partitions, replicas: plan.replication, configs });
    } else {
      await admin.client.incrementalAlterConfigs({
        resources: [
          {
            resourceType: ConfigResourceTypes.TOPIC,
            resourceName: topic,
            configs: configs.map((config) => ({
              ...config,
              configOperation: IncrementalAlterConfigOperationTypes.SET,
            })),
          },
        ],
      });
    }
    outcomes.push({ topic, partitions, created: found === undefined });
  }
  return outcomes;
}

/** Returns what is wrong with the topics: one sentence each. Empty if nothing is. Rejects if no broker responds. */
export async function topicProblems(options: KafkaOptions, plan: TopicPlan): Promise<readonly string[]> {
  await using admin = openAdmin(options);
  const counts = await partitionCounts(admin, options, plan.packages);
  const present = [...counts].filter(([, partitions]) => partitions !== undefined).map(([topic]) => topic);
  const problems = [...counts.keys()]
    .filter((topic) => !present.includes(topic))
    .map((topic) => `Topic ${topic} does not exist.`);
  if (present.length === 0) {
    return problems;
  }
  const wanted = topicConfigs(plan);
  const described = await admin.client.describeConfigs({
    resources: present.map((resourceName) => ({
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName,
      configurationKeys: wanted.map(({ name }) => name),
    })),
  });
  for (const { resourceName, configs } of described) {
    for (const { name, value } of wanted) {
      const actual = configs.find((config) => config.name === name)?.value;
      if (actual !== value) {
        problems.push(`Topic ${resourceName} has ${name}=${actual} in place of ${value}.`);
      }
    }
  }
  return problems;
}

/** With these, an acknowledged event survives the loss of a broker, and old segments are deleted, never compacted. */
function topicConfigs({ replication, retentionMs }: TopicPlan): { name: string; value: string }[] {
  return [
    { name: "cleanup.policy", value: "delete" },
    { name: "retention.ms", value: `${retentionMs}` },
    { name: "min.insync.replicas", value: `${Math.max(1, replication - 1)}` },
    // Records have headers too.
    { name: "max.message.bytes", value: `${maxEventBytes + 1024 * 1024}` },
    // Otherwise another replica that lags could lead, and acknowledged events would be lost.
    { name: "unclean.leader.election.enable", value: "false" },
  ];
}

/** The number of partitions of each package's topic; undefined if it does not exist. */
async function partitionCounts(
  { client }: OpenAdmin,
  { prefix }: KafkaOptions,
  packages: readonly string[],
): Promise<ReadonlyMap<string, number | undefined>> {
  const names = packages.map((name) => `${prefix}${name}`);
  const present = new Set(await client.listTopics());
  const topics = names.filter((name) => present.has(name));
  const metadata = await client.metadata({ topics, forceUpdate: true });
  return new Map(names.map((name) => [name, metadata.topics.get(name)?.partitionsCount]));
}

interface OpenAdmin extends AsyncDisposable {
  readonly client: Admin;
}

function openAdmin(options: KafkaOptions): OpenAdmin {
  const client = new Admin(clientOptions(options));
  return { client, [Symbol.asyncDispose]: () => client.close() };
}
