import type { InferOutput } from "valibot";
import { isLoopback } from "../../gateway/http/client-address.ts";
import { inventorySettings } from "../inventory/config.ts";
import { logisticsSettings } from "../logistics/config.ts";
import { operationsSettings } from "../operations/config.ts";
import { orderSettings } from "../order/config.ts";
import { paymentSettings } from "../payment/config.ts";
import { ConfigError } from "../runtime/config/config-error.ts";
import { readSettings } from "../runtime/config/read-settings.ts";
import type { ConfigFile, Environment } from "../runtime/config/sources.ts";
import { retentionSettings } from "../runtime/retention/settings.ts";
import { sandboxSettings } from "../sandbox/config.ts";
import { accessSettings } from "./settings/access.ts";
import { functionSettings } from "./settings/function.ts";
import { kafkaProblems, kafkaSettings } from "./settings/kafka.ts";
import { limitSettings } from "./settings/limits.ts";
import { portSettings } from "./settings/ports.ts";
import { processSettings } from "./settings/process.ts";
import { redisProblems, redisSettings } from "./settings/redis.ts";
import { installedServices, type ServiceName, type Target, targetNames, targetsOf } from "./targets.ts";

/** All settings, in groups: those of the process, and those of each service. */
export const settingGroups = {
  process: processSettings,
  kafka: kafkaSettings,
  redis: redisSettings,
  ports: portSettings,
  access: accessSettings,
  limits: limitSettings,
  order: orderSettings,
  inventory: inventorySettings,
  payment: paymentSettings,
  logistics: logisticsSettings,
  operations: operationsSettings,
  sandbox: sandboxSettings,
  retention: retentionSettings,
  function: functionSettings,
};

type Values<G extends keyof typeof settingGroups> = InferOutput<(typeof settingGroups)[G]>;

/** Whether the settings of a group are those of the process, which stand in `HostConfig` without the group's name. */
export function isHostGroup(group: string): boolean {
  return ["process", "ports", "access", "limits"].includes(group);
}

type HostSettings = Omit<Values<"process">, "drainBudgetMs"> & { readonly drainBudgetMs: number } & Values<"ports"> &
  Values<"access"> &
  Values<"limits">;

/** The settings of the host, and those of its services by their names. */
export type HostConfig = HostSettings & {
  /** Parsed from `services`. */
  readonly targets: ReadonlySet<Target>;
  /** The installation's services in other processes. */
  readonly remoteServices: readonly ServiceName[];
} & {
  readonly [G in
    | "kafka"
    | "redis"
    | "order"
    | "inventory"
    | "payment"
    | "logistics"
    | "operations"
    | "sandbox"
    | "retention"
    | "function"]: Values<G>;
};

/** @throws ConfigError with every invalid setting, by the name of its variable or its key in the file */
export function readHostConfig(environment: Environment, file?: ConfigFile): HostConfig {
  const { process, ports, access, limits, ...services } = readSettings(settingGroups, { environment, file });
  const drainBudgetMs = process.drainBudgetMs ?? platformDrainBudgetMs(environment);
  const settings: HostSettings = { ...process, drainBudgetMs, ...ports, ...access, ...limits };
  const installed = installedServices(settings);
  const targets = targetsOf(settings.services, installed);
  const problems = [
    ...certificateProblems(settings),
    ...issuerProblems(settings),
    ...kafkaProblems(services.kafka),
    ...redisProblems(services.redis),
  ];
  if ("unknown" in targets) {
    problems.push(`DOCKET_SERVICES names ${targets.unknown}; it may name all, ${targetNames.join(", ")}`);
    throw new ConfigError(problems);
  }
  const remoteServices = installed.filter((name) => !targets.has(name));
  problems.push(...targetProblems(settings, targets, remoteServices));
  if (targets.has("sandbox") && !installed.includes("sandbox")) {
    problems.push("DOCKET_SERVICES names sandbox, but neither DOCKET_PAYMENT_PROVIDERS nor DOCKET_CARRIERS does");
  }
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  return { ...settings, ...services, targets, remoteServices };
}

/** Time that the platform leaves between SIGTERM and the end of the process, less a margin. */
function platformDrainBudgetMs(environment: Environment): number {
  if (environment["LAMBDA_TASK_ROOT"] !== undefined) {
    return 300;
  }
  return environment["K_SERVICE"] === undefined ? 15_000 : 10_000;
}

function certificateProblems({ tlsCertFile, tlsKeyFile, tlsClientCaFile }: HostSettings): string[] {
  const hasTls = tlsCertFile !== undefined;
  const isComplete = hasTls === (tlsKeyFile !== undefined) && (tlsClientCaFile === undefined || hasTls);
  return isComplete
    ? []
    : ["DOCKET_TLS_CERT_FILE and DOCKET_TLS_KEY_FILE go together, and DOCKET_TLS_CLIENT_CA_FILE needs both"];
}

function issuerProblems({ jwtIssuer, jwtAudience, jwtKeysUrl }: HostSettings): string[] {
  const problems: string[] = [];
  const given = [jwtIssuer, jwtAudience, jwtKeysUrl].filter((value) => value !== undefined);
  if (given.length !== 0 && given.length !== 3) {
    problems.push("DOCKET_JWT_ISSUER, DOCKET_JWT_AUDIENCE and DOCKET_JWT_KEYS_URL go together: set all or none");
  }
  const url = jwtKeysUrl !== undefined && URL.canParse(jwtKeysUrl) ? new URL(jwtKeysUrl) : undefined;
  if (jwtKeysUrl !== undefined && url === undefined) {
    problems.push("DOCKET_JWT_KEYS_URL is not a URL");
  }
  if (url?.protocol === "http:" && !isLoopback(url.hostname)) {
    problems.push(
      "DOCKET_JWT_KEYS_URL must be https: over http anyone on the network path could replace the keys (http only on loopback)",
    );
  }
  return problems;
}

/** Settings that a process needs in order to reach the services of others. */
function targetProblems(
  { serviceAddresses, serviceSecret, publicUrl }: HostSettings,
  targets: ReadonlySet<Target>,
  remote: readonly ServiceName[],
): string[] {
  const problems: string[] = [];
  const missing = remote.filter((name) => !serviceAddresses.has(name));
  if (missing.length > 0) {
    problems.push(
      `DOCKET_SERVICE_ADDRESSES must give the addresses of the services that other processes run, such as ${missing.map((name) => `${name}=host:port`).join(",")}`,
    );
  }
  if (remote.length > 0 && serviceSecret === undefined) {
    problems.push("DOCKET_SERVICE_SECRET is required where services run in several processes, the same in each");
  }
  const needsUrl = (["payment", "logistics", "sandbox"] as const).some((name) => targets.has(name));
  if (!targets.has("gateway") && publicUrl === undefined && needsUrl) {
    problems.push(
      "DOCKET_PUBLIC_URL is required where payment, logistics or the sandbox run without the gateway: it is reached there",
    );
  }
  return problems;
}
