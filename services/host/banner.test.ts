import { expect, test } from "@jest/globals";
import { banner } from "./banner.ts";
import { readHostConfig } from "./config.ts";
import type { Host } from "./host.ts";

const running = {
  httpUrl: "http://127.0.0.1:8080",
  grpcAddress: "127.0.0.1:9090",
  opsUrl: "http://127.0.0.1:8081",
  adminKey: "",
  adminKeyIsNew: false,
} as Host;

const addresses = (...services: readonly string[]) => services.map((service) => `${service}=127.0.0.1:1`).join(",");

test("the first request reads the key from where this process keeps it", () => {
  const config = readHostConfig({ DOCKET_DATA_DIR: "/data" });
  expect(banner(running, config)).toContain('"Authorization: Bearer $(cat /data/admin-key)"');
});

test("the first request names no file where another process keeps the key", () => {
  const config = readHostConfig({
    DOCKET_DATA_DIR: "/data",
    DOCKET_SERVICES: "gateway",
    DOCKET_SERVICE_SECRET: "s".repeat(32),
    DOCKET_SERVICE_ADDRESSES: addresses("order", "payment", "logistics", "inventory", "operations", "sandbox"),
  });
  expect(banner(running, config)).not.toContain("/data/admin-key");
  expect(banner(running, config)).toContain('"Authorization: Bearer $DOCKET_API_KEY"');
});
