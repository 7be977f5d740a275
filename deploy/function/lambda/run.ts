import { startTelemetry } from "../../../gateway/telemetry/start-telemetry.ts";
import { readHostConfig } from "../../../services/host/config.ts";
import type { Environment } from "../../../services/runtime/config/sources.ts";
import { createInvocationServer } from "./invocation.ts";
import { createRuntimeApi } from "./runtime-api.ts";

/**
 * Runs Docket on AWS Lambda, by its Runtime API at this address, until the platform ends the process. A start that fails
 * is reported to the platform, and the exit code is 1.
 */
export async function runLambda(address: string, environment: Environment): Promise<void> {
  const api = createRuntimeApi(address);
  try {
    const config = readHostConfig(lambdaEnvironment(environment));
    // Files created by the program are accessible to their owner only.
    process.umask(0o077);
    // Loaded after the configuration is accepted, because it is most of the program.
    const [telemetry, { createFunctionHost }] = await Promise.all([
      startTelemetry({ serviceName: environment["AWS_LAMBDA_FUNCTION_NAME"] ?? "docket", environment }),
      import("../../../services/host/function-host.ts"),
    ]);
    const host = await createFunctionHost(config, { telemetry });
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => void host[Symbol.asyncDispose]().then(() => process.exit(0)));
    }
    const serve = createInvocationServer({ host, api, config, telemetry, initMs: performance.now() });
    for (;;) {
      await serve(await api.next());
    }
  } catch (error) {
    process.stderr.write(`docket: ${error instanceof Error ? error.stack : String(error)}\n`);
    await api.failInit(error).catch(() => undefined);
    process.exit(1);
  }
}

/** The settings of a function: its only folder that can be written is that of temporary files, and it serves one call at a time. */
function lambdaEnvironment(environment: Environment): Environment {
  return { DOCKET_DATA_DIR: "/tmp/docket", DOCKET_DATABASE_CONNECTIONS: "4", ...environment };
}
