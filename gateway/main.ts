import { readConfig, UsageError, usage } from "./program/config.ts";
import { serve } from "./program/serve.ts";

/** The gateway as a program: see `--help`. Exit code 2 on wrong arguments, 1 where it cannot serve. */
try {
  const config = readConfig(process.argv.slice(2));
  if (config === undefined) {
    process.stdout.write(usage);
  } else {
    const program = await serve(config, (line) => process.stderr.write(`${line}\n`));
    process.stdout.write(`serving ${config.descriptorSet} on ${program.url} for ${config.upstreams.join(", ")}\n`);
    process.on("SIGHUP", () => program.reload());
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => void program[Symbol.asyncDispose]().then(() => process.exit(0)));
    }
  }
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(error instanceof UsageError ? `${message}\n\n${usage}` : `${message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
