import { restartUnderLoad } from "../../services/test/support/restarts.ts";
import { describeMachine, keepResult, option, percentile } from "../support/measure.ts";

// Restarts under load: `make bench-restarts FLAGS="--restarts 100 --calls 100"`.

const restarts = option("restarts", 100);
const callsBetween = option("calls", 100);
const report = await restartUnderLoad({
  restarts,
  callsBetween,
  onRestart: (nth) => process.stderr.write(`${nth} of ${restarts + 2}\n`),
});
const calls = Object.values(report.succeeded).reduce((sum, each) => sum + each, 0);
console.log(`${restarts} restarts, ${calls} calls that succeeded:`, report.succeeded);
console.log(`accepted calls that failed: ${report.failed.length}`, report.failed.slice(0, 20));
console.log("calls that no process accepted:", report.refused);
console.log("ends of streams:", report.streamEnds);
console.log(`orders seen by each watcher, of ${report.orders}:`, report.watched);
console.log(
  `exit after SIGTERM: p50 ${percentile(report.exitMs, 50)} ms, p99 ${percentile(report.exitMs, 99)} ms, most ${Math.max(...report.exitMs)} ms; codes other than 0: ${report.exitCodes.filter((code) => code !== 0).length}`,
);
await keepResult("restarts", {
  machine: await describeMachine(["@grpc/grpc-js", "@connectrpc/connect-node"]),
  restarts,
  callsBetween,
  ...report,
});
if (report.failed.length > 0) {
  process.exitCode = 1;
}
