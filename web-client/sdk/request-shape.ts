import type { DescMessage, DescMethod, Message, MessageShape } from "@bufbuild/protobuf";

/**
 * A request as an object literal. Every field is optional at every depth, and `undefined` is the same as absent, with
 * and without `exactOptionalPropertyTypes`. Elements of lists and values of maps are required.
 */
export type RequestShape<Desc extends DescMessage> = Shape<MessageShape<Desc>>;

/** The request of a method. */
export type MethodRequest<Method extends DescMethod> = RequestShape<Method["input"]>;

type Shape<M extends Message> =
  | M
  | {
      [P in keyof M as P extends "$unknown" ? never : P]?: P extends "$typeName" ? undefined : Value<M[P]> | undefined;
    };

type Value<V> = V extends bigint | boolean | number | string | Uint8Array | undefined
  ? V
  : V extends readonly (infer Element)[]
    ? readonly Value<Element>[]
    : V extends Message
      ? Shape<V>
      : V extends Readonly<Record<string, infer Entry>>
        ? Readonly<Record<string, Value<Entry>>>
        : V;
