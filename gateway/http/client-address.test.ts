import { describe, expect, test } from "@jest/globals";
import { addressKey, clientAddressOf, type ForwardingHeader, isLoopback, parseNetworks } from "./client-address.ts";

describe("networks", () => {
  const networks = parseNetworks(["10.0.0.0/8", "192.168.1.7", "fd00::/8"]);

  test.each(["10.1.2.3", "192.168.1.7", "fd12::1", "::ffff:10.1.2.3", "fd12::1%eth0"])("contain %s", (address) => {
    expect(networks.has(address)).toBe(true);
  });

  test.each(["11.0.0.1", "192.168.1.8", "fe80::1", "::ffff:11.0.0.1", "", "unix"])("do not contain %j", (address) => {
    expect(networks.has(address)).toBe(false);
  });

  test.each(["10.0.0.0/33", "10.0.0/8", "fd00::/129", "10.0.0.0/8/8", "host", "10.0.0.0/", "10.0.0.0/-1"])(
    "reject %j",
    (text) => {
      expect(() => parseNetworks([text])).toThrow(`"${text}" is not a network`);
    },
  );
});

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:0DB8:0001:0002::9", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["", ""],
])("limits count the address %j as %j", (address, key) => {
  expect(addressKey(address)).toBe(key);
});

describe("the address of a client", () => {
  const trustedProxies = parseNetworks(["10.0.0.0/8", "fd00::/8"]);
  const cases: [ForwardingHeader, string, string | undefined, string][] = [
    ["x-forwarded-for", "203.0.113.7", "198.51.100.1", "203.0.113.7"],
    ["x-forwarded-for", "10.0.0.1", undefined, "10.0.0.1"],
    ["x-forwarded-for", "10.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["x-forwarded-for", "::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["x-forwarded-for", "10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"],
    ["x-forwarded-for", "10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"],
    ["x-forwarded-for", "10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"],
    ["x-forwarded-for", "10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"],
    ["x-forwarded-for", "10.0.0.1", "", "10.0.0.1"],
    ["x-forwarded-for", "10.0.0.1", "198.51.100.1:4711", "198.51.100.1"],
    ["x-forwarded-for", "fd00::1", "2001:db8::9", "2001:db8::9"],
    ["x-forwarded-for", "fd00::1", "[2001:db8::9]:443", "2001:db8::9"],
    ["forwarded", "10.0.0.1", 'for=1.1.1.1, for="[2001:db8::9]:4711";proto=https', "2001:db8::9"],
    ["forwarded", "10.0.0.1", "proto=https;For=198.51.100.1;by=10.0.0.1", "198.51.100.1"],
    ["forwarded", "10.0.0.1", "for=1.1.1.1, for=_hidden", "10.0.0.1"],
  ];

  test.each(cases)("by %s, over a connection of %s with %j, is %s", (header, peer, value, address) => {
    expect(clientAddressOf(peer, value, { trustedProxies, header })).toBe(address);
  });
});

test("loopback is localhost, 127.0.0.0/8 and ::1", () => {
  expect(["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"].map(isLoopback)).not.toContain(
    false,
  );
  expect(["0.0.0.0", "::", "10.0.0.1", "localhost.example", "example"].map(isLoopback)).not.toContain(true);
});
