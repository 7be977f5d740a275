import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { serviceNames, targetNames } from "../../services/host/targets.ts";
import { allows, type End, matches } from "./testing/network-flows.ts";
import type { Labels, Manifest } from "./testing/pod-policy.ts";
import { chart, helm, manifestsOf, readWithSecrets, settingsOf, template, workloadsOf } from "./testing/render.ts";

const [describeHelm, title] = existsSync(helm)
  ? ([describe, "the distributed chart"] as const)
  : ([describe.skip, "the distributed chart (skipped: there is no Helm)"] as const);

const file = (name: string) => ["--values", join(chart, `testing/good/${name}.yaml`)];
const render = async (...args: string[]) => manifestsOf(await template(...args));

const services: readonly string[] = serviceNames;
const targets: readonly string[] = targetNames;

function named(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) {
    throw new Error(`${kind}/${name} is missing`);
  }
  return found;
}

/** Any field of an object's `spec`. */
const specOf = (manifest: Manifest) => manifest.spec as unknown as Record<string, never>;

const podOf = (manifests: readonly Manifest[], name: string) => {
  const workload = workloadsOf(manifests).find((each) => each.name === name);
  if (workload === undefined) {
    throw new Error(`no workload ${name}`);
  }
  return workload;
};

const hookPods = ["topics", "test"].map(
  (component): Labels => ({
    "app.kubernetes.io/name": "docket",
    "app.kubernetes.io/instance": "docket",
    "app.kubernetes.io/component": component,
  }),
);

