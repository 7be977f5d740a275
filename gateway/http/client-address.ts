import { BlockList, isIP } from "node:net";

/** A set of networks, such as those of trusted proxies. */
export interface Networks {
  /** True for an address in one of the networks. IPv4-mapped IPv6 addresses count as IPv4. */
  has(address: string): boolean;
}

/**
 * Parses networks in CIDR notation (`10.0.0.0/8`, `fd00::/8`) and single addresses.
 *
 * @throws RangeError that names the first invalid text.
 */
export function parseNetworks(texts: readonly string[]): Networks {
  const list = new BlockList();
  for (const text of texts) {
    const [address = "", length, ...more] = text.split("/");
    const version = isIP(address);
    const bits = version === 4 ? 32 : 128;
    const prefix = length === undefined ? bits : Number(length);
    if (version === 0 || more.length > 0 || !/^\d{1,3}$/.test(length ?? "0") || prefix > bits) {
      throw new RangeError(`"${text}" is not a network such as 10.0.0.0/8 or an address`);
    }
    list.addSubnet(address, prefix, version === 4 ? "ipv4" : "ipv6");
  }
  return {
    has(address) {
      const plain = normalizeAddress(address);
      const version = isIP(plain);
      return version !== 0 && list.check(plain, version === 4 ? "ipv4" : "ipv6");
    },
  };
}

const loopback = parseNetworks(["127.0.0.0/8", "::1"]);

/** True for `localhost` and loopback addresses, also in the brackets of a URL's host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || loopback.has(host.replace(/^\[(.*)\]$/, "$1"));
}

/** The address without an IPv6 zone; an IPv4-mapped IPv6 address as IPv4. */
export function normalizeAddress(address: string): string {
  const plain = address.split("%", 1)[0] ?? "";
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1] ?? plain;
}

/**
 * The key under which limits count an address: an IPv4 address itself, or the /64 network of an IPv6 address, because
 * one subscriber owns all its addresses.
 */
export function addressKey(address: string): string {
  const plain = normalizeAddress(address);
  if (isIP(plain) !== 6) return plain;
  const [head = "", tail] = plain.toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  const network = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${network.join(":")}::/64`;
}

/** The header in which proxies name their client. They must not pass on a value sent by the client. */
export type ForwardingHeader = "x-forwarded-for" | "forwarded";

/** How to determine the address of a client behind proxies. */
export interface Forwarding {
  readonly trustedProxies: Networks;
  readonly header: ForwardingHeader;
}

/** Trusts no proxy: the client is the peer of the connection. */
export const noForwarding: Forwarding = { trustedProxies: parseNetworks([]), header: "x-forwarded-for" };

/**
 * Determines the address of the client. Reads the forwarding header from right to left while the current address is a
 * trusted proxy's. Everything left of the first untrusted address may be forged by a client.
 *
 * @param peer the other end of the connection.
 * @param value of the forwarding header, several joined by commas.
 */
export function clientAddressOf(peer: string, value: string | null | undefined, forwarding: Forwarding): string {
  let address = normalizeAddress(peer);
  if (value === undefined || value === null || !forwarding.trustedProxies.has(address)) return address;
  const entries = value.split(",");
  while (entries.length > 0 && forwarding.trustedProxies.has(address)) {
    const named = addressIn(entries.pop() ?? "", forwarding.header);
    // A proxy that hides its client is the last known address.
    if (named === undefined) break;
    address = named;
  }
  return address;
}

/** The address in one entry: `203.0.113.7`, `[2001:db8::1]:4711`, or `for="[2001:db8::1]:4711";proto=https`. */
function addressIn(entry: string, header: ForwardingHeader): string | undefined {
  const text = header === "forwarded" ? /(?:^|;)\s*for="?([^";]+)"?/i.exec(entry)?.[1] : entry;
  const bare = text
    ?.trim()
    .replace(/^\[([^\]]+)\](:\d+)?$/, "$1")
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
  return bare !== undefined && isIP(normalizeAddress(bare)) !== 0 ? normalizeAddress(bare) : undefined;
}
