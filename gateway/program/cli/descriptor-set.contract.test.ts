import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { clone, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, describe, expect, test } from "@jest/globals";
import { routesOf } from "../../routing/http-rules.ts";
import { testDescriptorSet } from "../../test/support/start-program.ts";
import { type Api, readApi } from "./descriptor-set.ts";

const folder = mkdtempSync(join(tmpdir(), "gateway-descriptors-"));
afterAll(() => rmSync(folder, { recursive: true }));

const whole = readFileSync(testDescriptorSet);
const strict = { skipInvalidRules: false };

const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

/** The test API with a modification. */
const changed = (change: (set: FileDescriptorSet) => void): Uint8Array => {
  const set = clone(FileDescriptorSetSchema, fromBinary(FileDescriptorSetSchema, whole));
  change(set);
  return toBinary(FileDescriptorSetSchema, set);
};

const ownFile = (set: FileDescriptorSet) => set.file.filter(({ service }) => service.length > 0);

const servicesOf = ({ registry }: Api): DescService[] => [...registry].filter((type) => type.kind === "service");

/** Compiles a file that imports Google's annotations with buf. */
const compile = (proto: string, name: string, ...flags: string[]): string => {
  const module = mkdtempSync(join(folder, "module-"));
  writeFileSync(join(module, "shop.proto"), proto);
  const google = "node_modules/google-proto-files";
  const includes = [`${google}/google/api`];
  const excludes = ["apikeys", "cloudquotas", "expr", "servicecontrol", "servicemanagement", "serviceusage"].map(
    (each) => `${google}/google/api/${each}`,
  );
  // buf resolves modules by their path below its working directory.
  const inside = `.cache/descriptor-set-test-${process.pid}`;
  execFileSync("sh", ["-c", `mkdir -p .cache && rm -rf ${inside} && cp -R ${module} ${inside}`]);
  const modules = [{ path: inside }, { path: google, includes, excludes }];
  const path = join(folder, name);
  try {
    const config = JSON.stringify({ version: "v2", modules });
    execFileSync("node_modules/.bin/buf", [
      "build",
      ".",
      "--config",
      config,
      "--path",
      `${inside}/shop.proto`,
      "-o",
      path,
      ...flags,
    ]);
  } finally {
    rmSync(inside, { recursive: true });
  }
  return path;
};

const shop = (rules: string): string => `syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
message Item { string name = 1; repeated string tags = 2; }
service Shop { ${rules} }
`;

