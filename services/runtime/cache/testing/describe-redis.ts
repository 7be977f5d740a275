import { describe } from "@jest/globals";
import { whyNoRedis } from "./redis-servers.ts";

/** Describes a suite with real servers, which is reported as skipped where Redis is not installed. */
export function describeRedis(name: string, suite: () => void): void {
  const reason = whyNoRedis();
  if (reason !== undefined) {
    process.stderr.write(`Suites that need Redis are skipped: ${reason}\n`);
  }
  (reason === undefined ? describe : describe.skip)(name, suite);
}
