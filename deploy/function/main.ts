import { enableCompileCache, flushCompileCache } from "node:module";
import { compileCacheFolder } from "./compile-cache.ts";

// Must precede all other imports. In a bundle the cache is made when it is built, under the same user.
enableCompileCache({ directory: compileCacheFolder(import.meta.dirname), portable: true });
const environment = process.env;
if (environment["AWS_LAMBDA_RUNTIME_API"] !== undefined) {
  const { runLambda } = await import("./lambda/run.ts");
  await runLambda(environment["AWS_LAMBDA_RUNTIME_API"], environment);
} else {
  const { serverEnvironment } = await import("./server-environment.ts");
  const { runHost } = await import("../../services/host/run.ts");
  await runHost(serverEnvironment(environment), process.argv.slice(2));
  flushCompileCache();
}
