import { expect, test } from "@jest/globals";
import { serverEnvironment } from "./server-environment.ts";

test("a platform's port is the single port, unless settings say otherwise", () => {
  expect(serverEnvironment({ PORT: "8080", DOCKET_DRAIN_BUDGET: "1s", K_SERVICE: "docket" })).toEqual({
    PORT: "8080",
    K_SERVICE: "docket",
    DOCKET_SINGLE_PORT: "true",
    DOCKET_HOST: "0.0.0.0",
    DOCKET_HTTP_PORT: "8080",
    DOCKET_DRAIN_BUDGET: "1s",
  });
});

test.each([{}, { PORT: "" }, { DOCKET_HTTP_PORT: "1" }])("%j stays as it is", (environment) => {
  expect(serverEnvironment(environment)).toBe(environment);
});
