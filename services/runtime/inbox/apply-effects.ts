import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import type { Transaction } from "kysely";
import { failSpan } from "../../../gateway/telemetry/rpc-span.ts";
import type { Command } from "../commands/command.ts";
import type { CommandsInTransaction } from "../commands/in-transaction.ts";
import { inSpan, tracer } from "../telemetry/tracing.ts";
import type { Handled, Received } from "./handlers.ts";

/**
 * Applies the effects of messages in order. Calls `begin` with the message whose effect is applied, so that the caller
 * knows which one failed.
 */
export async function applyEffects<DB>(
  trx: Transaction<DB>,
  runCommands: CommandsInTransaction<DB> | undefined,
  messages: readonly Handled<DB>[],
  begin: (message: Handled<DB> | undefined) => void,
): Promise<void> {
  let commands: Handled<DB>[] = [];
  for (const message of messages) {
    if ("commands" in message.effect) {
      commands.push(message);
      continue;
    }
    await applyCommands(trx, runCommands, commands, begin);
    commands = [];
    begin(message);
    const { effect, event } = message;
    await inSpan(nameOf(message), message.span(), () => effect.handle(trx, message.message as never, event));
  }
  await applyCommands(trx, runCommands, commands, begin);
  begin(undefined);
}

async function applyCommands<DB>(
  trx: Transaction<DB>,
  runCommands: CommandsInTransaction<DB> | undefined,
  messages: readonly Handled<DB>[],
  begin: (message: Handled<DB> | undefined) => void,
): Promise<void> {
  if (messages.length === 0) {
    return;
  }
  if (runCommands === undefined) {
    throw new TypeError("A consumer with commands needs the option runCommands.");
  }
  begin(undefined);
  const commandOf = new Map<Handled<DB>, Command<unknown>>();
  for (const [effect, received] of Map.groupBy(messages, (message) => message.effect)) {
    if ("commands" in effect) {
      const commands = await effect.commands(
        trx,
        received as readonly Received<object>[] as readonly Received<never>[],
      );
      for (const [at, message] of received.entries()) {
        commandOf.set(message, commands[at] as Command<unknown>);
      }
    }
  }
  const outcomes = await runCommands(
    trx,
    messages.map((message) => inSpanOf(message, commandOf.get(message) as Command<unknown>)),
  );
  outcomes.forEach((outcome, at) => {
    if ("error" in outcome) {
      begin(messages[at]);
      throw outcome.error;
    }
  });
}

/** The command, which decides in a span of its message, so that its events belong to the trace of the cause. */
function inSpanOf<DB>(message: Handled<DB>, command: Command<unknown>): Command<unknown> {
  return {
    keys: (need) => command.keys(need),
    decide(batch) {
      const { parent = ROOT_CONTEXT, ...options } = message.span();
      const span = tracer().startSpan(nameOf(message), { ...options, links: [...(options.links ?? [])] }, parent);
      try {
        return context.with(trace.setSpan(parent, span), () => command.decide(batch));
      } catch (error) {
        failSpan(span, error);
        throw error;
      } finally {
        span.end();
      }
    },
  };
}

function nameOf<DB>({ event }: Handled<DB>): string {
  return `process ${event.type}`;
}
