import * as v from "valibot";
import { list, networks } from "../../runtime/config/lists.ts";
import { flag, milliseconds, oneOf, port, text, url } from "../../runtime/config/scalars.ts";

/** Where and how a process listens. */
export const portSettings = v.object({
  httpPort: port("DOCKET_HTTP_PORT", {
    default: 8080,
    description: "Port of REST, Connect, gRPC-Web and the OpenAPI documents. 0 is any free port, as for the others.",
  }),
  grpcPort: port("DOCKET_GRPC_PORT", { default: 9090, description: "Port of native gRPC." }),
  opsPort: port("DOCKET_OPS_PORT", { default: 8081, description: "Port of probes and metrics." }),
  singlePort: flag("DOCKET_SINGLE_PORT", {
    default: false,
    description:
      "Whether the HTTP port serves everything, for platforms that give one port: gRPC (HTTP/2 without TLS too), `/live` and `/ready` as well. The other ports are then not opened, and metrics not served.",
  }),
  host: text("DOCKET_HOST", {
    default: "127.0.0.1",
    description: "Address of the HTTP and gRPC ports; `0.0.0.0` for all interfaces.",
  }),
  opsHost: text("DOCKET_OPS_HOST", {
    default: "127.0.0.1",
    description: "Address of probes and metrics, which are served without authentication.",
  }),
  publicUrl: url("DOCKET_PUBLIC_URL", ["http", "https"], {
    otherwise: "the address of the HTTP port",
    description: "Public URL of the HTTP port, to which providers and carriers send callbacks.",
  }),
  tlsCertFile: text("DOCKET_TLS_CERT_FILE", {
    description:
      "PEM file with the certificate of the HTTP and gRPC ports, read again when it changes. With a private authority set `NODE_EXTRA_CA_CERTS` too, for calls of the sandbox and its callbacks.",
  }),
  tlsKeyFile: text("DOCKET_TLS_KEY_FILE", { description: "PEM file with the key of the certificate." }),
  tlsClientCaFile: text("DOCKET_TLS_CLIENT_CA_FILE", {
    description:
      "PEM roots: only clients with a certificate issued by them are served, including providers' callbacks.",
  }),
  corsOrigins: list("DOCKET_CORS_ORIGINS", {
    live: true,
    default: ["*"],
    description: "Origins of browser pages that may call; `*` for all.",
  }),
  trustedProxies: networks("DOCKET_TRUSTED_PROXIES", {
    default: [],
    description: "Networks of proxies in front of Docket, such as `10.0.0.0/8,fd00::/8`.",
  }),
  forwardedHeader: oneOf("DOCKET_FORWARDED_HEADER", ["x-forwarded-for", "forwarded"], {
    default: "x-forwarded-for",
    description: "Header with the client's address that these proxies set.",
  }),
  reflection: flag("DOCKET_REFLECTION", {
    live: true,
    default: true,
    description: "Whether gRPC reflection is served.",
  }),
  docs: flag("DOCKET_DOCS", {
    live: true,
    default: true,
    description: "Whether the OpenAPI documents and their page are served.",
  }),
  grpcConnectionAgeMs: milliseconds("DOCKET_GRPC_CONNECTION_AGE", {
    default: "2h",
    description: "Age at which gRPC clients are asked to reconnect, so that they find new servers.",
  }),
});
