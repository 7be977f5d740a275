import { expect, test } from "@jest/globals";
import { withDeadline } from "./deadline-header.ts";
import { traceparentOf } from "./trace-header.ts";

test.each([
  [[], [["x-server-timeout", "1.500"]]],
  [[["x-server-timeout", "1"]], [["x-server-timeout", "1"]]],
  [[["X-Server-Timeout", "9"]], [["x-server-timeout", "1.500"]]],
  [
    [["content-type", "application/grpc-web+proto"]],
    [
      ["content-type", "application/grpc-web+proto"],
      ["grpc-timeout", "1500m"],
    ],
  ],
  [
    [
      ["connect-protocol-version", "1"],
      ["connect-timeout-ms", "60000"],
    ],
    [
      ["connect-protocol-version", "1"],
      ["connect-timeout-ms", "1500"],
    ],
  ],
  [
    [["content-type", "application/connect+json"]],
    [
      ["content-type", "application/connect+json"],
      ["connect-timeout-ms", "1500"],
    ],
  ],
  [[["grpc-timeout", "soon"]], [["grpc-timeout", "soon"]]],
] as const)("%j with 1.5 s left becomes %j", (headers, expected) => {
  expect(withDeadline(headers, 1500)).toEqual(expected);
});

test.each([
  [
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
  ],
  [
    "Root=1-5759E988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a:1",
    "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00",
  ],
  ["Root=1-5759e988-bd862e3fe1be46a994272793", undefined],
  ["Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8", undefined],
  ["nonsense", undefined],
  [undefined, undefined],
])("X-Ray's %s is W3C's %s", (header, traceparent) => {
  expect(traceparentOf(header)).toBe(traceparent);
});
