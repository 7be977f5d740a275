// Who may import whom: ARCHITECTURE.md's section of that name, rule for rule. `npm run lint:imports` checks it.

import { Visitor } from "@swc/core/Visitor.js";

// swc parses `using` and `await using`, but its visitor, with which dependency-cruiser reads a file, does not know them.
const { visitStatement, visitPattern } = Visitor.prototype;
Object.assign(Visitor.prototype, {
  visitStatement(statement) {
    return statement.type === "UsingDeclaration" ? this.visitUsing(statement) : visitStatement.call(this, statement);
  },
  visitPattern(pattern) {
    return pattern.type === "UsingDeclaration" ? this.visitUsing(pattern) : visitPattern.call(this, pattern);
  },
  visitUsing(declaration) {
    this.visitVariableDeclarators(declaration.decls);
    return declaration;
  },
});

const tests = "\\.test\\.ts$";
const testCode = "(\\.test\\.ts$|/(test|testing)/|-suite\\.ts$)";

/** A module of this repository, not of npm and not of Node. */
const ours = "^(bench|charts|deploy|examples|gateway|gen|services|tools|web-client)/";

/** Inside a service, no file of `folder` may import what stands above it. */
function below(folder, above) {
  return {
    name: `${folder}-imports-downwards`,
    comment: "Inside a service: main → service → routes, jobs → rpc | consumers | workers → saga | store | domain.",
    severity: "error",
    from: { path: `^services/(?!runtime/)([^/]+)/${folder}/`, pathNot: tests },
    to: { path: `^services/$1/(${above.join("|")})` },
  };
}

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    {
      name: "gen-imports-bufbuild-only",
      comment: "Generated code stands alone, so that anything may import it and a client can ship it.",
      severity: "error",
      from: { path: "^gen/" },
      to: { pathNot: "^gen/|node_modules/@bufbuild/" },
    },
    {
      name: "gateway-knows-no-docket",
      comment:
        "The gateway is usable for any gRPC API: npm, Google's own annotations and gRPC's services, nothing of Docket.",
      severity: "error",
      from: { path: "^gateway/" },
      to: { path: ours, pathNot: "^(gateway|gen/(google|grpc|health))/" },
    },
    {
      name: "runtime-knows-no-domain",
      comment:
        "The runtime is the leaf that every service shares: the gateway's codecs and limits, the access option, the audit event and what operators see of sagas and dead letters, no order or payment.",
      severity: "error",
      // A test may borrow a real message.
      from: { path: "^services/runtime/", pathNot: tests },
      to: {
        path: ours,
        pathNot:
          "^services/runtime/|^gateway/(call|codec|grpc|http|telemetry)/|^gateway/errors\\.ts$|^gen/(?!docket/)|^gen/docket/(admin|audit|bus|operations|options)/",
      },
    },
    {
      name: "gateway-http-is-a-ground",
      comment:
        "The HTTP ground under the gateway and the services: connections, limits, bodies and metadata; no routes or messages.",
      severity: "error",
      from: { path: "^gateway/http/", pathNot: tests },
      to: { path: ours, pathNot: "^gateway/(http|codec)/|^gateway/errors\\.ts$|^gateway/telemetry/metrics-text\\.ts$" },
    },
    {
      name: "services-do-not-import-each-other",
      comment:
        "Services speak by RPC or by event, so that each can be a process of its own with its own database. They share the runtime and the helpers for aborting calls.",
      severity: "error",
      from: { path: "^services/(?!host/|runtime/|test/)([^/]+)/", pathNot: testCode },
      to: { path: ours, pathNot: "^(services/($1|runtime)|gen)/|^gateway/call/abort\\.ts$" },
    },
    {
      name: "tests-may-start-the-sandbox",
      comment:
        "A service's tests know no other service, but the sandbox, which stands for an external system; it is served over HTTP.",
      severity: "error",
      from: { path: `^services/(?!host/|runtime/|test/)([^/]+)/.*${testCode}` },
      to: { path: ours, pathNot: "^(services/($1|runtime|sandbox/testing)|gen)/|^gateway/http-handler\\.ts$" },
    },
    {
      name: "host-composes-services",
      comment: "The host is a composition root: it takes each service whole, by its service.ts and its config.ts.",
      severity: "error",
      from: { path: "^services/host/", pathNot: testCode },
      to: {
        path: ours,
        pathNot:
          "^(services/(host|runtime)|gateway|gen)/|^services/openapi-documents\\.ts$|^services/[^/]+/(service|config)\\.ts$",
      },
    },
    {
      name: "nothing-imports-the-host",
      comment:
        "Nothing builds on a composition root. Tests of the whole program and benchmarks start it; the chart is made for its settings.",
      severity: "error",
      from: {
        pathNot: "^(services/(host|test)|bench|charts|deploy/function)/|^tools/chart-docs\\.ts$|^services/main\\.ts$",
      },
      to: { path: "^services/host/" },
    },
    {
      name: "function-starts-the-host",
      comment:
        "The function's entry is a way to start the host: it knows the host, the runtime and the gateway's HTTP, and no service.",
      severity: "error",
      from: { path: "^deploy/function/", pathNot: testCode },
      to: { path: ours, pathNot: "^(deploy/function|services/(host|runtime)|gateway/(call|http|telemetry))/" },
    },
    {
      name: "nothing-imports-main",
      comment: "main.ts starts a process when it is loaded.",
      severity: "error",
      from: {},
      to: { path: "^services/main\\.ts$|^services/[^/]+/main\\.ts$" },
    },
    {
      name: "service-is-imported-by-roots",
      comment: "service.ts composes a service; only what starts one needs it.",
      severity: "error",
      from: { path: "^services/", pathNot: `^services/(host/|[^/]+/main\\.ts$)|${testCode}` },
      to: { path: "^services/[^/]+/service\\.ts$", pathNot: "^services/runtime/" },
    },
    {
      name: "routes-is-imported-by-service",
      comment: "routes.ts is the table of RPCs; only service.ts mounts it.",
      severity: "error",
      from: { path: "^services/", pathNot: `^services/[^/]+/service\\.ts$|${testCode}` },
      to: { path: "^services/[^/]+/routes\\.ts$" },
    },
    {
      name: "jobs-is-imported-by-service",
      comment: "jobs.ts is the table of background work; only service.ts starts it.",
      severity: "error",
      from: { path: "^services/", pathNot: `^services/[^/]+/service\\.ts$|${testCode}` },
      to: { path: "^services/[^/]+/jobs\\.ts$" },
    },
    {
      name: "rpc-is-imported-by-routes",
      comment:
        "Every file in rpc/ is an RPC, which only the table mounts. What RPCs share is one level down, in a folder named for what it does.",
      severity: "error",
      from: { path: "^services/", pathNot: "^services/[^/]+/routes\\.ts$" },
      to: { path: "^services/[^/]+/rpc/[^/]+\\.ts$" },
    },
    below("rpc", ["consumers/", "workers/"]),
    below("consumers", ["rpc/", "workers/"]),
    below("workers", ["rpc/", "consumers/"]),
    {
      name: "shared-files-import-downwards",
      comment: "What stands at a service's root is shared by its rpc, consumers and workers, so it stands below them.",
      severity: "error",
      from: { path: "^services/(?!runtime/)([^/]+)/[^/]+$", pathNot: `/(service|routes|jobs)\\.ts$|${tests}` },
      to: { path: "^services/$1/(rpc|consumers|workers)/" },
    },
    below("saga", ["rpc/", "consumers/", "workers/"]),
    below("store", ["rpc/", "consumers/", "saga/", "workers/"]),
    below("db", ["(?!(db|domain)/)"]),
    {
      name: "domain-is-pure",
      comment: "Domain code is values and decisions: itself, the runtime's small values, hashes. No I/O of any kind.",
      severity: "error",
      from: { path: "^services/(?!runtime/|host/)([^/]+)/domain/", pathNot: tests },
      to: {
        pathNot:
          "^services/$1/domain/|^services/runtime/(auth/scopes|api/resource-name|values/(amount-text|clock|ids|money))\\.ts$|^gen/(docket/$1|google/type)/|^(node:)?crypto$",
      },
    },
    {
      name: "sql-stays-in-store-and-db",
      comment:
        "Every statement of a service is in store/, its tables in db/. Others may name the type of a transaction.",
      severity: "error",
      from: { path: "^(services/(?!runtime/)|gateway/)", pathNot: `^services/[^/]+/(store|db)/|${testCode}` },
      to: { path: "(^|/)(kysely|mysql2)/|^(node:)?sqlite$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "telemetry-sdk-stays-in-telemetry",
      comment: "Everything else speaks OpenTelemetry's API, which does nothing where no SDK is started.",
      severity: "error",
      from: { pathNot: `^gateway/telemetry/|^bench/|${testCode}` },
      to: { path: "/@opentelemetry/(?!api/)" },
    },
    {
      name: "drivers-stay-in-runtime-db",
      comment: "Only the dialects know a driver; everything else speaks Kysely.",
      severity: "error",
      from: { pathNot: `^services/runtime/db/|^bench/|${testCode}` },
      to: { path: "/mysql2/|^(node:)?sqlite$" },
    },
    {
      name: "web-client-imports-gen-only",
      comment: "What users install must not drag the server along.",
      severity: "error",
      from: { path: "^web-client/" },
      to: { path: ours, pathNot: "^(web-client|gen)/" },
    },
    {
      name: "examples-use-the-sdk",
      comment: "An example does only what a user could do.",
      severity: "error",
      from: { path: "^examples/" },
      to: { path: ours, pathNot: "^(examples|gen|web-client/sdk)/" },
    },
    {
      name: "no-cycles",
      comment: "Modules in a ring can only be understood, and loaded, all at once.",
      severity: "error",
      from: { pathNot: "^gen/" },
      to: { circular: true },
    },
    {
      name: "nothing-imports-a-test",
      comment: "A test is loaded by the test runner alone.",
      severity: "error",
      from: {},
      to: { path: tests },
    },
    {
      name: "testing-code-is-for-tests",
      comment: "Helpers of tests may start databases and freeze clocks; a product must not. Benchmarks and tools may.",
      severity: "error",
      from: { pathNot: `${testCode}|^(bench|tools)/` },
      to: { path: testCode },
    },
    {
      name: "no-dev-dependencies-in-the-product",
      comment: "What runs must be in `dependencies`. The plugins of protoc run when code is generated.",
      severity: "error",
      from: { path: "^(services|gateway|web-client|gen|deploy)/", pathNot: `${testCode}|^gateway/plugins/` },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "no-undeclared-packages",
      comment: "A package that only happens to be installed is gone after the next update.",
      severity: "error",
      // The SDK is a package of its own, tested with the root's tools.
      from: { pathNot: `^web-client/.*${tests}` },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "everything-resolves",
      comment: "An import that leads nowhere fails when it is first reached, which may be late.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // TypeScript 7 has no programming interface; swc reads the syntax, type-only imports included.
    parser: "swc",
    moduleSystems: ["es6"],
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(\\.cache|web-client/[^/]+/dist)/" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["types", "import", "node", "default"] },
  },
};
