import { enableCompileCache, flushCompileCache } from "node:module";

// Everything is loaded after this: stripping types and compiling is half of a start, and a quarter of the memory.
enableCompileCache(`${import.meta.dirname}/../../.cache/node`);
const { runStandalone } = await import("./run.ts");
await runStandalone(process.env);
flushCompileCache();
