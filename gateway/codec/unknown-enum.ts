import { type DescField, ScalarType, type UnknownField } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { wireTypeOf } from "./wire-type.ts";

/** Creates the unknown field for a number that the enum of a field, or of its elements, does not define. */
export function unknownNumber(field: DescField): (value: number) => UnknownField {
  return (value) => ({
    no: field.number,
    wireType: WireType.Varint,
    data: new BinaryWriter().int32(value).finish(),
  });
}

/** The unknown field of a map entry whose value is a number that the enum does not define. */
export function unknownEntry(field: DescField & { fieldKind: "map" }, key: string, value: number): UnknownField {
  const entry = new BinaryWriter().tag(1, wireTypeOf(field.mapKey));
  writeKey(entry, field.mapKey, key);
  const data = new BinaryWriter().bytes(entry.tag(2, WireType.Varint).int32(value).finish()).finish();
  return { no: field.number, wireType: WireType.LengthDelimited, data };
}

/** Writes a map key from a property name. */
function writeKey(writer: BinaryWriter, scalar: (DescField & { fieldKind: "map" })["mapKey"], key: string): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      return writer.string(key);
    case ScalarType.BOOL:
      return writer.bool(key === "true");
    case ScalarType.INT32:
      return writer.int32(Number(key));
    case ScalarType.UINT32:
      return writer.uint32(Number(key));
    case ScalarType.SINT32:
      return writer.sint32(Number(key));
    case ScalarType.FIXED32:
      return writer.fixed32(Number(key));
    case ScalarType.SFIXED32:
      return writer.sfixed32(Number(key));
    case ScalarType.INT64:
      return writer.int64(BigInt(key));
    case ScalarType.UINT64:
      return writer.uint64(BigInt(key));
    case ScalarType.SINT64:
      return writer.sint64(BigInt(key));
    case ScalarType.FIXED64:
      return writer.fixed64(BigInt(key));
    case ScalarType.SFIXED64:
      return writer.sfixed64(BigInt(key));
    default:
      return scalar satisfies never;
  }
}
