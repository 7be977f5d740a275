import { expect, test } from "@jest/globals";
import type { DataFolder } from "./data-folder.ts";
import { databaseUrlOf } from "./database-urls.ts";

const folder = { path: "data", file: (name: string) => `data/${name}` } as DataFolder;

test("each service has a file of its own in the data folder", () => {
  expect(databaseUrlOf("order", folder, undefined)).toBe("sqlite:data/order.sqlite");
});

test("each service has a schema of its own on a server, options and password kept", () => {
  expect(databaseUrlOf("order", folder, "mysql://u:p%40@db:3307/shop?ssl=true")).toBe(
    "mysql://u:p%40@db:3307/shop_order?ssl=true",
  );
  expect(databaseUrlOf("payment", folder, "mysql://u@db")).toBe("mysql://u@db/docket_payment");
});
