import { errorRatio, slos } from "./slos.ts";

/** A chart: series by their legend, each a query. */
interface Panel {
  readonly title: string;
  readonly unit: "s" | "short" | "percentunit" | "bytes" | "ops";
  readonly queries: Readonly<Record<string, string>>;
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

const every = "[$__rate_interval]";
const docket = 'job="docket",instance=~"$instance"';
const quantile = (q: number, series: string, by: string) =>
  `histogram_quantile(${q}, sum by (le, ${by}) (rate(${series}_bucket{${docket}}${every})))`;
const perSecond = (series: string, by: string, where = "") =>
  `sum by (${by}) (rate(${series}{${docket}${where}}${every}))`;

const calls: Dashboard = {
  uid: "docket-calls",
  title: "Docket: calls and objectives",
  panels: [
    {
      title: "Used share of the error budget's rate (1 h)",
      unit: "percentunit",
      queries: Object.fromEntries(
        slos.map(({ name, objective }) => [
          name,
          `${errorRatio("1h")}{slo="${name}"} / ${Number((1 - objective).toPrecision(6))}`,
        ]),
      ),
    },
    {
      title: "Calls",
      unit: "ops",
      queries: {
        "{{rpc_system_name}}": perSecond("rpc_server_call_duration_seconds_count", "rpc_system_name"),
      },
    },
    {
      title: "Calls that failed",
      unit: "ops",
      queries: {
        "{{rpc_method}} {{rpc_response_status_code}}": perSecond(
          "rpc_server_call_duration_seconds_count",
          "rpc_method, rpc_response_status_code",
          ',rpc_response_status_code!="OK"',
        ),
      },
    },
    {
      title: "Slowest methods, p99",
      unit: "s",
      queries: { "{{rpc_method}}": `topk(10, ${quantile(0.99, "rpc_server_call_duration_seconds", "rpc_method")})` },
    },
    {
      title: "Calls in progress",
      unit: "short",
      queries: { "{{rpc_method}}": `sum by (rpc_method) (rpc_server_active_calls{${docket}}) > 0` },
    },
    {
      title: "Caches: where values were found",
      unit: "ops",
      queries: { "{{cache}} {{outcome}}": perSecond("docket_cache_reads_total", "cache, outcome") },
    },
  ],
};

const orders: Dashboard = {
  uid: "docket-orders",
  title: "Docket: orders, events and sagas",
  panels: [
    ...(["order", "payment", "inventory", "logistics"] as const).map(
      (service): Panel => ({
        title: `Events of ${service}`,
        unit: "ops",
        queries: {
          "{{event_type}}": perSecond("docket_events_published_total", "event_type", `,service="${service}"`),
        },
      }),
    ),
    {
      title: "Outbox: age of the oldest unsent event",
      unit: "s",
      queries: { "{{service}}": `max by (service) (docket_outbox_lag_seconds{${docket}})` },
    },
    {
      title: "Outbox: commit to bus, p99",
      unit: "s",
      queries: { "{{service}}": quantile(0.99, "docket_outbox_delay_seconds", "service") },
    },
    {
      title: "Outbox: unsent events",
      unit: "short",
      queries: { "{{service}}": `max by (service) (docket_outbox_unsent{${docket}})` },
    },
    {
      title: "Sagas: lag",
      unit: "s",
      queries: { "{{service}}": `max by (service) (docket_saga_lag_seconds{${docket}})` },
    },
    {
      title: "Saga steps, p99",
      unit: "s",
      queries: { "{{saga}} {{step}}": quantile(0.99, "docket_saga_step_duration_seconds", "saga, step") },
    },
    {
      title: "Saga steps by outcome",
      unit: "ops",
      queries: { "{{outcome}}": perSecond("docket_saga_step_duration_seconds_count", "outcome") },
    },
    {
      title: "Parked aggregates and dead letters",
      unit: "short",
      queries: {
        "parked {{service}}": `max by (service) (docket_inbox_parked{${docket}})`,
        "dead {{consumer}}": `sum by (consumer) (increase(docket_dead_letters_total{${docket}}[1h]))`,
      },
    },
    {
      title: "Events per inbox transaction, p50",
      unit: "short",
      queries: { "{{consumer}}": quantile(0.5, "docket_inbox_batch_size", "consumer") },
    },
    {
      title: "Callbacks",
      unit: "ops",
      queries: { "{{source}} {{outcome}}": perSecond("docket_callbacks_total", "source, outcome") },
    },
    {
      title: "Providers' APIs, p99",
      unit: "s",
      queries: { "{{server_address}}": quantile(0.99, "http_client_request_duration_seconds", "server_address") },
    },
    {
      title: "Webhooks",
      unit: "ops",
      queries: { "{{outcome}}": perSecond("docket_webhook_attempts_total", "outcome") },
    },
  ],
};

const processes: Dashboard = {
  uid: "docket-processes",
  title: "Docket: processes and databases",
  panels: [
    {
      title: "CPU",
      unit: "percentunit",
      queries: { "{{instance}}": perSecond("process_cpu_time_seconds_total", "instance") },
    },
    {
      title: "Memory",
      unit: "bytes",
      queries: {
        "{{instance}} resident": `process_memory_usage_bytes{${docket}}`,
        "{{instance}} heap": `sum by (instance) (v8js_memory_heap_used_bytes{${docket}})`,
        "{{instance}} heap allocated": `sum by (instance) (v8js_memory_heap_limit_bytes{${docket}})`,
      },
    },
    {
      title: "Event loop: delay",
      unit: "s",
      queries: {
        "{{instance}} p50": `nodejs_eventloop_delay_p50_seconds{${docket}}`,
        "{{instance}} p99": `nodejs_eventloop_delay_p99_seconds{${docket}}`,
        "{{instance}} max": `nodejs_eventloop_delay_max_seconds{${docket}}`,
      },
    },
    {
      title: "Event loop: utilization",
      unit: "percentunit",
      queries: { "{{instance}}": `nodejs_eventloop_utilization_ratio{${docket}}` },
    },
    {
      title: "Garbage collection",
      unit: "percentunit",
      queries: { "{{instance}} {{v8js_gc_type}}": perSecond("v8js_gc_duration_seconds_sum", "instance, v8js_gc_type") },
    },
    {
      title: "HTTP/2 sessions, sockets and timers",
      unit: "short",
      queries: {
        "{{instance}} sessions {{side}}": `docket_http2_sessions{${docket}}`,
        "{{instance}} {{v8js_resource_type}}": `v8js_resource_active{${docket}}`,
        "{{instance}} file descriptors": `process_unix_file_descriptor_count{${docket}}`,
      },
    },
    {
      title: "Commands per transaction, p50",
      unit: "short",
      queries: { "{{service}}": quantile(0.5, "docket_command_batch_size", "service") },
    },
    {
      title: "Commands: wait for a transaction, p99",
      unit: "s",
      queries: { "{{service}}": quantile(0.99, "docket_command_wait_seconds", "service") },
    },
    {
      title: "Commands: statements, repeated transactions, rejections",
      unit: "ops",
      queries: {
        "{{service}} statements": perSecond("docket_command_statements_total", "service"),
        "{{service}} repeated": perSecond("docket_command_repeated_transactions_total", "service"),
        "{{service}} rejected": perSecond("docket_commands_rejected_total", "service"),
      },
    },
    {
      title: "Commands that wait",
      unit: "short",
      queries: { "{{service}}": `sum by (service) (docket_commands_waiting{${docket}})` },
    },
    {
      title: "Configuration: generation, reloads",
      unit: "short",
      queries: {
        "{{instance}} generation": `docket_config_generation{${docket}}`,
        "{{instance}} {{result}}": `increase(docket_config_reloads_total{${docket}}[1h])`,
      },
    },
    {
      title: "Watched for leaks",
      unit: "short",
      queries: { "{{instance}} {{resource}}": `process_watched_resource{${docket}}` },
    },
  ],
};

const gateway: Dashboard = {
  uid: "docket-gateway",
  title: "Docket: the gateway program",
  panels: [
    {
      title: "Requests",
      unit: "ops",
      queries: { "{{method}} {{status}}": `sum by (method, status) (rate(gateway_requests_total${every}))` },
    },
    {
      title: "Duration",
      unit: "s",
      queries: Object.fromEntries(
        [0.5, 0.99].map((q) => [
          `p${q * 100}`,
          `histogram_quantile(${q}, sum by (le) (rate(gateway_request_duration_seconds_bucket${every})))`,
        ]),
      ),
    },
    {
      title: "Requests in flight",
      unit: "short",
      queries: { "{{instance}}": "gateway_requests_in_flight" },
    },
    {
      title: "Addresses of the upstream",
      unit: "short",
      queries: { "{{instance}} {{state}}": "gateway_upstream_addresses" },
    },
    {
      title: "Reloads",
      unit: "short",
      queries: { "{{instance}} {{result}}": "increase(gateway_reloads_total[1h])" },
    },
  ],
};

/** Grafana's dashboards by their file names. */
export function dashboardFiles(): Readonly<Record<string, object>> {
  return Object.fromEntries([calls, orders, processes, gateway].map((it) => [`${it.uid}.json`, grafanaJson(it)]));
}

/** By grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model. */
function grafanaJson({ uid, title, panels }: Dashboard): object {
  const datasource = { type: "prometheus", uid: "$datasource" };
  const hasInstances = panels.some(({ queries }) => Object.values(queries).some((expr) => expr.includes("$instance")));
  const instance = {
    name: "instance",
    type: "query",
    datasource,
    query: { query: 'label_values(up{job="docket"}, instance)', refId: "instances" },
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: ".*",
    current: { text: "All", value: "$__all" },
  };
  return {
    uid,
    title,
    tags: ["docket"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus", label: "Data source" },
        ...(hasInstances ? [instance] : []),
      ],
    },
    panels: panels.map((panel, at) => ({
      id: at + 1,
      type: "timeseries",
      title: panel.title,
      datasource,
      gridPos: { x: (at % 2) * 12, y: Math.floor(at / 2) * 8, w: 12, h: 8 },
      fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
      options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
      targets: Object.entries(panel.queries).map(([legendFormat, expr], index) => ({
        refId: String.fromCharCode("A".charCodeAt(0) + index),
        datasource,
        expr,
        legendFormat,
      })),
    })),
  };
}
