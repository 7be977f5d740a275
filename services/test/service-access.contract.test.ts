import { glob } from "node:fs/promises";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import type { DescService } from "@bufbuild/protobuf";
import { createServiceImplSpec } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { SignJWT } from "jose";
import { createHttpHandler } from "../../gateway/http-handler.ts";
import { createAuthenticate } from "../runtime/auth/authenticate.ts";
import { createServiceTokens } from "../runtime/auth/service-tokens.ts";
import { fixed } from "../runtime/config/live.ts";
import { createGrpcServer } from "../runtime/grpc/server.ts";
import { createAdmission } from "../runtime/interceptors/admission.ts";
import { createInterceptors } from "../runtime/interceptors/interceptors.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { type RawWire, rawWires, type Verdict } from "./support/raw-calls.ts";
import { declaredAccess } from "./support/served-methods.ts";

const secret = "0123456789abcdef0123456789abcdef";

/** Every service of the contract. */
async function contractServices(): Promise<DescService[]> {
  const found: DescService[] = [];
  for await (const path of glob("gen/docket/**/*_pb.js")) {
    const exports: Record<string, { kind?: string }> = await import(pathToFileURL(path).href);
    found.push(...Object.values(exports).filter((value): value is DescService => value.kind === "service"));
  }
  return found;
}

/** A token as services sign it, but for what is given. */
function sign(own: { key?: string; audience?: string; expires?: string; tenant?: string | number }): Promise<string> {
  const { key = secret, audience = "docket-services", expires = "1m", tenant = "acme" } = own;
  return new SignJWT({ tenant })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("docket")
    .setAudience(audience)
    .setSubject("order")
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(key));
}

/** Serves methods without an implementation, so that admitted calls end with UNIMPLEMENTED. */
describe("a service token", () => {
  const stack = new AsyncDisposableStack();
  let services: DescService[];
  let wires: RawWire[];

  beforeAll(async () => {
    services = await contractServices();
    const specs = services.map((service) => createServiceImplSpec(service, {}));
    const log = createLogger({ level: "silent", name: "test" });
    const { verify } = createServiceTokens({ secrets: fixed([secret]), clock: systemClock });
    const authenticate = createAuthenticate({ apiKey: async () => undefined, service: verify });
    const around = { authenticate, log, clock: systemClock };
    const [interceptors, admit] = [createInterceptors(around), createAdmission(around)];
    const grpc = stack.use(createGrpcServer({ specs, interceptors, admit, log }));
    const grpcPort = await grpc.listen({ host: "127.0.0.1", port: 0 });
    const http = createServer(createHttpHandler({ specs, interceptors, admit, errorDomain: "docket" }));
    stack.defer(() => void http.close());
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const address = http.address();
    const httpPort = typeof address === "object" ? address?.port : undefined;
    wires = rawWires(`http://127.0.0.1:${httpPort}`, `127.0.0.1:${grpcPort}`);
    for (const wire of wires) {
      stack.use(wire);
    }
  });
  afterAll(() => stack.disposeAsync());

  const verdicts = async (token: string): Promise<ReadonlyMap<Verdict, readonly string[]>> => {
    const calls = services
      .flatMap(({ methods }) => methods)
      .filter((method) => declaredAccess(method) !== "open")
      .flatMap((method) => wires.filter((wire) => wire.serves(method)).map((wire) => ({ method, wire })));
    const ended = await Promise.all(
      calls.map(async ({ method, wire }) => ({
        call: `${method.name} over ${wire.name}`,
        verdict: await wire.call(method, { authorization: `Service ${token}` }),
      })),
    );
    const grouped = Map.groupBy(ended, ({ verdict }) => verdict);
    return new Map([...grouped].map(([verdict, of]) => [verdict, of.map(({ call }) => call)]));
  };

  test("admits our own services to every method, internal ones included, on every wire", async () => {
    const all = await verdicts(await sign({}));
    expect([...all.keys()]).toEqual(["admitted"]);
    expect(all.get("admitted")?.length).toBeGreaterThan(200);
    expect(all.get("admitted")).toContain("ReserveStock over gRPC");
  });

  test.each<[string, Parameters<typeof sign>[0]]>([
    ["of another secret", { key: secret.replace("0", "1") }],
    ["for another audience", { audience: "docket" }],
    ["that has expired", { expires: "-1m" }],
    ["without a tenant", { tenant: 7 }],
  ])("%s is rejected by every method on every wire", async (_name, own) => {
    expect([...(await verdicts(await sign(own))).keys()]).toEqual(["UNAUTHENTICATED"]);
  });
});
