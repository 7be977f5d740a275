import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { testRegistry } from "../support/test-api.ts";
import { fuzzCodecs } from "./codecs.ts";
import { fuzzMatcher } from "./matcher.ts";

/**
 * Runs the fuzzer until `--messages` messages and as many pairs of rules and URLs have been compared, or for
 * `--seconds` (default 60), from `--seed` (default: the clock). `--types` is a descriptor set whose messages are used
 * too. Exit code 1 at the first difference, with the seed that reproduces it.
 */
const { values } = parseArgs({
  options: {
    messages: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string" },
    types: { type: "string" },
  },
});
const start = performance.now();
const limit = Number(values.messages ?? Number.POSITIVE_INFINITY);
const until = values.messages === undefined ? start + Number(values.seconds ?? 60) * 1000 : Number.POSITIVE_INFINITY;
const types =
  values.types === undefined
    ? []
    : [createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(values.types)))];
const registry = createFileRegistry(testRegistry, ...types);
const first = Number(values.seed ?? Date.now() % 2 ** 31);
let seed = first;
let messages = 0;
let comparisons = 0;
let pairs = 0;
while (performance.now() < until && messages < limit) {
  const result = fuzzCodecs(seed, Math.min(1000, limit - messages), registry);
  messages += result.messages;
  comparisons += result.comparisons;
  pairs += fuzzMatcher(seed, 1000);
  seed = (seed + 1) % 2 ** 31;
}
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(`seeds ${first} to ${seed - 1}, ${seconds} s`);
console.log(`codecs: ${messages} messages, ${comparisons} comparisons, 0 differences`);
console.log(`matcher: ${pairs} pairs of rules and URLs, 0 differences`);
