import { expect, test } from "@jest/globals";
import { listenHttp } from "./listener.ts";

test("a request to a starting server is rejected with a reason and a retry delay", async () => {
  const listener = await listenHttp({ host: "127.0.0.1", port: 0 });
  const response = await fetch(`${listener.url}/v1/orders`);
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toBe("1");
  expect(await response.json()).toMatchObject({
    code: 14,
    details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "STARTING", domain: "gateway" }],
  });
  await listener.close(1000);
});
