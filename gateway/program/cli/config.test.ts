import { describe, expect, test } from "@jest/globals";
import { parseTargets, showTarget } from "../upstream/addresses.ts";
import { readConfig, UsageError, usage } from "./config.ts";

const right = ["--descriptor-set", "api.binpb", "--upstream", "localhost:9090"];

const complaint = (args: readonly string[]): string => {
  try {
    readConfig(args);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return "";
};

describe("the command line", () => {
  test("should have defaults for everything except the descriptor set and the upstream", () => {
    expect(readConfig(right)).toMatchObject({
      descriptorSets: ["api.binpb"],
      upstreams: [{ host: "localhost", port: 9090 }],
      host: "127.0.0.1",
      port: 8080,
      opsPort: undefined,
      certificate: undefined,
      skipInvalidRules: false,
      watch: true,
      pool: { healthCheck: true },
    });
  });

  test.each(["--help", "-h"])("should request help with %s, whatever the other arguments", (flag) => {
    expect(readConfig([flag, "--port", "x"])).toBeUndefined();
  });

  test("should explain every flag in its help", () => {
    const flags = [...usage.matchAll(/^ {2}(--[a-z-]+)|(?: {2,})(--[a-z-]+)/gm)].map(
      ([, leading, other]) => leading ?? other,
    );
    for (const flag of flags) expect(complaint([...right, `${flag}`])).not.toContain("Unknown option");
    expect(new Set(flags).size).toBe(20);
  });

  test("should report all errors at once", () => {
    const args = [
      "--upstream",
      "a",
      "--port=-1",
      "--ops-port=70000",
      "--tls-cert=x",
      "--upstream-key=y",
      "--upstream-name=z",
    ];
    expect(complaint(args).split("\n")).toEqual([
      "--descriptor-set is missing: the file that `buf build -o api.binpb` writes",
      "--upstream a: it has no port; write a:PORT",
      "--port -1: it is not a port; ports are 0 to 65535",
      "--ops-port 70000: it is not a port; ports are 0 to 65535",
      "--tls-cert requires --tls-key",
      "--upstream-key requires --upstream-cert",
      "--upstream-name is the name in a certificate: it requires --upstream-tls or --upstream-ca",
    ]);
  });

  test.each([
    [["--wrong"], "Unknown option '--wrong'"],
    [[...right, "more"], "Unexpected argument 'more'"],
    [["--descriptor-set", "x"], "--upstream is missing"],
    [[...right, "--ops-port=8080"], "--ops-port and --port are the same"],
    [[...right, "--upstream-ca=/nowhere.pem"], "--upstream-ca /nowhere.pem: there is no such file"],
    [[...right, "--upstream-ca=package.json"], "--upstream-ca package.json: it is not a PEM certificate"],
  ])("should not be %j", (args, message) => {
    expect(complaint(args)).toContain(message);
  });
});

describe("the address of the upstream", () => {
  test.each([
    ["localhost:9090", ["localhost:9090"]],
    ["a.example:1, b.example:2,", ["a.example:1", "b.example:2"]],
    ["dns:orders:9090", ["orders:9090"]],
    ["dns:///orders.shop.svc:9090", ["orders.shop.svc:9090"]],
    ["ipv4:127.0.0.1:1,127.0.0.2:2", ["127.0.0.1:1", "127.0.0.2:2"]],
    ["[::1]:9090", ["[::1]:9090"]],
    ["unix:/run/orders.sock", ["unix:/run/orders.sock"]],
  ])("may be %s", (text, targets) => {
    expect(parseTargets(text).map(showTarget)).toEqual(targets);
  });

  test.each([
    ["localhost", "it has no port; write localhost:PORT"],
    ["localhost:99999", "99999 is not a port"],
    ["https://orders:443/x", "expected orders:443 instead of a URL; --upstream-tls enables TLS"],
    ["::1:9090", "it is not an address; expected host:port, [ipv6]:port or unix:path"],
    ["[orders]:9090", "[orders] is not an IPv6 address"],
  ])("may not be %s", (text, message) => {
    expect(() => parseTargets(text)).toThrow(`--upstream ${text}: ${message}`);
  });
});
