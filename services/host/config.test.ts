import { describe, expect, test } from "@jest/globals";
import { ConfigError } from "../runtime/config/config-error.ts";
import { settingsOf } from "../runtime/config/read-settings.ts";
import { unknownVariables } from "../runtime/config/sources.ts";
import { readHostConfig, settingGroups } from "./config.ts";

const problemsOf = (environment: Record<string, string>): readonly string[] => {
  try {
    readHostConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe("the admin key", () => {
  test.each(["a", "k".repeat(31), "k".repeat(513)])("is refused where it is too short or too long", (key) => {
    expect(problemsOf({ DOCKET_ADMIN_KEY: key })).toEqual(["DOCKET_ADMIN_KEY must have 32 to 512 characters"]);
  });

  test.each([32, 512])("may have %d characters", (length) => {
    expect(problemsOf({ DOCKET_ADMIN_KEY: "k".repeat(length) })).toEqual([]);
  });
});

describe("the time to drain", () => {
  test.each([
    [{}, 15_000],
    [{ K_SERVICE: "docket" }, 10_000],
    [{ LAMBDA_TASK_ROOT: "/var/task" }, 300],
    [{ K_SERVICE: "docket", DOCKET_DRAIN_BUDGET: "8s" }, 8_000],
  ] as const)("is what the platform leaves: %j", (environment, budgetMs) => {
    expect(readHostConfig(environment).drainBudgetMs).toBe(budgetMs);
  });
});

describe("the time limit of queries", () => {
  test("is ten seconds unless set", () => {
    expect(readHostConfig({}).queryTimeoutMs).toBe(10_000);
    expect(readHostConfig({ DOCKET_QUERY_TIMEOUT: "2s" }).queryTimeoutMs).toBe(2_000);
  });

  test.each(["0s", "25h"])("may not be %s", (time) => {
    expect(problemsOf({ DOCKET_QUERY_TIMEOUT: time })).toEqual(["DOCKET_QUERY_TIMEOUT must be a time from 1ms to 1d"]);
  });
});

describe("the address of an issuer's keys", () => {
  const withKeys = (url: string) => ({
    DOCKET_JWT_ISSUER: "issuer",
    DOCKET_JWT_AUDIENCE: "docket",
    DOCKET_JWT_KEYS_URL: url,
  });

  test.each([
    "https://issuer.example/keys",
    "http://127.0.0.1:8000/keys",
    "http://localhost/keys",
    "http://[::1]/keys",
  ])("may be %s", (url) => {
    expect(problemsOf(withKeys(url))).toEqual([]);
  });

  test.each(["http://issuer.example/keys", "http://10.0.0.1/keys", "http://localhost.example/keys"])(
    "may not be %s, where others could replace them",
    (url) => {
      expect(problemsOf(withKeys(url))).toEqual([expect.stringMatching(/^DOCKET_JWT_KEYS_URL must be https:/)]);
    },
  );
});

test("proxies and limits of methods are read from lists, and refused by name where they are none", () => {
  const config = readHostConfig({
    DOCKET_TRUSTED_PROXIES: "10.0.0.0/8, fd00::/8",
    DOCKET_RATE_LIMIT_PER_METHOD: "a.B/C=10, a.B/D = 20",
  });
  expect(config.trustedProxies.has("10.9.8.7")).toBe(true);
  expect([...config.methodRateLimits]).toEqual([
    ["a.B/C", 10],
    ["a.B/D", 20],
  ]);
  expect(problemsOf({ DOCKET_TRUSTED_PROXIES: "10.0.0.0/99", DOCKET_RATE_LIMIT_PER_METHOD: "a.B/C" })).toEqual([
    expect.stringContaining('DOCKET_TRUSTED_PROXIES must be networks such as 10.0.0.0/8 between commas: "10.0.0.0/99"'),
    expect.stringContaining("DOCKET_RATE_LIMIT_PER_METHOD must be names"),
  ]);
});

test("probes and metrics are for this machine unless configured otherwise", () => {
  expect(readHostConfig({ DOCKET_HOST: "0.0.0.0" })).toMatchObject({ host: "0.0.0.0", opsHost: "127.0.0.1" });
});

test("settings that do not fit together are all named at once", () => {
  expect(problemsOf({ DOCKET_TLS_CERT_FILE: "/cert", DOCKET_JWT_ISSUER: "issuer", DOCKET_SERVICES: "order" })).toEqual([
    expect.stringContaining("DOCKET_TLS_CERT_FILE and DOCKET_TLS_KEY_FILE go together"),
    expect.stringContaining("DOCKET_JWT_ISSUER, DOCKET_JWT_AUDIENCE and DOCKET_JWT_KEYS_URL go together"),
    expect.stringContaining("DOCKET_SERVICE_ADDRESSES must give"),
    expect.stringContaining("DOCKET_SERVICE_SECRET is required"),
  ]);
});

test("each variable belongs to one setting, whose description is sentences", () => {
  const settings = settingsOf(settingGroups);
  const variables = settings.map(({ variable }) => variable);
  expect(new Set(variables).size).toBe(variables.length);
  expect(settings.filter(({ variable }) => !/^DOCKET_[A-Z0-9_]+$/.test(variable))).toEqual([]);
  expect(settings.filter(({ description }) => !/^[A-Zg].*[.]$/.test(description))).toEqual([]);
  expect(unknownVariables(Object.fromEntries(variables.map((name) => [name, "x"])), settings)).toEqual([]);
});

describe("the sandbox", () => {
  const elsewhere = { DOCKET_PAYMENT_PROVIDERS: "stripe", DOCKET_CARRIERS: "aftership" };

  test("is part of an installation where a payment provider or a carrier is the sandbox", () => {
    expect(readHostConfig({}).targets.has("sandbox")).toBe(true);
    expect(readHostConfig({ ...elsewhere, DOCKET_CARRIERS: "aftership,sandbox" }).targets.has("sandbox")).toBe(true);
  });

  test("is neither run nor expected elsewhere where none is", () => {
    const { targets, remoteServices } = readHostConfig(elsewhere);
    expect([...targets]).toEqual(["order", "payment", "logistics", "inventory", "operations", "gateway"]);
    expect(remoteServices).toEqual([]);
    expect(problemsOf({ ...elsewhere, DOCKET_SERVICES: "all,sandbox" })).toEqual([
      "DOCKET_SERVICES names sandbox, but neither DOCKET_PAYMENT_PROVIDERS nor DOCKET_CARRIERS does",
    ]);
  });
});

describe("the settings of Kafka", () => {
  test.each([
    [{ BROKERS: "kafka" }, "DOCKET_KAFKA_BROKERS must be addresses such as kafka-1:9092 between commas"],
    [{ PREFIX: "a b" }, "DOCKET_KAFKA_PREFIX must have at most 100 letters, digits, dots, underscores and hyphens"],
    [{ TLS_CA_FILE: "ca.pem" }, "DOCKET_KAFKA_TLS must be true where a DOCKET_KAFKA_TLS_…_FILE is set"],
    [{ TLS: "true", TLS_KEY_FILE: "k" }, "DOCKET_KAFKA_TLS_CERT_FILE and DOCKET_KAFKA_TLS_KEY_FILE go together"],
    [{ SASL_USERNAME: "docket" }, expect.stringContaining("DOCKET_KAFKA_SASL_PASSWORD go together: set all or none")],
  ])("%j do not fit together", (given, problem) => {
    const named = Object.entries(given).map(([name, value]) => [`DOCKET_KAFKA_${name}`, value]);
    expect(problemsOf(Object.fromEntries(named))).toEqual([problem]);
  });

  test("may name several brokers, by name or address, with TLS and a user", () => {
    const { kafka } = readHostConfig({
      DOCKET_KAFKA_BROKERS: "kafka-1.example:9092, 10.0.0.1:9093, [::1]:9094",
      DOCKET_KAFKA_TLS: "true",
      DOCKET_KAFKA_TLS_CA_FILE: "ca.pem",
      DOCKET_KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
      DOCKET_KAFKA_SASL_USERNAME: "docket",
      DOCKET_KAFKA_SASL_PASSWORD: "secret",
    });
    expect(kafka.brokers).toEqual(["kafka-1.example:9092", "10.0.0.1:9093", "[::1]:9094"]);
  });
});

describe("the address of Redis", () => {
  test.each([
    [{ DOCKET_REDIS_URL: "redis://user:secret@a:6379" }, []],
    [{ DOCKET_REDIS_URL: "rediss://a,b", DOCKET_REDIS_CLUSTER: "true" }, []],
    [{ DOCKET_REDIS_URL: "redis://a,b" }, ["DOCKET_REDIS_URL may name several nodes only with DOCKET_REDIS_CLUSTER"]],
    [{ DOCKET_REDIS_URL: "redis://" }, [expect.stringMatching(/^DOCKET_REDIS_URL must have the form redis:/)]],
    [{ DOCKET_REDIS_URL: "http://a" }, ["DOCKET_REDIS_URL must be a URL of the form redis:… or rediss:…"]],
  ])("%p has the problems %p", (environment, problems) => {
    expect(problemsOf(environment as Record<string, string>)).toEqual(problems);
  });
});
