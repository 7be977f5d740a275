import { expect, test } from "@jest/globals";
import { type Container, type Manifest, type PodSpec, podViolations } from "./pod-policy.ts";

const container: Container = {
  name: "c",
  securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
  resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { memory: "1Gi" } },
};
const spec: PodSpec = {
  automountServiceAccountToken: false,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
  containers: [container],
  volumes: [{ name: "tmp", emptyDir: {} }],
};
const pod = (changed: Partial<PodSpec>): Manifest => ({
  kind: "Pod",
  metadata: { name: "p" },
  spec: { ...spec, ...changed },
});
const withContainer = (changed: Partial<Container>) => pod({ containers: [{ ...container, ...changed }] });

test("a restricted pod violates nothing", () => {
  expect(podViolations(pod({}))).toEqual([]);
  expect(podViolations({ kind: "Service", metadata: { name: "s" } })).toEqual([]);
});

test.each<[string, Manifest, string]>([
  ["a token", pod({ automountServiceAccountToken: true }), "mounts a service account token"],
  ["the host's network", pod({ hostNetwork: true }), "shares a namespace"],
  ["no security context", pod({ securityContext: {} }), "may run as root"],
  ["a folder of the host", pod({ volumes: [{ name: "h", hostPath: { path: "/" } }] }), "has a volume"],
  ["no container", pod({ containers: [] }), "has no container"],
  ["no context of the container", withContainer({ securityContext: {} }), "may escalate privileges"],
  [
    "an added capability",
    withContainer({
      securityContext: { ...container.securityContext, capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } },
    }),
    "adds capabilities",
  ],
  ["no limit", withContainer({ resources: { requests: { cpu: "1", memory: "1Gi" } } }), "has no memory limit"],
  ["no requests", withContainer({ resources: { limits: { memory: "1Gi" } } }), "requests nothing"],
])("a pod with %s is refused", (_, manifest, problem) => {
  expect(podViolations(manifest).join("\n")).toContain(problem);
});

test.each(["StatefulSet", "Deployment", "Job"])("the template of a %s is looked at", (kind) => {
  const workload: Manifest = { kind, metadata: { name: "w" }, spec: { template: { spec: {} } } };
  expect(podViolations(workload)).toContain(`${kind}/w may run as root`);
});
