import * as v from "valibot";
import { counts } from "../../runtime/config/lists.ts";
import { flag, integer, milliseconds, secret, text, url } from "../../runtime/config/scalars.ts";

/** Who may call, and how often. */
export const accessSettings = v.object({
  adminKey: secret("DOCKET_ADMIN_KEY", {
    live: true,
    min: 32,
    max: 512,
    otherwise: "generated at the first start and stored in the data folder",
    description: "API key with the scopes `admin` and `platform.admin`, which reaches the keys of every tenant.",
  }),
  jwtIssuer: text("DOCKET_JWT_ISSUER", {
    description:
      "Issuer of JWTs (claims `tenant` and `scope`), which are accepted in addition to API keys. Needs the audience and the keys' URL too.",
  }),
  jwtAudience: text("DOCKET_JWT_AUDIENCE", { description: "Audience that JWTs must name." }),
  jwtKeysUrl: url("DOCKET_JWT_KEYS_URL", ["https", "http"], {
    description: "URL of the issuer's keys (a JWKS); http only on loopback.",
  }),
  jwtMaxLifetimeMs: milliseconds("DOCKET_JWT_MAX_LIFETIME", {
    default: "24h",
    description: "Maximum lifetime of JWTs.",
  }),
  jwtPlatformAdmin: flag("DOCKET_JWT_PLATFORM_ADMIN", {
    default: false,
    description: "Whether the issuer may grant `platform.admin`.",
  }),
  failedAuthLimit: integer("DOCKET_FAILED_AUTH_LIMIT", {
    live: true,
    default: 300,
    description:
      "Invalid credentials per minute and client address, after which unknown ones are refused without a lookup; 0 for no limit.",
  }),
  keyRateLimit: integer("DOCKET_RATE_LIMIT_PER_KEY", {
    live: true,
    default: 600_000,
    description: "Requests per minute of one API key; 0 for no limit.",
  }),
  tenantRateLimit: integer("DOCKET_RATE_LIMIT_PER_TENANT", {
    live: true,
    default: 1_200_000,
    description: "Requests per minute of one tenant; 0 for no limit.",
  }),
  methodRateLimits: counts("DOCKET_RATE_LIMIT_PER_METHOD", {
    live: true,
    default: {},
    description:
      "Requests per minute of one API key to individual methods: `docket.order.v1.OrderService/ListOrders=600,…`.",
  }),
  keyStreamLimit: integer("DOCKET_MAX_STREAMS_PER_KEY", {
    live: true,
    default: 5000,
    description: "Open streams of one API key; 0 for no limit.",
  }),
  tenantStreamLimit: integer("DOCKET_MAX_STREAMS_PER_TENANT", {
    live: true,
    default: 10_000,
    description: "Open streams of one tenant; 0 for no limit.",
  }),
});
