import type { FunctionHost } from "../../../services/host/function-host.ts";
import type { Message, Task } from "./message-events.ts";

/**
 * Hands the events of messages to this process's consumers, and runs the jobs that messages or a schedule name. Repeated
 * messages have no second effect, because consumers know what they have handled.
 *
 * Returns the response to the platform: for SQS the messages that failed, so that only these are redelivered.
 *
 * @throws if a scheduled job or a record of a topic fails, so that the platform repeats it whole
 */
export async function runTask(host: FunctionHost, task: Task, signal: AbortSignal): Promise<object | null> {
  if (task.kind === "schedule") {
    await runJobs(host, task.jobs, signal);
    return null;
  }
  const groups = [...Map.groupBy(task.messages, ({ group }) => group).values()];
  const failed = (await Promise.all(groups.map((group) => handleGroup(host, group, signal)))).flat();
  if (task.kind === "sqs") {
    return { batchItemFailures: failed.map(({ id }) => ({ itemIdentifier: id })) };
  }
  // What can never be decoded would hold up its partition for ever.
  const retried = failed.filter(({ content }) => !("problem" in content));
  if (retried.length > 0) {
    throw new Error(`${retried.length} of ${task.messages.length} records were not handled`);
  }
  return null;
}

/** Handles the messages of a group in order; returns those that failed, and those behind the first of them. */
async function handleGroup(
  host: FunctionHost,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<readonly Message[]> {
  if (messages.length === 0) {
    return [];
  }
  const events = messages.flatMap(({ content }) => ("event" in content ? [content.event] : []));
  if (events.length === messages.length) {
    // Together, so that they share a transaction; if one fails, all come again, and the others have no second effect.
    return (await succeeds(host, messages, () => unlessAborted(host.bus.publish(events), signal))) ? [] : messages;
  }
  for (const [at, message] of messages.entries()) {
    const { content } = message;
    const done = await succeeds(host, [message], async () => {
      if ("event" in content) {
        await unlessAborted(host.bus.publish([content.event]), signal);
      } else if ("jobs" in content) {
        await runJobs(host, content.jobs, signal);
      } else {
        throw new Error(content.problem);
      }
    });
    if (!done) {
      return "problem" in content
        ? [message, ...(await handleGroup(host, messages.slice(at + 1), signal))]
        : messages.slice(at);
    }
  }
  return [];
}

async function succeeds(
  { log }: FunctionHost,
  messages: readonly Message[],
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (err) {
    log.warn({ err, messages: messages.map(({ id }) => id) }, "messages were not handled");
    return false;
  }
}

async function runJobs(
  { work }: FunctionHost,
  names: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<void> {
  const unknown = names?.find((name) => !work.names.has(name));
  if (unknown !== undefined) {
    throw new Error(`Unknown job "${unknown}". The jobs of this function are ${[...work.names].sort().join(", ")}.`);
  }
  await work.run(signal, names);
}

/** The bus delivers a batch that fails again and again; the platform does that too, and knows when to stop. */
function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error("out of time"));
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) {
      abort();
    }
  });
}
