// Test suites by what they need, told apart by the ending of the file's name. One of them: `npx jest --selectProjects unit`.

const suite = {
  testEnvironment: "node",
  // Sources are ES modules and stay so; .npmrc hands Node the flag that jest needs for that.
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "\\.ts$": [
      "@swc/jest",
      {
        jsc: { parser: { syntax: "typescript" }, target: "esnext" },
        module: { type: "es6" },
      },
    ],
  },
  // A private MariaDB for the suites that need one; see its own comment.
  globalSetup: "<rootDir>/services/runtime/testing/global-setup.ts",
  modulePathIgnorePatterns: ["<rootDir>/.cache/", "<rootDir>/web-client/sdk/dist/"],
};

/** @type {import("jest").Config} */
export default {
  maxWorkers: 2,
  // How long a test may hang; a test that must be quick says so itself. Machines that run tests may be busy.
  testTimeout: 60_000,
  projects: [
    {
      ...suite,
      displayName: "unit",
      testMatch: ["**/*.test.ts"],
      testPathIgnorePatterns: ["/node_modules/", "\\.(integration|contract|e2e|delivery)\\.test\\.ts$"],
      globalSetup: undefined,
    },
    { ...suite, displayName: "integration", testMatch: ["**/*.integration.test.ts"] },
    { ...suite, displayName: "contract", testMatch: ["**/*.contract.test.ts"] },
    { ...suite, displayName: "e2e", testMatch: ["**/*.e2e.test.ts"] },
    // Images and charts, with tools that few machines have: each test says what it lacks.
    { ...suite, displayName: "delivery", testMatch: ["**/*.delivery.test.ts"], globalSetup: undefined },
  ],
};
