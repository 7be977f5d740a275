import { expect, test } from "@jest/globals";
import { allows } from "./network-flows.ts";
import type { Manifest } from "./pod-policy.ts";

const a = { app: "a" };
const b = { app: "b" };
const policy = (spec: object) => ({ kind: "NetworkPolicy", metadata: { name: "p" }, spec }) as unknown as Manifest;

test("without a policy everything passes", () => {
  expect(allows([], { from: a, to: b, port: 1 })).toBe(true);
});

test("a policy without rules denies its types only", () => {
  const denied = [policy({ podSelector: { matchLabels: b }, policyTypes: ["Ingress"] })];
  expect(allows(denied, { from: a, to: b, port: 1 })).toBe(false);
  expect(allows(denied, { from: b, to: a, port: 1 })).toBe(true);
});

test("a rule allows its peers at its ports, by number or name", () => {
  const policies = [
    policy({
      podSelector: { matchLabels: b },
      policyTypes: ["Ingress"],
      ingress: [{ ports: [{ port: "http" }, { port: 9 }], from: [{ podSelector: { matchLabels: a } }] }],
    }),
  ];
  expect(allows(policies, { from: a, to: b, port: 80, portName: "http" })).toBe(true);
  expect(allows(policies, { from: a, to: b, port: 9 })).toBe(true);
  expect(allows(policies, { from: a, to: b, port: 10 })).toBe(false);
  expect(allows(policies, { from: "outside", to: b, port: 9 })).toBe(false);
});

test("both ends must allow a connection", () => {
  const policies = [
    policy({ podSelector: { matchLabels: a }, policyTypes: ["Egress"], egress: [{ ports: [{ port: 1 }] }] }),
    policy({
      podSelector: { matchLabels: b },
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ podSelector: { matchLabels: { app: "c" } } }] }],
    }),
  ];
  expect(allows(policies, { from: a, to: "outside", port: 1 })).toBe(true);
  expect(allows(policies, { from: a, to: b, port: 1 })).toBe(false);
});
