import type { MetricSpecs } from "../../telemetry/metric-spec.ts";

/** Metrics of the stand-alone gateway, besides those of the process. */
export const gatewayMetrics = {
  requests: {
    name: "gateway.requests",
    type: "counter",
    unit: "{request}",
    description: "Finished requests by HTTP method and status; status 0 if the client disconnected first.",
    attributes: ["method", "status"],
  },
  duration: {
    name: "gateway.request.duration",
    type: "histogram",
    unit: "s",
    description: "Time from the head of a request to the end of its response.",
    attributes: [],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
  },
  inFlight: {
    name: "gateway.requests.in_flight",
    type: "upDownCounter",
    unit: "{request}",
    description: "Requests without a complete response.",
    attributes: [],
  },
  reloads: {
    name: "gateway.reloads",
    type: "counter",
    unit: "{reload}",
    description: "Attempts to reload changed files.",
    attributes: ["result"],
  },
  addresses: {
    name: "gateway.upstream.addresses",
    type: "gauge",
    unit: "{address}",
    description: "Addresses of the upstream by state.",
    attributes: ["state"],
  },
} as const satisfies MetricSpecs;
