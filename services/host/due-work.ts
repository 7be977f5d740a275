import type { Job } from "../runtime/jobs/job.ts";
import type { Service } from "../runtime/service/service.ts";
import type { Logger } from "../runtime/telemetry/log.ts";

/** Jobs that are run only when they are named. */
const onRequest: ReadonlySet<string> = new Set(["retention"]);

/** Runs the background work of services on demand. */
export interface DueWork {
  /** The names of all jobs. */
  readonly names: ReadonlySet<string>;
  /**
   * Runs the named jobs of all services, by default all but retention, over and over until nothing is due any more,
   * since one leaves work to another. After the signal no more is taken, and what is in progress ends.
   *
   * @throws the first error of a job, after all have ended
   */
  run(signal: AbortSignal, names?: Iterable<string>): Promise<void>;
}

export function createDueWork({ services, log }: { services: readonly Service[]; log: Logger }): DueWork {
  const jobs = services.flatMap((service) =>
    Object.entries<Job>(service.jobs.due).map(([name, job]) => ({ name, service: service.name, job })),
  );
  const names = new Set(jobs.map(({ name }) => name));
  return {
    names,
    async run(signal, wanted = [...names].filter((name) => !onRequest.has(name))) {
      const chosen = new Set(wanted);
      const failures: unknown[] = [];
      for (let busy = true; busy && failures.length === 0 && !signal.aborted; ) {
        const outcomes = await Promise.all(
          jobs
            .filter(({ name }) => chosen.has(name))
            .map(async ({ name, service, job }) => {
              try {
                return await job(signal);
              } catch (err) {
                log.warn({ err, service, job: name }, "a job failed");
                failures.push(err);
                return false;
              }
            }),
        );
        busy = outcomes.includes(true);
      }
      if (failures.length > 0) {
        throw failures[0];
      }
    },
  };
}
