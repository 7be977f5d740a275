import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { HttpRuleSchema } from "../../gen/google/api/http_pb.js";
import { testService } from "../test/support/test-api.ts";
import { createRouter, RouteError, routesOf } from "./http-rules.ts";
import { readServiceConfig, ruleFor, ServiceConfigError, unusedRules } from "./service-config.ts";

const yaml = `type: google.api.Service
config_version: 3
name: library.example.com
apis:
- name: gateway.test.v1.Library
  mixins:
  - name: google.longrunning.Operations
- name: google.cloud.location.Locations
authentication:
  rules:
  - selector: '*'
http:
  fully_decode_reserved_expansion: true
  rules:
  - selector: gateway.test.v1.Library.*
    get: /all
  - selector: gateway.test.v1.Library.GetBook
    get: /v9/{name=books/*}
    additional_bindings:
    - post: /v9/{name=books/*}:get
      body: '*'
`;

const [getBook] = testService("Library").methods.filter(({ name }) => name === "GetBook");
if (getBook === undefined) throw new Error("no method");

const problemsOf = (text: string): readonly string[] => {
  try {
    readServiceConfig(text);
  } catch (error) {
    if (error instanceof ServiceConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe("a service configuration", () => {
  const config = readServiceConfig(yaml);

  test("names interfaces and mixins, and defines how variables are decoded", () => {
    expect(config.apis).toEqual([
      { name: "gateway.test.v1.Library", line: 5 },
      { name: "google.longrunning.Operations", line: 7 },
      { name: "google.cloud.location.Locations", line: 8 },
    ]);
    expect(config.fullyDecodeReservedExpansion).toBe(true);
  });

  test("has the rules of methods, of which the last matching one applies", () => {
    const rule = ruleFor(config, "gateway.test.v1.Library.GetBook");
    expect(rule).toMatchObject({ line: 17 });
    expect(rule?.rule.pattern).toEqual({ case: "get", value: "/v9/{name=books/*}" });
    expect(ruleFor(config, "gateway.test.v1.Library.Chat")).toMatchObject({ line: 15 });
    expect(ruleFor(config, "gateway.test.v1.Echo.Fail")).toBeUndefined();
    expect(unusedRules(config, ["gateway.test.v1.Library.Chat"])).toEqual([
      "line 17, selector gateway.test.v1.Library.GetBook: there is no such method",
    ]);
  });

  test("replaces the annotation with all its bindings", () => {
    const routes = routesOf(getBook, { serviceConfig: config });
    expect(routes.map(({ httpMethod, template }) => `${httpMethod} ${template.source}`)).toEqual([
      "GET /v9/{name=books/*}",
      "POST /v9/{name=books/*}:get",
    ]);
    expect(routesOf(getBook).length).toBeGreaterThan(0);
  });

  test("may be JSON", () => {
    const { rules } = readServiceConfig('{"http":{"rules":[{"selector":"a.B.C","get":"/x","responseBody":"y"}]}}');
    expect(rules[0]?.rule).toEqual(
      create(HttpRuleSchema, { selector: "a.B.C", pattern: { case: "get", value: "/x" }, responseBody: "y" }),
    );
  });

  test.each([
    ["http:\n  rules:\n  - get: /x", ["line 3: the selector is missing"]],
    ["http:\n  rules:\n  - selector: a b\n    get: /x", ['line 3: the selector "a b" is not the name of a method']],
    ["http:\n  rules:\n  - selector: a.B\n    got: /x", ['line 3, selector a.B: key "got" is unknown']],
    ["http:\n  rules: 7", ["line 2: http.rules is not a list"]],
    ["http:\n  rules:\n  - /x", ["line 3: the HTTP rule is not an object"]],
    ["http:\n  fully_decode_reserved_expansion: yes please", [expect.stringContaining("line 2: ")]],
    ["apis:\n- version: v1\nhttp: {}", ["line 2: the API has no name"]],
    ["apis:\n- name: a\n  mixins:\n  - name: b\n    root: v1", ["line 4: root of a mixin is not supported"]],
    ["a: [", [expect.stringMatching(/^line \d: /)]],
    ["name: x", [expect.stringContaining("is it a service configuration?")]],
  ])("that is invalid reports the location: %j", (text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  test.each([
    ["get: /v1/{none}", /GetBook: .*column 5: .*\(line 3 of the service configuration\)/],
    ["get: /v1/a/", /GetBook: .*column 7: .*\(line 3 of the service configuration\)/],
    ["get: /x\n    additional_bindings:\n    - get: /x", /matches the same requests.*\(line 3 of/],
  ])("with an invalid rule reports its line and method: %s", (rule, message) => {
    const wrong = readServiceConfig(`http:\n  rules:\n  - selector: gateway.test.v1.Library.GetBook\n    ${rule}`);
    const build = () => createRouter(routesOf(getBook, { serviceConfig: wrong }));
    expect(build).toThrow(RouteError);
    expect(build).toThrow(message);
  });
});