describeHelm(title, () => {
  let plain: Manifest[];
  let production: Manifest[];

  beforeAll(async () => {
    plain = await render(...file("distributed"));
    production = await render(...file("distributed-production"));
  });

  test("has a Deployment for each target, which runs that target alone", () => {
    const workloads = workloadsOf(plain);
    expect(workloads.map(({ kind, name }) => `${kind}/${name}`).sort()).toEqual(
      targets.map((target) => `Deployment/docket-${target}`).sort(),
    );
    for (const target of targets) {
      const { config } = settingsOf(`docket-${target}`, plain);
      expect([...config.targets]).toEqual([target]);
      expect([...config.serviceAddresses.keys()].sort()).toEqual([...services].sort());
      expect(config.kafka.brokers).toEqual(["kafka-1.kafka.svc:9092", "kafka-2.kafka.svc:9092"]);
      expect(podOf(plain, `docket-${target}`).replicas).toBe(target === "sandbox" ? 1 : 3);
    }
  });

  test("never takes a pod away before its successor is ready and known to clients, and never runs two sandboxes", () => {
    for (const target of targets) {
      const { strategy, minReadySeconds } = specOf(named(plain, "Deployment", `docket-${target}`));
      expect({ strategy, minReadySeconds }).toEqual(
        target === "sandbox"
          ? { strategy: { type: "Recreate" } }
          : {
              strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: "25%" } },
              minReadySeconds: 30,
            },
      );
    }
  });

  test("has the pod of the standalone chart, but for settings, Secrets and the spread", async () => {
    const standalone = await render(...file("distributed"), "--set", "mode=standalone");
    const essence = (manifests: readonly Manifest[], name: string) => {
      const {
        volumes,
        topologySpreadConstraints,
        containers = [],
        ...pod
      } = podOf(manifests, name).pod as never as {
        volumes: object[];
        topologySpreadConstraints?: object[];
        containers?: Record<string, unknown>[];
      };
      return { ...pod, containers: containers.map(({ envFrom, volumeMounts, ...container }) => container) };
    };
    expect(essence(plain, "docket-gateway")).toEqual(essence(standalone, "docket"));
  });

  test("spreads the pods of each target over zones and nodes", () => {
    for (const { name, labels, pod } of workloadsOf(production)) {
      const spread = specOf({ spec: pod } as Manifest)["topologySpreadConstraints"] as unknown as {
        topologyKey: string;
        whenUnsatisfiable: string;
        labelSelector: { matchLabels: Labels };
      }[];
      expect([name, ...spread.map(({ topologyKey }) => topologyKey)]).toEqual([
        name,
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
      ]);
      for (const { whenUnsatisfiable, labelSelector } of spread) {
        expect(whenUnsatisfiable).toBe("DoNotSchedule");
        expect(matches(labels, labelSelector.matchLabels)).toBe(true);
      }
    }
  });

  test("gives each service a name that resolves to all of its pods and no others", () => {
    const { config } = settingsOf("docket-gateway", plain);
    for (const [service, address] of config.serviceAddresses) {
      const [host = "", port] = address.split(":");
      expect(host).toBe(`docket-${service}.default.svc`);
      const spec = specOf(named(plain, "Service", `docket-${service}`));
      expect(spec).toMatchObject({ clusterIP: "None", ports: [{ port: Number(port), targetPort: "grpc" }] });
      const found = workloadsOf(plain).filter(({ labels }) => matches(labels, spec["selector"] as unknown as Labels));
      expect(found.map(({ name }) => name)).toEqual([`docket-${service}`]);
    }
  });

  test("serves clients at the gateway, and metrics of every server but not of hooks", () => {
    const selected = (service: string) => {
      const selector = specOf(named(production, "Service", service))["selector"] as unknown as Labels;
      expect(hookPods.filter((labels) => matches(labels, selector))).toEqual([]);
      return workloadsOf(production).filter(({ labels }) => matches(labels, selector));
    };
    expect(selected("docket").map(({ name }) => name)).toEqual(["docket-gateway"]);
    expect(selected("docket-ops")).toHaveLength(targets.length);
    const backends = production.filter(({ kind }) => /Route$|^Ingress$/.test(kind)).map((each) => JSON.stringify(each));
    expect(backends).toHaveLength(3);
    for (const text of backends) {
      expect(text).toMatch(/"(backendRefs":\[|service":)\{"name":"docket",/);
    }
  });

  test("gives each target the Secrets that it uses", () => {
    const secrets = (target: string) =>
      (podOf(production, `docket-${target}`).pod.volumes ?? [])
        .filter(({ secret }) => secret !== undefined)
        .map(({ name }) => name);
    const events = ["kafka-password", "kafka-tls"];
    const shared = ["database", "redis", "service-secret"];
    expect(secrets("gateway").sort()).toEqual(["redis", "service-secret", "tls"]);
    expect(secrets("sandbox").sort()).toEqual([...shared, "sandbox-secret"].sort());
    expect(secrets("order").sort()).toEqual([...shared, ...events].sort());
    expect(secrets("operations").sort()).toEqual([...shared, ...events, "admin-key"].sort());
    expect(secrets("payment").sort()).toEqual([...shared, ...events, "sandbox-secret"].sort());
  });

  test("merges the settings and resources of a target over the common ones", () => {
    expect(settingsOf("docket-gateway", production).config).toMatchObject({
      logLevel: "warn",
      maxBufferedBytes: 268_435_456,
    });
    expect(settingsOf("docket-order", production).config).toMatchObject({
      logLevel: "info",
      maxBufferedBytes: 134_217_728,
      redis: { cluster: true },
      kafka: { saslMechanism: "SCRAM-SHA-512", tls: true, partitions: 24 },
    });
    expect(podOf(production, "docket-order").pod.containers?.[0]?.resources).toEqual({
      requests: { cpu: "1", memory: "256Mi" },
      limits: { memory: "2Gi" },
    });
    expect(podOf(production, "docket-payment").replicas).toBe(4);
  });

  test("asks clients of services to look for new pods every ten minutes, or as configured", () => {
    const minutes = (target: string) => settingsOf(`docket-${target}`, production).config.grpcConnectionAgeMs / 60_000;
    expect([minutes("payment"), minutes("order"), minutes("gateway")]).toEqual([10, 60, 120]);
  });

  test("lets services believe the gateway, and the gateway its proxies only", () => {
    const trusts = (target: string, address: string) =>
      settingsOf(`docket-${target}`, production).config.trustedProxies.has(address);
    expect([trusts("gateway", "10.1.2.3"), trusts("gateway", "203.0.113.7")]).toEqual([false, true]);
    expect([trusts("order", "10.1.2.3"), trusts("order", "203.0.113.7"), trusts("order", "8.8.8.8")]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("keeps two pods of each target, and scales by CPU where that is asked for", () => {
    const budgets = (manifests: readonly Manifest[]) =>
      manifests
        .filter(({ kind }) => kind === "PodDisruptionBudget")
        .map((each) => [each.metadata.name, specOf(each)["minAvailable"]] as const)
        .sort();
    const kept = targets.filter((target) => target !== "sandbox").map((target) => [`docket-${target}`, 2] as const);
    expect(budgets(plain)).toEqual(kept.sort());
    expect(Object.fromEntries(budgets(production))).toMatchObject({ "docket-gateway": 3, "docket-order": 2 });
    expect(budgets(production).map(([name]) => name)).not.toContain("docket-logistics");

    expect(plain.filter(({ kind }) => kind === "HorizontalPodAutoscaler")).toEqual([]);
    expect(podOf(production, "docket-order").replicas).toBeUndefined();
    expect(specOf(named(production, "HorizontalPodAutoscaler", "docket-order"))).toMatchObject({
      scaleTargetRef: { kind: "Deployment", name: "docket-order" },
      minReplicas: 3,
      maxReplicas: 12,
      metrics: [{ resource: { name: "cpu", target: { averageUtilization: 70 } } }],
    });
  });

  test("creates the topics before everything else, with nothing of the release", () => {
    const job = named(production, "Job", "docket-topics");
    expect(job.metadata.annotations?.["helm.sh/hook"]).toBe("pre-install,pre-upgrade");
    const { serviceAccountName, containers = [], volumes = [] } = job.spec?.template?.spec ?? {};
    expect(serviceAccountName).toBeUndefined();
    expect(containers[0]?.envFrom).toBeUndefined();
    expect(containers[0]?.args?.at(-1)).toBe("topics");
    const variables = (containers[0]?.env ?? []).filter(({ name }) => name.startsWith("DOCKET_"));
    const { config, secretFiles } = readWithSecrets(
      Object.fromEntries(variables.map(({ name, value }) => [name, value])),
    );
    expect(config.kafka).toEqual(settingsOf("docket-order", production).config.kafka);
    const mounted = volumes.flatMap(({ name, secret }) => (secret?.items ?? []).map(({ path }) => `${name}/${path}`));
    expect(secretFiles.map((path) => path.replace("/run/docket/", "")).sort()).toEqual(mounted.sort());
  });

  test("has no sandbox where nothing is the sandbox", async () => {
    const without =
      "--set=config.DOCKET_PAYMENT_PROVIDERS=acme,config.DOCKET_CARRIERS=freight,sandboxSecret.existingSecret=";
    const manifests = await render(...file("distributed"), without);
    expect(manifests.filter(({ metadata }) => metadata.name.includes("sandbox"))).toEqual([]);
    expect(settingsOf("docket-gateway", manifests).config.serviceAddresses.has("sandbox")).toBe(false);
    const carrier = await render(...file("distributed"), "--set=config.DOCKET_PAYMENT_PROVIDERS=acme");
    expect(workloadsOf(carrier).map(({ name }) => name)).toContain("docket-sandbox");
  });

  test("lets traffic pass where it exists, and nowhere else", () => {
    const pod = (target: string): End => podOf(production, `docket-${target}`).labels;
    const [topics, helmTest] = hookPods as [Labels, Labels];
    const grpc = { port: 9090, portName: "grpc" };
    const http = { port: 8080, portName: "http" };
    const outside = "outside" as const;
    const flows: [string, End, End, { port: number; portName?: string }, boolean][] = [
      ["clients to the gateway", outside, pod("gateway"), http, true],
      ["clients to a service", outside, pod("order"), grpc, false],
      ["the gateway to a service", pod("gateway"), pod("order"), grpc, true],
      ["a service to another", pod("order"), pod("payment"), grpc, true],
      ["the test to the gateway", helmTest, pod("gateway"), http, true],
      ["the test to a service", helmTest, pod("order"), grpc, false],
      ["payment to the sandbox by the gateway", pod("payment"), pod("gateway"), http, true],
      ["callbacks of the sandbox", pod("sandbox"), pod("gateway"), http, true],
      ["orders to the gateway", pod("order"), pod("gateway"), http, false],
      ["a service to the database", pod("order"), outside, { port: 3306 }, true],
      ["the gateway to the database", pod("gateway"), outside, { port: 3306 }, false],
      ["a service to Kafka", pod("inventory"), outside, { port: 9093 }, true],
      ["a service to Kafka's other port", pod("inventory"), outside, { port: 9094 }, true],
      ["the gateway to Kafka", pod("gateway"), outside, { port: 9093 }, false],
      ["the sandbox to Kafka", pod("sandbox"), outside, { port: 9093 }, false],
      ["the topics to Kafka", topics, outside, { port: 9093 }, true],
      ["the topics to the database", topics, outside, { port: 3306 }, false],
      ["the gateway to Redis", pod("gateway"), outside, { port: 6379 }, true],
      ["callbacks to the public address", pod("sandbox"), outside, { port: 443 }, true],
      ["a service to the internet", pod("order"), outside, { port: 443 }, false],
      ["Prometheus to a service", outside, pod("order"), { port: 8081, portName: "ops" }, true],
      ["a service to another's probes", pod("gateway"), pod("order"), { port: 8081, portName: "ops" }, false],
    ];
    const seen = flows.map(([name, from, to, port]) => `${name}: ${allows(production, { from, to, ...port })}`);
    expect(seen).toEqual(flows.map(([name, , , , allowed]) => `${name}: ${allowed}`));
  });
});
