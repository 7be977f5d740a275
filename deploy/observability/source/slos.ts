/** A service level objective: the share of good events of all, over thirty days. */
export interface Slo {
  readonly name: string;
  readonly title: string;
  readonly objective: number;
  /** PromQL of the rate of bad events over a window such as `5m`. */
  readonly bad: (window: string) => string;
  /** PromQL of the rate of all events. */
  readonly all: (window: string) => string;
}

/** Calls from outside of the process; those between services of one process are part of them. */
const calls = 'rpc_system_name!="local"';
/** The faults of a server. Refusals are answers. */
const faults = 'rpc_response_status_code=~"INTERNAL|UNKNOWN|DATA_LOSS|UNAVAILABLE|DEADLINE_EXCEEDED"';
/** Calls that last as long as their caller wants. */
const unary = 'rpc_method!~".*/(Watch|Export|Import|Follow).*"';

const rate = (series: string, window: string) => `sum(rate(${series}[${window}]))`;

export const slos: readonly Slo[] = [
  {
    name: "availability",
    title: "Calls without a server fault",
    objective: 0.999,
    bad: (window) => rate(`rpc_server_call_duration_seconds_count{${calls},${faults}}`, window),
    all: (window) => rate(`rpc_server_call_duration_seconds_count{${calls}}`, window),
  },
  {
    name: "latency",
    title: "Unary calls within 1 s",
    objective: 0.99,
    bad: (window) =>
      `(${rate(`rpc_server_call_duration_seconds_count{${calls},${unary}}`, window)} - ${rate(`rpc_server_call_duration_seconds_bucket{${calls},${unary},le="1"}`, window)})`,
    all: (window) => rate(`rpc_server_call_duration_seconds_count{${calls},${unary}}`, window),
  },
  {
    name: "events",
    title: "Events on the bus within 5 s of their commit",
    // Minutes of a broker's restart are ordinary: nothing is lost meanwhile, and callers do not wait for events.
    objective: 0.99,
    bad: (window) =>
      `(${rate("docket_outbox_delay_seconds_count", window)} - ${rate('docket_outbox_delay_seconds_bucket{le="5"}', window)})`,
    all: (window) => rate("docket_outbox_delay_seconds_count", window),
  },
];

/** How fast the budget of thirty days burns, measured over a long window and confirmed by a short one. */
export interface BurnRate {
  readonly long: string;
  readonly short: string;
  /** 1 uses the budget up in exactly thirty days. */
  readonly factor: number;
  readonly severity: "page" | "ticket";
}

/** Those of the Site Reliability Workbook, https://sre.google/workbook/alerting-on-slos, table 5-8. */
export const burnRates: readonly BurnRate[] = [
  { long: "1h", short: "5m", factor: 14.4, severity: "page" },
  { long: "6h", short: "30m", factor: 6, severity: "page" },
  { long: "1d", short: "2h", factor: 3, severity: "ticket" },
  { long: "3d", short: "6h", factor: 1, severity: "ticket" },
];

/** Bad events below which no ratio is believed: at night one failed call may be a tenth of them. */
export const minBadEvents = 10;

export const windows = [...new Set(burnRates.flatMap(({ long, short }) => [long, short]))];

/** The recorded ratio of bad events. */
export const errorRatio = (window: string) => `slo:error_ratio:rate${window}`;
/** The recorded number of bad events. */
export const errorCount = (window: string) => `slo:errors:increase${window}`;
