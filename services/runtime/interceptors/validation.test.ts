import { create, type DescMethod, type MessageInitShape, setExtension, toBinary } from "@bufbuild/protobuf";
import { fileDesc, type GenMessage, messageDesc, serviceDesc } from "@bufbuild/protobuf/codegenv2";
import {
  FieldOptionsSchema,
  type FieldDescriptorProto_Type as FieldType,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  MethodDescriptorProtoSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import {
  FieldRulesSchema,
  field as fieldRules,
  file_buf_validate_validate,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { Code, ConnectError, createContextValues, type UnaryRequest } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { maxViolations } from "../../../gateway/call/violations.ts";
import { CreateItemRequestSchema, InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { PaymentService, SettlePaymentRequestSchema } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { createValidationInterceptor } from "./validation.ts";

const ruled = (
  name: string,
  number: number,
  type: FieldType,
  label: Label,
  rules: MessageInitShape<typeof FieldRulesSchema>,
) => {
  const options = create(FieldOptionsSchema);
  setExtension(options, fieldRules, create(FieldRulesSchema, rules));
  return { name, number, type, label, options, typeName: type === Type.MESSAGE ? ".bounds.v1.Item" : "" };
};

const notEmpty = { type: { case: "string", value: { minLen: 1n } } } as const;
const file = fileDesc(
  Buffer.from(
    toBinary(
      FileDescriptorProtoSchema,
      create(FileDescriptorProtoSchema, {
        name: "bounds/v1/bounds.proto",
        package: "bounds.v1",
        syntax: "proto3",
        dependency: ["buf/validate/validate.proto"],
        messageType: [
          {
            name: "Request",
            field: [
              ruled("few", 1, Type.MESSAGE, Label.REPEATED, { type: { case: "repeated", value: { maxItems: 3n } } }),
              ruled("many", 2, Type.MESSAGE, Label.REPEATED, {}),
              ruled("tenant", 3, Type.STRING, Label.OPTIONAL, {
                type: { case: "string", value: { pattern: "^([a-z][a-z0-9-]{0,62})?$" } },
              }),
            ],
          },
          {
            name: "Item",
            field: [
              ruled("left", 1, Type.STRING, Label.OPTIONAL, notEmpty),
              ruled("right", 2, Type.STRING, Label.OPTIONAL, notEmpty),
            ],
          },
        ],
        service: [
          {
            name: "Bounds",
            method: [
              create(MethodDescriptorProtoSchema, {
                name: "Check",
                inputType: ".bounds.v1.Request",
                outputType: ".bounds.v1.Request",
              }),
            ],
          },
        ],
      }),
    ),
  ).toString("base64"),
  [file_buf_validate_validate],
);
const requestSchema = messageDesc(file, 0) as GenMessage<never>;
const itemSchema = messageDesc(file, 1);
const [checkMethod] = serviceDesc(file, 0).methods;

/** Sends a message through the interceptor. @returns what it is refused with, undefined where it passes. */
async function refusalOf(
  message: object,
  method: DescMethod | undefined = checkMethod,
): Promise<ConnectError | undefined> {
  const request = {
    stream: false,
    method,
    message,
    header: new Headers(),
    signal: new AbortController().signal,
    contextValues: createContextValues(),
  } as unknown as UnaryRequest;
  const call = createValidationInterceptor()(() => Promise.resolve({} as never));
  return call(request).then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );
}

const violationsOf = (error: ConnectError | undefined) =>
  error?.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];

test("a list longer than its rule allows is refused before any of its elements is checked", async () => {
  const message = create(requestSchema) as unknown as { few: unknown[] };
  let reads = 0;
  const watched = new Proxy(create(itemSchema), {
    get(target, key, receiver) {
      if (key === "left" || key === "right") {
        reads += 1;
      }
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
  message.few = new Array(50_000).fill(watched);

  const error = await refusalOf(message);

  expect(error?.code).toBe(Code.InvalidArgument);
  expect(violationsOf(error)).toMatchObject(
    [{ field: "few", description: /no more than 3/ }].map((it) => ({ field: it.field })),
  );
  expect(error?.rawMessage).toMatch(/no more than 3 item.*too large to list what else is invalid/);
  expect(reads).toBe(0);
});

test("the violations of a message of ordinary size are all found, and listed up to the bound with the number of others", async () => {
  const message = create(requestSchema) as unknown as { many: unknown[] };
  message.many = Array.from({ length: 200 }, () => create(itemSchema));

  const error = await refusalOf(message);

  expect(violationsOf(error)).toHaveLength(maxViolations);
  expect(violationsOf(error)[1]).toMatchObject({ field: "many[0].right" });
  const named = error?.rawMessage.split("; ").length ?? 0;
  expect(error?.rawMessage).toContain(`(and ${400 - named} more)`);
});

test("a large invalid message is refused with its first violation alone", async () => {
  const message = create(requestSchema) as unknown as { many: unknown[] };
  message.many = Array.from({ length: 20_000 }, () => create(itemSchema));

  const error = await refusalOf(message);

  expect(violationsOf(error)).toMatchObject([{ field: "many[0].left" }]);
});

test("a value that does not match its pattern is refused in words", async () => {
  const error = await refusalOf(Object.assign(create(requestSchema) as object, { tenant: "ACME!" }));

  const description = "must be empty, or up to 63 lower-case letters, digits and hyphens, beginning with a letter";
  expect(violationsOf(error)).toMatchObject([{ field: "tenant", description }]);
  expect(error?.rawMessage).toBe(`tenant: ${description}`);
});

test("a line break in a text of one line is refused, and passed on between services", async () => {
  const item = create(CreateItemRequestSchema, { item: { sku: "TEA", title: "Green\ntea" } });
  const settlement = create(SettlePaymentRequestSchema, { name: "orders/a/payments/1", reason: "two\nlines" });

  expect(violationsOf(await refusalOf(item, InventoryService.method.createItem))).toMatchObject([
    { field: "item.title", description: "must be a single line, without the line break U+000A" },
  ]);
  expect(await refusalOf(settlement, PaymentService.method.settlePayment)).toBeUndefined();
});
