import { expect, test } from "@jest/globals";
import { nearestRoute } from "./nearest-route.ts";
import { parseTemplate } from "./template-parser.ts";

const routes = [
  ["GET", "/v1/orders"],
  ["POST", "/v1/orders"],
  ["GET", "/v1/{name=orders/*}"],
  ["POST", "/v1/{name=orders/*}:cancel"],
  ["GET", "/v1/orders:watch"],
  ["GET", "/v1/{parent=orders/*}/events"],
  ["GET", "/v1/items"],
  ["GET", "/files/{path=**}"],
].map(([httpMethod = "", template = ""]) => ({ httpMethod, template: parseTemplate(template) }));

test.each([
  ["GET", "/v1/order", "GET /v1/orders"],
  ["POST", "/v1/order", "POST /v1/orders"],
  ["GET", "/orders", "GET /v1/orders"],
  ["GET", "/v1/orders/", "GET /v1/orders"],
  ["GET", "/v1/Orders", "GET /v1/orders"],
  ["GET", "/v1/order/42", "GET /v1/orders/42"],
  ["POST", "/v1/orders/42:cancle", "POST /v1/orders/42:cancel"],
  ["GET", "/orders/42/event", "GET /v1/orders/42/events"],
  ["PUT", "/v1/itmes", "GET /v1/items"],
])("%s %s is near %s", (method, path, nearest) => {
  expect(nearestRoute(routes, method, path)).toBe(nearest);
});

test.each(["/", "/v1", "/v1/customers", "/favicon.ico", "/v1/orders/1/2/3", "/.env", "//", `/v1/${"o".repeat(300)}`])(
  "GET %s has no near route",
  (path) => {
    expect(nearestRoute(routes, "GET", path)).toBeUndefined();
  },
);
