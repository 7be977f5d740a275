import type { DescEnum, DescExtension, DescField, DescFile, DescMessage, DescOneof } from "@bufbuild/protobuf";
import { getOption, hasOption, isMessage, ScalarType } from "@bufbuild/protobuf";
import { type PredefinedRules, predefined } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

const scalarNames: Record<ScalarType, string> = {
  [ScalarType.DOUBLE]: "double",
  [ScalarType.FLOAT]: "float",
  [ScalarType.INT64]: "int64",
  [ScalarType.UINT64]: "uint64",
  [ScalarType.INT32]: "int32",
  [ScalarType.FIXED64]: "fixed64",
  [ScalarType.FIXED32]: "fixed32",
  [ScalarType.BOOL]: "bool",
  [ScalarType.STRING]: "string",
  [ScalarType.BYTES]: "bytes",
  [ScalarType.UINT32]: "uint32",
  [ScalarType.SFIXED32]: "sfixed32",
  [ScalarType.SFIXED64]: "sfixed64",
  [ScalarType.SINT32]: "sint32",
  [ScalarType.SINT64]: "sint64",
};

/**
 * Prints a proto2 file from its descriptor, as text that compiles to the same descriptor again (comments aside).
 *
 * It knows what `buf/validate/validate.proto` is made of: messages, oneofs, maps, enums, file extensions, reserved
 * and extension ranges, and the option `(buf.validate.predefined)`. A file with anything else (services, groups,
 * defaults, nested declarations) is refused with an error rather than printed wrongly.
 */
export function printProto2(file: DescFile): string {
  if (file.proto.syntax !== "" && file.proto.syntax !== "proto2") {
    throw new Error(`${file.name}: only proto2 can be printed, not ${file.proto.syntax}`);
  }
  if (file.services.length > 0) {
    throw new Error(`${file.name}: services cannot be printed`);
  }
  return [
    'syntax = "proto2";',
    `package ${file.proto.package};`,
    file.dependencies.map((dependency) => `import ${quote(`${dependency.name}.proto`)};`).join("\n"),
    fileOptions(file).join("\n"),
    ...file.enums.map(printEnum),
    ...file.messages.map(printMessage),
    ...file.extensions.map(printExtension),
    "",
  ].join("\n\n");
}

function fileOptions(file: DescFile): string[] {
  const { $typeName, $unknown, uninterpretedOption, ...options } = { ...file.proto.options };
  return Object.entries(options).map(([name, value]) => {
    if (typeof value !== "string" && typeof value !== "boolean") {
      throw new Error(`${file.name}: option ${name} cannot be printed`);
    }
    return `option ${snakeCase(name)} = ${typeof value === "string" ? quote(value) : value};`;
  });
}

function printEnum(desc: DescEnum): string {
  return block(`enum ${desc.name}`, [
    // Unlike a message's, an enum's reserved range has an inclusive end.
    ...desc.proto.reservedRange.map(({ start, end }) => `reserved ${printRange(start, end)};`),
    ...desc.proto.reservedName.map((name) => `reserved ${quote(name)};`),
    ...desc.values.map((value) => `${value.name} = ${value.number};`),
  ]);
}

function printMessage(desc: DescMessage): string {
  if (desc.nestedMessages.length + desc.nestedEnums.length + desc.nestedExtensions.length > 0) {
    throw new Error(`${desc.typeName}: nested declarations cannot be printed`);
  }
  return block(`message ${desc.name}`, [
    ...desc.proto.reservedRange.map(({ start, end }) => `reserved ${printRange(start, end - 1)};`),
    ...desc.proto.reservedName.map((name) => `reserved ${quote(name)};`),
    ...desc.members.map((member) => (member.kind === "oneof" ? printOneof(member) : printField(member))),
    ...desc.proto.extensionRange.map(({ start, end }) => `extensions ${printRange(start, end - 1)};`),
  ]);
}

function printOneof(desc: DescOneof): string {
  return block(
    `oneof ${desc.name}`,
    desc.fields.map((field) => `${typeOf(field)} ${field.name} = ${field.number}${fieldOptions(field)};`),
  );
}

function printField(field: DescField): string {
  const label = field.fieldKind === "list" ? "repeated " : field.fieldKind === "map" ? "" : "optional ";
  return `${label}${typeOf(field)} ${field.name} = ${field.number}${fieldOptions(field)};`;
}

function printExtension(desc: DescExtension): string {
  const label = desc.fieldKind === "list" ? "repeated" : "optional";
  return block(`extend .${desc.extendee.typeName}`, [
    `${label} ${typeOf(desc)} ${desc.name} = ${desc.number}${fieldOptions(desc)};`,
  ]);
}

function typeOf(field: DescField | DescExtension): string {
  if (field.fieldKind === "map") {
    const value = field.mapKind === "scalar" ? scalarNames[field.scalar] : `.${(field.message ?? field.enum).typeName}`;
    return `map<${scalarNames[field.mapKey]}, ${value}>`;
  }
  if (field.message) {
    return `.${field.message.typeName}`;
  }
  return field.enum ? `.${field.enum.typeName}` : scalarNames[field.scalar];
}

function fieldOptions(field: DescField | DescExtension): string {
  if (field.proto.defaultValue !== "") {
    throw new Error(`${field.name}: a default cannot be printed`);
  }
  const options = field.proto.options;
  if (options === undefined) {
    return "";
  }
  const others = (options.$unknown?.length ?? 0) - (hasOption(field, predefined) ? 1 : 0);
  if (others > 0) {
    throw new Error(`${field.name}: an option cannot be printed`);
  }
  const list = [
    ...(Object.hasOwn(options, "deprecated") ? [`deprecated = ${options.deprecated}`] : []),
    ...(hasOption(field, predefined) ? printPredefined(getOption(field, predefined)) : []),
  ];
  return list.length === 0 ? "" : ` [${list.join(", ")}]`;
}

function printPredefined(rules: PredefinedRules): string[] {
  return rules.cel.map((rule) => {
    const members = Object.entries(rule).filter(([name]) => !name.startsWith("$"));
    const text = members.map(([name, value]) => {
      if (typeof value !== "string" || isMessage(value)) {
        throw new Error(`rule ${rule.id}: ${name} cannot be printed`);
      }
      return `${snakeCase(name)}: ${quote(value)}`;
    });
    return `(.${predefined.typeName}).cel = { ${text.join(", ")} }`;
  });
}

/** The largest number that a field may have, 2^29 - 1, is written `max`. */
function printRange(first: number, last: number): string {
  return first === last ? `${first}` : `${first} to ${last === 536_870_911 ? "max" : last}`;
}

function block(head: string, lines: string[]): string {
  return `${head} {\n${lines.map((line) => line.replace(/^/gm, "  ")).join("\n")}\n}`;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
