import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.js";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

describe("a Docket on a single port", () => {
  let docket: TestDocket;
  let session: Http2SessionManager;
  beforeAll(async () => {
    docket = await startDocket({ DOCKET_SINGLE_PORT: "true" });
    session = new Http2SessionManager(docket.running.httpUrl);
  });
  afterAll(async () => {
    session?.abort();
    await docket?.[Symbol.asyncDispose]();
  });

  const transport = () => createGrpcTransport({ baseUrl: docket.running.httpUrl, sessionManager: session });
  const get = async (path: string) => {
    const response = await fetch(`${docket.running.httpUrl}${path}`);
    return { status: response.status, text: await response.text() };
  };

  test("reports its health over gRPC without authentication", async () => {
    const health = createClient(Health, transport());
    expect(await health.check({})).toMatchObject({ status: Status.SERVING });
    expect(await health.check({ service: OrderService.typeName })).toMatchObject({ status: Status.SERVING });
    await expect(createClient(OrderService, transport()).listOrders({})).rejects.toThrow(/unauthenticated/);
  });

  test("lists its services by reflection", async () => {
    async function* question() {
      yield { messageRequest: { case: "listServices" as const, value: "" } };
    }
    const names: string[] = [];
    for await (const { messageResponse } of createClient(ServerReflection, transport()).serverReflectionInfo(
      question(),
    )) {
      if (messageResponse.case === "listServicesResponse") {
        names.push(...messageResponse.value.service.map(({ name }) => name));
      }
    }
    expect(names).toEqual(expect.arrayContaining([OrderService.typeName, Health.typeName]));
  });

  test("has the status of its probes there, but no details and no metrics", async () => {
    expect(await get("/live")).toEqual({ status: 200, text: expect.stringMatching(/^{"status":"(ok|warn)"}\n$/) });
    expect((await get("/ready")).status).toBe(200);
    expect((await get("/probe/order-database")).status).toBe(404);
    expect((await get("/metrics")).status).toBe(404);
    expect(docket.running.opsUrl).toBe(docket.running.httpUrl);
    expect(docket.running.grpcAddress).toBe(new URL(docket.running.httpUrl).host);
  });
});
