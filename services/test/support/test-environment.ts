/** Environment of a test's program, except for the storage. */
export const testEnvironment = {
  DOCKET_HTTP_PORT: "0",
  DOCKET_GRPC_PORT: "0",
  DOCKET_OPS_PORT: "0",
  DOCKET_LOG_LEVEL: "error",
  DOCKET_DRAIN_BUDGET: "5s",
  DOCKET_SANDBOX_DELAY: "5ms",
  DOCKET_SANDBOX_CARRIER_STEP: "20ms",
};
