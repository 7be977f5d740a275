import { parseArgs } from "node:util";
import { fuzzCodecs } from "./codecs.ts";
import { fuzzMatcher } from "./matcher.ts";

/** Runs the fuzz for `--seconds` (default 60) from `--seed` (default: the clock). Exit code 1 at the first difference. */
const { values } = parseArgs({ options: { seconds: { type: "string" }, seed: { type: "string" } } });
const until = performance.now() + Number(values.seconds ?? 60) * 1000;
let seed = Number(values.seed ?? Date.now() % 2 ** 31);
let messages = 0;
let comparisons = 0;
let matches = 0;
const start = performance.now();
while (performance.now() < until) {
  const result = fuzzCodecs(seed, 1000);
  messages += result.messages;
  comparisons += result.comparisons;
  matches += fuzzMatcher(seed, 5000);
  seed = (seed + 1) % 2 ** 31;
}
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(`codecs: ${messages} messages, ${comparisons} comparisons, 0 differences in ${seconds} s`);
console.log(`matcher: ${matches} URLs, 0 differences`);
