import type { Environment } from "../../services/runtime/config/sources.ts";

/**
 * The settings of a process that a platform gives a single port by `PORT`, as Cloud Run does: everything is served
 * there, on all interfaces, and after SIGTERM within the ten seconds that Cloud Run waits. Settings of the environment
 * take precedence. Any other environment is returned as it is.
 */
export function serverEnvironment(environment: Environment): Environment {
  const { PORT: port } = environment;
  if (port === undefined || port === "") {
    return environment;
  }
  return {
    DOCKET_SINGLE_PORT: "true",
    DOCKET_HOST: "0.0.0.0",
    DOCKET_HTTP_PORT: port,
    DOCKET_DRAIN_BUDGET: "8s",
    ...environment,
  };
}