describe("the descriptor set", () => {
  test("should be the output of buf build, also gzipped, and say what to do if imports are missing", () => {
    const rules = `rpc Get(Item) returns (Item) { option (google.api.http) = { get: "/v1/{name=items/*}" }; }`;
    const api = readApi([compile(shop(rules), "image.binpb")], strict);
    expect(servicesOf(api).map(({ typeName }) => typeName)).toEqual(["shop.v1.Shop"]);
    expect(servicesOf(readApi([compile(shop(rules), "image.binpb.gz")], strict))).toHaveLength(1);
    expect(() => readApi([compile(shop(rules), "bare.binpb", "--exclude-imports")], strict)).toThrow(
      /bare\.binpb: imports are missing; protoc includes them with --include_imports, .*:\n {2}google\/api\/annotations\.proto, imported by shop\.proto$/,
    );
    expect(() => readApi([compile(shop(rules), "image.json")], strict)).toThrow(
      /image\.json: it is JSON; expected the binary format/,
    );
  });

  test("should have every invalid rule reported, and be served without them by option", () => {
    const path = compile(
      shop(`
        rpc Get(Item) returns (Item) {
          option (google.api.http) = { get: "/v1/{tag}" additional_bindings { get: "/v1/items/{name}" } };
        }
        rpc Put(Item) returns (Item) { option (google.api.http) = { put: "/v1/items" body: "nope.x" }; }
        rpc Find(Item) returns (Item) { option (google.api.http) = { get: "/v1/items/*" }; }
      `),
      "invalid.binpb",
    );
    expect(() => readApi([path], strict)).toThrow(
      new RegExp(
        [
          "invalid\\.binpb: 3 HTTP rules cannot be served:",
          '  shop\\.v1\\.Shop\\.Get: path template "/v1/\\{tag\\}", column 5: shop\\.v1\\.Item has no field "tag"',
          '  shop\\.v1\\.Shop\\.Put: body "nope\\.x" is not a field of shop\\.v1\\.Item',
          "  shop\\.v1\\.Shop\\.Find: GET /v1/items/\\* matches the same requests as GET /v1/items/\\{name\\}",
          "Correct them, or skip them with --skip-invalid-rules\\.",
        ].join("\n"),
      ),
    );
    const api = readApi([path], { skipInvalidRules: true });
    expect(api.skipped).toHaveLength(3);
    const routes = servicesOf(api).flatMap(({ methods }) =>
      methods.map((method) => [method.name, ...routesOf(method).map(({ template }) => template.source)]),
    );
    expect(routes).toEqual([["Get", "/v1/items/{name}"], ["Put"], ["Find"]]);
  });

  test("should be served without rules of another gateway's dialect, which are reported", () => {
    const rules = `
      rpc Get(Item) returns (Item) { option (google.api.http) = { get: "/v1/{tags}" }; }
      rpc Put(Order) returns (Item) { option (google.api.http) = { put: "/v1/items" body: "item.name" }; }`;
    const { skipped } = readApi([compile(`${shop(rules)} message Order { Item item = 1; }`, "foreign.binpb")], strict);
    expect(skipped.map(({ message }) => message)).toEqual([
      'shop.v1.Shop.Get: path template "/v1/{tags}", column 5: variable "tags" is a repeated field',
      'shop.v1.Shop.Put: body "item.name" is not a field of shop.v1.Order',
    ]);
  });

  test("should be merged from several files, in any order of imports", () => {
    const serviceFiles = write(
      "own.binpb",
      changed((set) => void (set.file = ownFile(set))),
    );
    const rest = write(
      "rest.binpb",
      changed((set) => void (set.file = set.file.filter(({ service }) => service.length === 0).reverse())),
    );
    const one = readApi([testDescriptorSet], strict);
    const two = readApi([serviceFiles, rest, testDescriptorSet], strict);
    expect(servicesOf(two).map(({ typeName }) => typeName)).toEqual(servicesOf(one).map(({ typeName }) => typeName));
    const other = changed((set) => {
      const [file] = ownFile(set);
      if (file !== undefined) file.messageType = [];
    });
    expect(() => readApi([testDescriptorSet, write("other.binpb", other)], strict)).toThrow(
      /other\.binpb: .*\.proto differs from the file of that name in another descriptor set/,
    );
  });

  test.each([
    ["is missing", undefined, "there is no such file; create it with `buf build -o FILE`"],
    ["is empty", "", "the file is empty; create it with"],
    ["is text", "hello", "it is not a descriptor set; create it with"],
    ["is a source", 'syntax = "proto3";\n', "it is a .proto file, not a descriptor set; create it with"],
    ["is JSON", '{"file": []}', "it is JSON; expected the binary format: `buf build -o api.binpb`"],
    ["is a part", whole.subarray(0, 5000), "it is not a descriptor set"],
    ["is a part of gzip", gzipSync(whole).subarray(0, 500), "it is not valid gzip"],
    [
      "has no service",
      changed((set) => {
        for (const file of ownFile(set)) file.service = [];
      }),
      "it contains no service",
    ],
  ])("should get an error that says what to do if the file %s", (name, content, message) => {
    const path = content === undefined ? join(folder, "nowhere") : write(name, content);
    expect(() => readApi([path], strict)).toThrow(`${path}: ${message}`);
  });
});
