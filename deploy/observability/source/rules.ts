import { type BurnRate, burnRates, errorCount, errorRatio, minBadEvents, type Slo, slos, windows } from "./slos.ts";

/** A rule in Prometheus' format. */
interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const seconds: Readonly<Record<string, number>> = { m: 60, h: 3_600, d: 86_400 };

function secondsOf(window: string): number {
  return Number.parseInt(window, 10) * (seconds[window.slice(-1)] ?? Number.NaN);
}

function recorded(slo: Slo): Rule[] {
  const labels = { slo: slo.name };
  return windows.flatMap((window) => [
    { record: errorRatio(window), expr: `${slo.bad(window)} / ${slo.all(window)}`, labels },
    { record: errorCount(window), expr: `${slo.bad(window)} * ${secondsOf(window)}`, labels },
  ]);
}

function burning(slo: Slo, severity: BurnRate["severity"]): Rule {
  const of = `{slo="${slo.name}"}`;
  const budget = Number((1 - slo.objective).toPrecision(6));
  const conditions = burnRates
    .filter((rate) => rate.severity === severity)
    .map(({ long, short, factor }) => {
      const above = `> ${Number((factor * budget).toPrecision(6))}`;
      return `(${errorRatio(long)}${of} ${above} and ${errorRatio(short)}${of} ${above} and ${errorCount(long)}${of} >= ${minBadEvents})`;
    });
  const isPage = severity === "page";
  return {
    alert: isPage ? "ErrorBudgetBurnsFast" : "ErrorBudgetBurns",
    expr: conditions.join(" or "),
    // A deployment's last failures are not an incident.
    for: isPage ? "2m" : "15m",
    labels: { severity, slo: slo.name },
    annotations: {
      summary: `${slo.title}: the error budget of 30 days ${isPage ? "is gone within days" : "will not last"}.`,
      description: `{{ $value | humanizePercentage }} are bad; the objective is ${slo.objective * 100}%.`,
    },
  };
}

const ticket = (alert: string, expr: string, wait: string, summary: string): Rule => ({
  alert,
  expr,
  for: wait,
  labels: { severity: "ticket" },
  annotations: { summary },
});

/** Causes: where to look. What users notice pages by itself. */
const causes: readonly Rule[] = [
  {
    alert: "DocketIsDown",
    expr: 'absent(up{job="docket"} == 1)',
    for: "2m",
    labels: { severity: "page" },
    annotations: { summary: "No process of Docket answers." },
  },
  ticket("ProcessIsDown", 'up{job="docket"} == 0', "10m", "{{ $labels.instance }} does not answer."),
  ticket(
    "OutboxLags",
    "max by (service) (docket_outbox_lag_seconds) > 60",
    "5m",
    "Events of {{ $labels.service }} wait for {{ $value | humanizeDuration }}: the bus or its consumers do not take them.",
  ),
  ticket(
    "SagasLag",
    "max by (service) (docket_saga_lag_seconds) > 60",
    "5m",
    "A saga of {{ $labels.service }} has been due for {{ $value | humanizeDuration }} without a runner.",
  ),
  ticket(
    "DeadLetters",
    "sum by (consumer) (increase(docket_dead_letters_total[1h])) > 0",
    "0m",
    "Events became dead letters of {{ $labels.consumer }}: `docket dead-letters` shows them.",
  ),
  ticket(
    "OrdersNeedAttention",
    'sum(increase(docket_events_published_total{event_type="docket.order.v1.OrderNeedsAttention"}[1h])) > 0',
    "0m",
    "Orders need attention: list those with `state = NEEDS_ATTENTION`.",
  ),
  ticket(
    "ProviderFails",
    'sum by (server_address) (rate(http_client_request_duration_seconds_count{error_type!=""}[10m])) / sum by (server_address) (rate(http_client_request_duration_seconds_count[10m])) > 0.1',
    "10m",
    "A tenth of the requests to {{ $labels.server_address }} fail.",
  ),
  ticket(
    "CallbacksRejected",
    'sum by (source) (increase(docket_callbacks_total{outcome="rejected"}[1h])) > 20',
    "0m",
    "Callbacks of {{ $labels.source }} fail verification: is its secret still the right one?",
  ),
  ticket(
    "ConfigurationIsInvalid",
    'sum by (instance) (increase(docket_config_reloads_total{result="invalid"}[1h])) > 0',
    "0m",
    "{{ $labels.instance }} has refused a changed configuration and keeps the last good one: see `/probe/config`.",
  ),
  ticket(
    "ResourceLeaks",
    "max by (instance, resource) (docket_leak_suspect) > 0",
    "5m",
    "{{ $labels.resource }} of {{ $labels.instance }} keeps growing: `/probe/leaks` names what is behind it.",
  ),
  ticket(
    "EventLoopIsSlow",
    "max by (instance) (nodejs_eventloop_delay_p99_seconds) > 0.2",
    "10m",
    "One percent of all timers of {{ $labels.instance }} are late by more than 0.2 s.",
  ),
];

/** The rules of Prometheus: what is recorded, and the alerts. */
export function ruleGroups() {
  return {
    groups: [
      ...slos.map((slo) => ({ name: `slo-${slo.name}`, interval: "30s", rules: recorded(slo) })),
      {
        name: "error-budgets",
        interval: "30s",
        rules: slos.flatMap((slo) => [burning(slo, "page"), burning(slo, "ticket")]),
      },
      { name: "causes", interval: "30s", rules: causes },
    ],
  };
}
