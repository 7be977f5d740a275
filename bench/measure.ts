import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";

/** What is measured, round by round, by the name of the contender. */
export type Rounds = Readonly<Record<string, readonly number[]>>;

/** `--name value` of the command line as a number. */
export function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
}

/** `--name a,b` of the command line, else all of them. */
export function chosen<Name extends string>(name: string, all: readonly Name[]): readonly Name[] {
  const at = process.argv.indexOf(`--${name}`);
  const wanted = at < 0 ? undefined : process.argv[at + 1]?.split(",");
  return wanted === undefined ? all : all.filter((each) => wanted.includes(each));
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The nearest-rank percentile; NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** The median of the ratios of each round: what slows one round down slows both sides of it. */
export function ratio(rounds: Rounds, of: string, to: string): number {
  const base = rounds[to] ?? [];
  return median((rounds[of] ?? []).map((value, round) => value / (base[round] ?? Number.NaN)));
}

/** Each contender's median and its raw rounds, a line each. */
export function printRounds(rounds: Rounds, unit: string): void {
  const width = Math.max(...Object.keys(rounds).map((name) => name.length));
  for (const [name, values] of Object.entries(rounds)) {
    console.log(`${name.padEnd(width)} ${short(median(values))} ${unit} (rounds: ${values.map(short).join(" ")})`);
  }
}

export function printRatios(rounds: Rounds, pairs: readonly (readonly [of: string, to: string])[]): void {
  for (const [of, to] of pairs) {
    console.log(`ratio ${of} / ${to}: ${ratio(rounds, of, to).toFixed(2)}`);
  }
}

export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Of the last minute, when the benchmark began: others may have been at work. */
  readonly loadBefore: number;
  readonly packages: Readonly<Record<string, string>>;
}

/** What the figures were taken on, printed too. */
export async function describeMachine(packages: readonly string[]): Promise<Machine> {
  const versions = await Promise.all(packages.map(async (name) => [name, await versionOf(name)] as const));
  const machine = {
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore: Number(loadavg()[0]?.toFixed(2)),
    packages: Object.fromEntries(versions),
  };
  console.log(machine);
  return machine;
}

/** Keeps the raw figures under bench/results/. */
export async function keepResult(name: string, result: object): Promise<void> {
  await mkdir(new URL("results/", import.meta.url), { recursive: true });
  const text = JSON.stringify(
    result,
    (_, value) => (typeof value === "number" ? Number(value.toPrecision(6)) : value),
    2,
  );
  // Arrays of plain numbers are read side by side.
  const compact = text.replace(/\[[\s\d.,eE+-]+\]/g, (list) => list.replace(/\s+/g, " "));
  await writeFile(new URL(`results/${name}.json`, import.meta.url), `${compact}\n`);
}

async function versionOf(name: string): Promise<string> {
  const text = await readFile(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

function short(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}
