import { join } from "node:path";

/** The command that runs the function from its sources. */
export const functionCommand: readonly string[] = [
  process.execPath,
  "--disable-warning=ExperimentalWarning",
  join(import.meta.dirname, "../main.ts"),
];

export const adminKey = "dk_function-test-key-of-the-administrator";

/** The settings of a function in a test, except for its storage. */
export const functionEnvironment = {
  DOCKET_ADMIN_KEY: adminKey,
  DOCKET_SANDBOX_SECRET: "the-sandbox-secret-of-a-function-test",
  DOCKET_SERVICE_SECRET: "the-service-secret-of-a-function-test",
  // Nothing listens there: the sandbox is a program of its own, or is not part of the test.
  DOCKET_PUBLIC_URL: "http://127.0.0.1:9",
  DOCKET_SANDBOX_URL: "http://127.0.0.1:9",
  DOCKET_LOG_LEVEL: "info",
  DOCKET_RATE_LIMIT_PER_KEY: "0",
};
