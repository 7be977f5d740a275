import { readConfig, UsageError, usage } from "./program/cli/config.ts";
import { serve } from "./program/server/serve.ts";
import { showTarget } from "./program/upstream/addresses.ts";
import { startTelemetry } from "./telemetry/start-telemetry.ts";

/** The gateway as a program: see `--help`. Exit code 2 for invalid arguments, 1 if it cannot serve. */
try {
  const config = readConfig(process.argv.slice(2));
  if (config === undefined) {
    process.stdout.write(usage);
  } else {
    const telemetry = await startTelemetry({
      serviceName: "docket-gateway",
      environment: process.env,
      // Its own spans are the parents of the upstream's.
      tracesClients: false,
    });
    const program = await serve(config, (line) => process.stderr.write(`${line}\n`), telemetry);
    const upstreams = config.upstreams.map(showTarget).join(", ");
    process.stdout.write(`serving ${config.descriptorSets.join(", ")} on ${program.url} for ${upstreams}\n`);
    if (program.opsUrl !== undefined) process.stdout.write(`operations on ${program.opsUrl}\n`);
    process.on("SIGHUP", () => program.reload());
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, async () => {
        await program[Symbol.asyncDispose]();
        await telemetry.shutdown();
        process.exit(0);
      });
    }
  }
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message}\n${error instanceof UsageError ? "--help shows all options\n" : ""}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
