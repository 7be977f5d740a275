import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "@jest/globals";

/** What imports what, and the rules that this breaks. A rule without a case may have stopped working unnoticed. */
const cases: [from: string, to: string, ...broken: string[]][] = [
  ["gen/docket/order/v1/order_pb.js", "@bufbuild/protobuf"],
  ["gen/docket/payment/v1/payment_pb.js", "pino", "gen-imports-bufbuild-only"],
  ["gateway/routing/route-trie.ts", "gen/google/api/http_pb.js"],
  ["gateway/codec.ts", "gen/docket/order/v1/order_pb.js", "gateway-knows-no-docket"],
  ["gateway/http/cors.ts", "services/runtime/values/ids.ts", "gateway-http-is-a-ground", "gateway-knows-no-docket"],
  ["services/runtime/auth.ts", "gen/docket/options/v1/options_pb.js"],
  ["services/runtime/values/money.ts", "gen/docket/order/v1/order_pb.js", "runtime-knows-no-domain"],
  ["services/order/rpc/a.ts", "gen/docket/payment/v1/payment_pb.js"],
  ["services/order/rpc/b.ts", "services/payment/domain/a.ts", "services-do-not-import-each-other"],
  ["services/order/rpc/c.ts", "gateway/routing/route-trie.ts", "services-do-not-import-each-other"],
  ["services/host/a.ts", "services/order/service.ts"],
  ["services/host/b.ts", "services/order/store/a.ts", "host-composes-services"],
  ["bench/a.ts", "services/host/a.ts"],
  ["examples/a.ts", "services/host/a.ts", "nothing-imports-the-host", "examples-use-the-sdk"],
  ["deploy/function/lambda/a.ts", "services/host/d.ts"],
  ["deploy/function/lambda/b.ts", "services/order/service.ts", "function-starts-the-host"],
  ["services/host/c.ts", "services/main.ts", "host-composes-services", "nothing-imports-main"],
  ["services/order/main.ts", "services/order/service.ts"],
  ["services/order/rpc/d.ts", "services/order/service.ts", "service-is-imported-by-roots"],
  ["services/order/service.ts", "services/order/routes.ts"],
  ["services/order/context.ts", "services/order/routes.ts", "routes-is-imported-by-service"],
  ["services/order/rpc/e.ts", "services/order/consumers/b.ts", "rpc-imports-downwards"],
  [
    "services/order/consumers/a.ts",
    "services/order/rpc/a.ts",
    "consumers-imports-downwards",
    "rpc-is-imported-by-routes",
  ],
  ["services/order/workers/a.ts", "services/order/rpc/a.ts", "rpc-is-imported-by-routes", "workers-imports-downwards"],
  ["services/order/workers/b.ts", "services/order/saga/b.ts"],
  ["services/order/change-notifier.ts", "services/order/workers/c.ts", "shared-files-import-downwards"],
  ["services/order/saga/a.ts", "services/order/rpc/a.ts", "rpc-is-imported-by-routes", "saga-imports-downwards"],
  ["services/order/store/a.ts", "services/order/saga/b.ts", "store-imports-downwards"],
  ["services/order/db/a.ts", "services/order/store/b.ts", "db-imports-downwards"],
  ["services/order/domain/a.ts", "services/runtime/values/money.ts"],
  ["services/order/domain/b.ts", "services/runtime/telemetry/log.ts", "domain-is-pure"],
  ["services/order/domain/c.ts", "node:fs", "domain-is-pure"],
  ["services/order/domain/d.ts", "kysely", "domain-is-pure", "sql-stays-in-store-and-db"],
  ["services/order/store/c.ts", "kysely"],
  ["services/order/rpc/f.ts", "type kysely"],
  ["services/order/rpc/g.ts", "kysely", "sql-stays-in-store-and-db"],
  ["services/runtime/outbox.ts", "kysely"],
  ["services/runtime/db/sqlite/dialect.ts", "node:sqlite"],
  ["services/runtime/values/ids.ts", "node:sqlite", "drivers-stay-in-runtime-db"],
  ["services/order/store/d.ts", "mysql2", "drivers-stay-in-runtime-db"],
  ["web-client/sdk/a.ts", "gen/docket/order/v1/order_pb.js"],
  ["web-client/sdk/b.ts", "services/runtime/values/ids.ts", "web-client-imports-gen-only"],
  ["examples/b.ts", "web-client/sdk/a.ts"],
  ["services/payment/domain/a.ts", "services/payment/domain/b.ts", "no-cycles"],
  ["services/payment/domain/b.ts", "services/payment/domain/a.ts"],
  [
    "services/order/rpc/h.ts",
    "services/order/rpc/a.test.ts",
    "nothing-imports-a-test",
    "rpc-is-imported-by-routes",
    "testing-code-is-for-tests",
  ],
  ["services/order/rpc/a.test.ts", "services/order/testing/a.ts"],
  ["services/order/rpc/i.ts", "services/order/testing/a.ts", "testing-code-is-for-tests"],
  ["services/order/rpc/j.ts", "fast-check", "no-dev-dependencies-in-the-product"],
  ["services/order/rpc/k.ts", "acorn", "no-undeclared-packages"],
  ["services/order/rpc/l.ts", "./nowhere.ts", "everything-resolves"],
];

const isServerFault = (target: string) => /^(gen|gateway|services|web-client)\//.test(target);

/** The text of a file that imports `to`: a file of the repository, a package, or what is written with a dot. */
function importOf(from: string, to: string): string {
  const isType = to.startsWith("type ");
  const target = isType ? to.slice("type ".length) : to;
  const text = isServerFault(target) ? relative(dirname(from), target).replace(/^(?!\.)/, "./") : target;
  return `import ${isType ? "type " : ""}* as it from ${JSON.stringify(text)};\nexport const that = it;\n`;
}

interface Cruise {
  summary: { violations: { from: string; rule: { name: string } }[] };
}

async function brokenRules(): Promise<Map<string, string[]>> {
  await mkdir(".cache", { recursive: true });
  const folder = await mkdtemp(".cache/import-rules-");
  try {
    await cp("package.json", join(folder, "package.json"));
    const files = new Map(cases.map(([from, to]) => [from, importOf(from, to)]));
    for (const [, to] of cases) {
      if (isServerFault(to) && !files.has(to)) {
        files.set(to, "export const that = 1;\n");
      }
    }
    for (const [file, text] of files) {
      await mkdir(join(folder, dirname(file)), { recursive: true });
      await writeFile(join(folder, file), text);
    }
    const options = ["--config", resolve(".dependency-cruiser.js"), "--output-type", "json"];
    const { stdout } = spawnSync("depcruise", [...options, "."], { cwd: folder, encoding: "utf8", maxBuffer: 1e8 });
    const { summary }: Cruise = JSON.parse(stdout);
    const broken = new Map<string, string[]>();
    for (const { from, rule } of summary.violations) {
      broken.set(from, [...(broken.get(from) ?? []), rule.name].sort());
    }
    return broken;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("each import is refused by exactly the rules that it breaks", async () => {
  const broken = await brokenRules();
  const found = cases.map(([from, to]) => ({ from, to, broken: broken.get(from) ?? [] }));
  expect(found).toEqual(cases.map(([from, to, ...rules]) => ({ from, to, broken: rules.sort() })));
});
