import { expect, test } from "@jest/globals";
import { type MetricSpecs, prometheusName } from "../../gateway/telemetry/metric-spec.ts";
import { processMetrics } from "../../gateway/telemetry/process-metrics.ts";
import { startOtlpReceiver } from "../../gateway/test/support/otlp-receiver.ts";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { runtimeMetrics } from "../runtime/telemetry/metrics.ts";
import { eventually } from "./support/eventually.ts";
import { startProgram } from "./support/program.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { createFolder } from "./support/start-docket.ts";

/** The families of an exposition, with the labels of each but `le`, which every histogram has, and `error_type`. */
function familiesOf(text: string) {
  const families = new Map<string, { type: string; help: string; labels: Set<string> }>();
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const help = new RegExp(`^# HELP ${name} (.*)$`, "m").exec(text)?.[1] ?? "";
    const labels = new Set<string>();
    for (const [, pairs = ""] of text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `, "gm"))) {
      for (const [, label = ""] of pairs.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) {
        if (label !== "le" && label !== "error_type") labels.add(label);
      }
    }
    families.set(name, { type, help, labels });
  }
  return families;
}

function documented(...groups: readonly MetricSpecs[]) {
  return new Map(
    groups
      .flatMap((specs) => Object.values(specs))
      .map((spec) => [
        prometheusName(spec),
        {
          type: spec.type === "upDownCounter" ? "gauge" : spec.type,
          help: spec.description,
          // Only what has failed has an error type.
          labels: new Set(
            spec.attributes.filter((name) => name !== "error.type").map((name) => name.replaceAll(".", "_")),
          ),
        },
      ]),
  );
}

const byName = (families: ReadonlyMap<string, unknown>) => Object.fromEntries([...families].sort());

test("a running Docket exports every documented metric, and no other, with its type, text and labels", async () => {
  await using storage = await createFolder();
  await using program = await startProgram(storage.environment);
  await stockTea(program.docket, 10);
  const { name } = await program.docket.orders.createOrder({ order: teaOrder() });
  await untilState(program.docket, name, [Order_State.COMPLETED]);

  const read = async () => {
    const families = familiesOf(await (await fetch(`${program.opsUrl}/metrics`)).text());
    families.delete("target_info");
    return families;
  };
  const expected = documented(runtimeMetrics, processMetrics);
  const missing = async () => [...expected.keys()].filter((name) => !seen.has(name));
  let seen = await read();
  await eventually(async () => {
    seen = await read();
    return (await missing()).length;
  }, 0);
  expect(byName(seen)).toEqual(byName(expected));
}, 120_000);

test("metrics are pushed by OTLP under OpenTelemetry's names, the last of them when the process stops", async () => {
  await using storage = await createFolder();
  await using receiver = await startOtlpReceiver();
  await using program = await startProgram({
    ...storage.environment,
    OTEL_METRICS_EXPORTER: "otlp",
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
  });
  await stockTea(program.docket, 1);
  expect(receiver.metrics.size).toBe(0);
  expect(await program.stop()).toBe(0);
  expect([...receiver.metrics]).toEqual(
    expect.arrayContaining([
      ["rpc.server.call.duration", "s"],
      ["docket.command.batch_size", "{command}"],
      ["nodejs.eventloop.utilization", "1"],
    ]),
  );
}, 60_000);

test("no metrics are recorded where they are switched off", async () => {
  await using storage = await createFolder();
  await using program = await startProgram({ ...storage.environment, OTEL_METRICS_EXPORTER: "none" });
  expect(await (await fetch(`${program.opsUrl}/metrics`)).text()).toBe("# metrics are switched off\n");
}, 60_000);
