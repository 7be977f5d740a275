import { answerRunner, readSuite } from "../../../gateway/test/conformance/runner.ts";
import { conformanceSpec } from "../../../gateway/test/conformance/service.ts";
import { createGrpcServer } from "../../runtime/grpc/server.ts";
import { deadlineInterceptor } from "../../runtime/interceptors/deadline.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";

/**
 * The native gRPC port as the Connect conformance suite tests it. The first argument is the descriptor set of the
 * suite's own protos.
 */
const [descriptorSet = ""] = process.argv.slice(2);
const suite = readSuite(descriptorSet);

await answerRunner(suite, async (wanted) => {
  const server = createGrpcServer({
    specs: [conformanceSpec(suite)],
    interceptors: [deadlineInterceptor],
    log: createLogger({ level: "silent", name: "conformance" }),
    certificate: wanted.tls,
    maxRequestBytes: wanted.messageReceiveLimit,
    // The suite counts details and expects none.
    detailedRefusals: false,
  });
  return { port: await server.listen({ host: "127.0.0.1", port: 0 }) };
});
