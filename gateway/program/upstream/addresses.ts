import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { ProgramError } from "../program-error.ts";

/** A target named on the command line: a Unix socket, or a host that may have several addresses. */
export type Target =
  | { readonly kind: "unix"; readonly address: string }
  | { readonly kind: "host"; readonly host: string; readonly port: number };

/** Resolves the IP addresses of a host. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** Resolves with the system resolver: hosts file, search domains, DNS. */
export const resolveHost: Resolve = async (host) => {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
};

/**
 * Parses the value of `--upstream`: `host:port`, `[::1]:port`, `unix:path`, comma-separated. The gRPC prefixes `dns:`,
 * `ipv4:` and `ipv6:` are accepted and have no effect.
 *
 * @throws ProgramError that shows the expected form.
 */
export function parseTargets(text: string): Target[] {
  return text
    .split(",")
    .map((target) => target.trim())
    .filter((target) => target !== "")
    .map(parseTarget);
}

function parseTarget(text: string): Target {
  if (text.startsWith("unix:")) return { kind: "unix", address: text };
  if (/^(https?|grpcs?):\/\//.test(text)) {
    const { host } = new URL(text.replace(/^\w+/, "http"));
    throw new ProgramError(
      `--upstream ${text}: expected ${host || "host:port"} instead of a URL; --upstream-tls enables TLS`,
    );
  }
  const plain = text.replace(/^(dns:(\/\/\/)?|ipv4:|ipv6:)/, "");
  const match = /^(?:\[([^\]]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(plain);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) {
    const bare = /^[^:/\s]+$/.test(plain);
    throw new ProgramError(
      bare
        ? `--upstream ${text}: it has no port; write ${plain}:PORT`
        : `--upstream ${text}: it is not an address; expected host:port, [ipv6]:port or unix:path`,
    );
  }
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) throw new ProgramError(`--upstream ${text}: ${port} is not a port`);
  if (match[1] !== undefined && isIP(host) !== 6) {
    throw new ProgramError(`--upstream ${text}: [${host}] is not an IPv6 address`);
  }
  return { kind: "host", host, port };
}

/** Formats a target for display. */
export function showTarget(target: Target): string {
  return target.kind === "unix" ? target.address : showAddress(target.host, target.port);
}

/** `host:port`, with the brackets required for IPv6. */
export function showAddress(host: string, port: number): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
