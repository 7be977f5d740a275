import * as v from "valibot";
import { flag, milliseconds } from "../../runtime/config/scalars.ts";

/** How Docket runs as a function, which the platform suspends between requests. */
export const functionSettings = v.object({
  streaming: flag("DOCKET_FUNCTION_STREAMING", {
    default: false,
    description:
      "Whether AWS Lambda passes responses on as they are written: set it where the function URL's invoke mode is RESPONSE_STREAM, and nowhere else.",
  }),
  workBudgetMs: milliseconds("DOCKET_FUNCTION_WORK_BUDGET", {
    default: "5s",
    description:
      "Time after a response for the work that its request has caused (events, sagas, callbacks) before the function is suspended; the rest is left to the scheduled run.",
  }),
  flushBudgetMs: milliseconds("DOCKET_FUNCTION_FLUSH_BUDGET", {
    default: "500ms",
    description: "Time to send telemetry before the function is suspended.",
  }),
});
