import { enableCompileCache, flushCompileCache } from "node:module";

// Everything is loaded after this: stripping types and compiling is half of a start, and a quarter of the memory.
enableCompileCache(`${import.meta.dirname}/../.cache/node`);
const { runHost } = await import("./host/run.ts");
await runHost(process.env, process.argv.slice(2));
flushCompileCache();
