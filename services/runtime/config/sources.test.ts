import { expect, test } from "@jest/globals";
import * as v from "valibot";
import { flag, secret } from "./scalars.ts";
import { describeSettings } from "./setting.ts";
import { unknownVariables } from "./sources.ts";

const settings = describeSettings(
  v.object({
    debug: flag("DOCKET_DEBUG", { description: "", default: false }),
    key: secret("DOCKET_KEY", { description: "", min: 1, max: 9 }),
  }),
);

test("variables with the prefix that name no setting are found", () => {
  const environment = {
    DOCKET_DEBUG: "true",
    DOCKET_KEY_FILE: "/key",
    DOCKET_DEBUG_FILE: "/debug",
    DOCKET_DEBUGG: "true",
    DOCKET_HTP_PORT: "80",
    PATH: "/bin",
  };
  expect(unknownVariables(environment, settings)).toEqual(["DOCKET_DEBUG_FILE", "DOCKET_DEBUGG", "DOCKET_HTP_PORT"]);
});

test("variables of Docket's clients and of Kubernetes' services are not taken for mistakes", () => {
  const environment = {
    DOCKET_URL: "http://127.0.0.1",
    DOCKET_API_KEY: "key",
    DOCKET_TEST_SEED: "1",
    DOCKET_SERVICE_HOST: "10.0.0.1",
    DOCKET_SERVICE_PORT: "80",
    DOCKET_SERVICE_PORT_HTTP: "80",
    DOCKET_PORT: "tcp://10.0.0.1:80",
    DOCKET_PORT_80_TCP: "tcp://10.0.0.1:80",
    DOCKET_PORT_80_TCP_PROTO: "tcp",
    DOCKET_PORT_80_TCP_PORT: "80",
    DOCKET_PORT_80_TCP_ADDR: "10.0.0.1",
  };
  expect(unknownVariables(environment, settings)).toEqual([]);
});
