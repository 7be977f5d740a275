import { create, type MessageInitShape, setExtension, toBinary } from "@bufbuild/protobuf";
import { fileDesc, type GenMessage, type GenService, serviceDesc } from "@bufbuild/protobuf/codegenv2";
import { FileDescriptorProtoSchema, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { AccessSchema, access, file_docket_options_v1_options } from "../../gen/docket/options/v1/options_pb.js";
import { file_docket_order_v1_order, type Order, OrderSchema } from "../../gen/docket/order/v1/order_pb.js";

const options = create(MethodOptionsSchema);
setExtension(options, access, create(AccessSchema, { scopes: ["orders.read"] }));
const type = `.${OrderSchema.typeName}`;

const file = fileDesc(
  Buffer.from(
    toBinary(
      FileDescriptorProtoSchema,
      create(FileDescriptorProtoSchema, {
        name: "bench/echo.proto",
        package: "bench",
        syntax: "proto3",
        dependency: [file_docket_order_v1_order.proto.name, file_docket_options_v1_options.proto.name],
        service: [{ name: "OrderEcho", method: [{ name: "Echo", inputType: type, outputType: type, options }] }],
      }),
    ),
  ).toString("base64"),
  [file_docket_order_v1_order, file_docket_options_v1_options],
);

/** A unary method that echoes an order: transport cost only. */
export const OrderEcho: GenService<{
  echo: { methodKind: "unary"; input: GenMessage<Order>; output: GenMessage<Order> };
}> = serviceDesc(file, 0);

export const echoPath = "/bench.OrderEcho/Echo";

/** About 500 bytes: one customer, one address, two lines. */
export const smallOrder: MessageInitShape<typeof OrderSchema> = {
  name: "orders/01jd8k3v9q2x7m4n5p6r8s0t1w",
  externalId: "10248",
  customer: {
    id: "VINET",
    displayName: "Vins et alcools Chevalier",
    email: "paul@vinet.example",
    phone: "26.47.15.10",
  },
  shippingAddress: {
    recipient: "Paul Henriot",
    addressLines: ["59 rue de l'Abbaye"],
    locality: "Reims",
    postalCode: "51100",
    regionCode: "FR",
  },
  lineItems: [
    { sku: "11", quantity: 12, title: "Queso Cabrales", unitPrice: { currencyCode: "USD", units: 14n } },
    {
      sku: "42",
      quantity: 10,
      title: "Singaporean Hokkien Fried Mee",
      unitPrice: { currencyCode: "USD", units: 9n, nanos: 800_000_000 },
    },
  ],
  currencyCode: "USD",
  shippingFee: { currencyCode: "USD", units: 32n, nanos: 380_000_000 },
  subtotal: { currencyCode: "USD", units: 266n },
  total: { currencyCode: "USD", units: 298n, nanos: 380_000_000 },
  labels: { order_date: "1996-07-04", ship_via: "3" },
  createTime: { seconds: 1_796_000_000n, nanos: 123_000_000 },
  updateTime: { seconds: 1_796_000_100n, nanos: 456_000_000 },
  etag: '"7"',
};
