import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { kafkaJars, kafkaVersion } from "../services/runtime/testing/kafka.ts";

/**
 * Fetches Kafka's broker, which tests and `make run-distributed` start, by Maven into `.cache/kafka`.
 *
 *     node tools/kafka-jars.ts
 *
 * The exit code is 1, and a line says why, where it cannot.
 */

const fetchTimeoutMs = 10 * 60_000;

const project = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>docket</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;

/** Fetches the jars unless they are there. @throws where there is no Maven, and where it fails */
export async function fetchKafka(): Promise<void> {
  if (existsSync(kafkaJars)) {
    return;
  }
  if (process.env["SETUP"] === "no") {
    throw new Error("SETUP=no: Kafka is not fetched");
  }
  console.log(`Fetching Kafka ${kafkaVersion} by Maven into .cache/kafka`);
  await mkdir(dirname(kafkaJars), { recursive: true });
  // Renamed when it is complete, so that an interrupted fetch is not taken for one.
  const folder = await mkdtemp(`${kafkaJars}-`);
  try {
    await writeFile(join(folder, "pom.xml"), project);
    const goal = ["dependency:copy-dependencies", `-DoutputDirectory=${folder}`];
    execFileSync("mvn", ["-q", "-B", "-f", join(folder, "pom.xml"), ...goal], {
      stdio: ["ignore", "inherit", "inherit"],
      timeout: fetchTimeoutMs,
    });
    await rename(folder, kafkaJars);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

if (import.meta.main) {
  try {
    await fetchKafka();
  } catch (error) {
    console.log(`Kafka cannot be fetched: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
