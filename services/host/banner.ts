import { join } from "node:path";
import type { HostConfig } from "./config.ts";
import type { Host } from "./host.ts";
import { serviceNames } from "./targets.ts";

/** Start message on the terminal. Contains the admin key only if it is new. */
export function banner(running: Host, config: HostConfig): string {
  const keyFile = join(config.dataDir, "admin-key");
  const shown = keyVariable(config) ?? `$(cat ${keyFile})`;
  const storage = config.databaseUrl === undefined ? `SQLite in ${config.dataDir}` : new URL(config.databaseUrl).host;
  const hasGateway = config.targets.has("gateway");
  const lines = [
    "Docket is ready.",
    "",
    ...(config.remoteServices.length === 0 && hasGateway
      ? []
      : [`  runs                      ${[...config.targets].join(", ")}`]),
    ...(hasGateway
      ? [`  REST, Connect, gRPC-Web   ${running.httpUrl}`, `  API documentation         ${running.httpUrl}/docs`]
      : []),
    `  gRPC                      ${running.grpcAddress}`,
    `  probes and metrics        ${running.opsUrl}/ready`,
    ...(serviceNames.some((name) => config.targets.has(name)) ? [`  data                      ${storage}`] : []),
    "",
  ];
  if (running.adminKeyIsNew) {
    lines.push(
      `  admin key                 ${running.adminKey}`,
      `                            shown this once, kept in ${keyFile}`,
      "",
    );
  }
  if (!hasGateway) {
    return lines.join("\n");
  }
  return [...lines, "Try it:", "", `  curl -H "Authorization: Bearer ${shown}" ${running.httpUrl}/v1/orders`, ""].join(
    "\n",
  );
}

/** The variable to take the key from, where this process keeps no file with it. */
function keyVariable({ adminKey, targets }: HostConfig): string | undefined {
  if (adminKey !== undefined) {
    return "$DOCKET_ADMIN_KEY";
  }
  // The process that runs operations makes the key and keeps it.
  return targets.has("operations") ? undefined : "$DOCKET_API_KEY";
}
