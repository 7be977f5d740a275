import { expect, test } from "@jest/globals";
import { sandboxUrlOf } from "./sandbox-access.ts";

const nothing = { sandboxUrl: undefined, publicUrl: undefined, tlsCertFile: undefined };
const own = "http://127.0.0.1:8080";
const publicUrl = "https://orders.example";

test("the sandbox is called at this process's own port, unless a URL is configured", () => {
  expect(sandboxUrlOf({ ...nothing, publicUrl }, own)).toBe(own);
  expect(sandboxUrlOf({ ...nothing, publicUrl, sandboxUrl: "http://sandbox:8080" }, own)).toBe("http://sandbox:8080");
});

test("the sandbox is called at the external URL without a port of its own, or where a certificate names it", () => {
  expect(sandboxUrlOf({ ...nothing, publicUrl }, "")).toBe(publicUrl);
  expect(sandboxUrlOf({ ...nothing, publicUrl, tlsCertFile: "cert.pem" }, "https://127.0.0.1:8080")).toBe(publicUrl);
  expect(sandboxUrlOf({ ...nothing, tlsCertFile: "cert.pem" }, "https://127.0.0.1:8080")).toBe(
    "https://127.0.0.1:8080",
  );
});
