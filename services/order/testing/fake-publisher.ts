import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { EventBus } from "../../runtime/bus/event-bus.ts";

/** Publishes events of one service as its outbox would: one sequence per aggregate. */
export function publisher(bus: EventBus, source: string) {
  const sequences = new Map<string, number>();
  let id = 0;
  return async <Desc extends DescMessage>(
    schema: Desc,
    message: MessageShape<Desc>,
    tenant: string,
    aggregate: string,
  ) => {
    const sequence = (sequences.get(`${tenant} ${aggregate}`) ?? 0) + 1;
    sequences.set(`${tenant} ${aggregate}`, sequence);
    id += 1;
    const data = toBinary(schema, message);
    const attributes = { id: `${source}-${id}`, type: schema.typeName, source, aggregate, sequence, tenant };
    const event = { ...attributes, time: new Date(), data, extensions: {} };
    await bus.publish([event]);
    return event;
  };
}
