import {
  create,
  type DescMessage,
  fromBinary,
  fromJsonString,
  type JsonValue,
  type Message,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { binaryReader } from "../../gateway/codec/binary-reader.ts";
import { binaryWriter } from "../../gateway/codec/binary-writer.ts";
import { createJsonReader } from "../../gateway/codec/json-reader.ts";
import { createJsonWriter } from "../../gateway/codec/json-writer.ts";
import { countKeys, countKeysInText } from "../../gateway/fields/duplicate-keys.ts";
import { createTrie } from "../../gateway/routing/route-trie.ts";
import { parseTemplate } from "../../gateway/routing/template-parser.ts";
import { OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import {
  describeMachine,
  keepResult,
  median,
  option,
  printRatios,
  printRounds,
  type Rounds,
} from "../support/measure.ts";
import { smallOrder } from "./order-echo.ts";

/**
 * The gateway's compiled codecs against @bufbuild/protobuf on one order, in turns, and a match among 1,000 routes; in µs
 * an operation. Reading JSON includes parsing it and looking for keys that are there twice, as `fromJsonString` does.
 * `--rounds`, `--operations`.
 */
const rounds = option("rounds", 7);
const operations = option("operations", 30_000);

const desc: DescMessage = OrderSchema;
const order: Message = create(OrderSchema, smallOrder);
const text = toJsonString(desc, order);
const bytes = toBinary(desc, order);
const readJson = createJsonReader({})(desc);
const writeJson = createJsonWriter({ alwaysEmitImplicit: false, useProtoFieldName: false, enumAsInteger: false })(desc);
const readBinary = binaryReader(desc);
const writeBinary = binaryWriter(desc);

const trie = createTrie<number>();
for (let at = 0; at < 1000; at += 1) {
  trie.insert("GET", parseTemplate(`/v1/{name=collection${at % 100}/*/part${Math.floor(at / 100)}/*}`), at);
}

const contenders: Readonly<Record<string, () => unknown>> = {
  "read JSON": () => {
    const json = JSON.parse(text) as JsonValue;
    if (countKeysInText(text) !== countKeys(json)) throw new Error("a key is there twice");
    return readJson(json);
  },
  fromJsonString: () => fromJsonString(desc, text),
  "write JSON": () => writeJson(order),
  toJsonString: () => toJsonString(desc, order),
  "read binary": () => readBinary(bytes),
  fromBinary: () => fromBinary(desc, bytes),
  "write binary": () => writeBinary(order),
  toBinary: () => toBinary(desc, order),
  "match among 1,000 routes": () => trie.find("GET", "/v1/collection57/some-id/part7/other-id"),
};

const machine = await describeMachine(["@bufbuild/protobuf"]);
const measured: Record<string, number[]> = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
for (let round = -1; round < rounds; round += 1) {
  for (const [name, run] of Object.entries(contenders)) {
    const start = process.cpuUsage();
    for (let at = 0; at < operations; at += 1) run();
    const { user, system } = process.cpuUsage(start);
    // The first round is warm-up.
    if (round >= 0) measured[name]?.push((user + system) / operations);
  }
}
const result: Rounds = measured;
console.log(`one order: ${text.length} bytes of JSON, ${bytes.length} binary`);
printRounds(result, "µs");
printRatios(result, [
  ["fromJsonString", "read JSON"],
  ["toJsonString", "write JSON"],
  ["fromBinary", "read binary"],
  ["toBinary", "write binary"],
]);
console.log(`a match: ${median(measured["match among 1,000 routes"] ?? []).toFixed(2)} µs`);
await keepResult("gateway-codecs", { machine, microsPerOperation: result });
