import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clone, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type GrpcUpstream, startGrpcUpstream } from "../../test/support/grpc-upstream.ts";
import { rawRequest } from "../../test/support/raw-request.ts";
import { startProgram, testDescriptorSet, until } from "../../test/support/start-program.ts";
import { echoMethods, libraryMethods, testSpec } from "../../test/support/test-api.ts";

const whole = readFileSync(testDescriptorSet);

/** The test API without the service Echo. The path `/echo` shows which version is served. */
const withoutEcho = ((): Uint8Array => {
  const set = clone(FileDescriptorSetSchema, fromBinary(FileDescriptorSetSchema, whole));
  for (const file of set.file) file.service = file.service.filter(({ name }) => name !== "Echo");
  return toBinary(FileDescriptorSetSchema, set);
})();

describe("reloading", () => {
  let upstream: GrpcUpstream;
  let folder: string;
  let file: string;
  let lines: string[];

  beforeEach(async () => {
    upstream = await startGrpcUpstream([testSpec("Library", libraryMethods()), testSpec("Echo", echoMethods())]);
    folder = mkdtempSync(join(tmpdir(), "gateway-reload-"));
    file = join(folder, "api.binpb");
    lines = [];
  });
  afterEach(async () => {
    await upstream[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const start = (...args: string[]) =>
    startProgram(["--descriptor-set", file, "--upstream", upstream.address, ...args], (line) => lines.push(line));

  const servesEcho = async (url: string): Promise<boolean> => (await rawRequest(url, "/echo")).status === 200;

  /** Replaces a file like an editor or a deployment. */
  const replace = (path: string, content: string | Uint8Array): void => {
    writeFileSync(`${path}.new`, content);
    renameSync(`${path}.new`, path);
  };

  test("should notice a file that is renamed into place", async () => {
    writeFileSync(file, withoutEcho);
    await using program = await start();
    expect(await servesEcho(program.url)).toBe(false);
    replace(file, whole);
    await until(() => servesEcho(program.url));
  });

  test("should notice a folder that is swapped by a symbolic link, as Kubernetes mounts a ConfigMap", async () => {
    mkdirSync(join(folder, "..first"));
    mkdirSync(join(folder, "..second"));
    writeFileSync(join(folder, "..first", "api.binpb"), withoutEcho);
    writeFileSync(join(folder, "..second", "api.binpb"), whole);
    symlinkSync("..first", join(folder, "..data"));
    symlinkSync(join("..data", "api.binpb"), file);
    await using program = await start();
    expect(await servesEcho(program.url)).toBe(false);
    symlinkSync("..second", join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    await until(() => servesEcho(program.url));
  });

  test("should notice a file that changes while the program starts", async () => {
    writeFileSync(file, withoutEcho);
    const starting = start();
    replace(file, whole);
    await using program = await starting;
    await until(() => servesEcho(program.url));
  });

  test("should continue as before while the file is invalid or missing, report it, and notice when it is valid again", async () => {
    writeFileSync(file, whole);
    await using program = await start("--ops-port=0");
    replace(file, "broken");
    await until(() => lines.at(-1)?.includes("it is not a descriptor set") === true);
    expect(await servesEcho(program.url)).toBe(true);
    rmSync(file);
    await until(() => lines.at(-1)?.includes("there is no such file") === true);
    expect(await servesEcho(program.url)).toBe(true);
    replace(file, withoutEcho);
    await until(async () => !(await servesEcho(program.url)));
    const metrics = (await rawRequest(program.opsUrl ?? "", "/metrics")).body.toString();
    expect(metrics).toContain('gateway_reloads_total{result="refused"} 2');
    expect(metrics).toContain('gateway_reloads_total{result="served"} 1');
  });

  test("should apply changed options, and keep the old ones if the new ones are invalid", async () => {
    copyFileSync(testDescriptorSet, file);
    const options = join(folder, "gateway.yaml");
    writeFileSync(options, "lenient: false\n");
    await using program = await start("--config", options);
    const status = async (): Promise<number> => (await rawRequest(program.url, "/echo?nope=1")).status;
    expect(await status()).toBe(400);
    replace(options, "lenient: maybe\n");
    await until(() => lines.at(-1)?.includes('lenient: expected true or false, got "maybe"') === true);
    expect(await status()).toBe(400);
    replace(options, "lenient: true\n");
    await until(async () => (await status()) === 200);
  });

  test("should watch a service configuration that a changed options file names, even before it exists", async () => {
    copyFileSync(testDescriptorSet, file);
    const options = join(folder, "gateway.yaml");
    const rules = (path: string) =>
      `http:\n  rules:\n  - selector: gateway.test.v1.Library.GetBook\n    get: ${path}\n`;
    writeFileSync(options, "lenient: false\n");
    await using program = await start("--config", options);
    const status = async (path: string): Promise<number> => (await rawRequest(program.url, path)).status;
    replace(options, "serviceConfig: rules.yaml\n");
    await until(() => lines.at(-1)?.includes("rules.yaml: there is no such file") === true);
    expect(await status("/v1/books/b")).toBe(200);
    replace(join(folder, "rules.yaml"), rules("/first/{name}"));
    await until(async () => (await status("/first/b")) === 200);
    replace(join(folder, "rules.yaml"), rules("/second/{name}"));
    await until(async () => (await status("/second/b")) === 200);
    expect(await status("/first/b")).toBe(404);
  });

  test("should fail no request in fifty reloads, and end no call in flight", async () => {
    copyFileSync(testDescriptorSet, file);
    await using program = await start("--no-watch");
    const long = rawRequest(program.url, "/v1/books:watch?count=30&pause_ms=20");
    const statuses: number[] = [];
    let reloading = true;
    const clients = [1, 2, 3].map(async () => {
      while (reloading) statuses.push((await rawRequest(program.url, "/v1/books/b")).status);
    });
    for (let count = 0; count < 50; count += 1) {
      replace(file, count % 2 === 0 ? withoutEcho : whole);
      program.reload();
      const answered = statuses.length;
      await until(() => statuses.length > answered);
    }
    reloading = false;
    await Promise.all(clients);
    expect(lines).toHaveLength(50);
    expect(lines.every((line) => line.startsWith("reloaded "))).toBe(true);
    expect(statuses.length).toBeGreaterThanOrEqual(50);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect((await long).body.toString().trim().split("\n")).toHaveLength(30);
  });
});
