import {
  clearExtension,
  clone,
  type DescMethod,
  type FileRegistry,
  getExtension,
  getOption,
  hasOption,
  setExtension,
} from "@bufbuild/protobuf";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { http } from "../../../gen/google/api/annotations_pb.js";
import { type HttpRule, HttpRuleSchema } from "../../../gen/google/api/http_pb.js";
import { compileRule, ForeignRuleError, RouteError } from "../../routing/http-rules.ts";
import { createTrie } from "../../routing/route-trie.ts";
import type { TemplateOptions } from "../../routing/template-parser.ts";

/** An HTTP rule that cannot be served: it violates http.proto, or another rule matches its requests. */
export interface InvalidRule {
  /** `package.Service.Method`. */
  readonly method: string;
  /** 0 for the method's own rule, 1 and above for its additional bindings. */
  readonly binding: number;
  /** Names the method and the violation. */
  readonly message: string;
  /** True if http.proto forbids the rule but other gateways serve it. */
  readonly foreign: boolean;
}

/** Validates every HTTP rule of every service. */
export function findInvalidRules(registry: FileRegistry, options: TemplateOptions = {}): InvalidRule[] {
  const invalid: InvalidRule[] = [];
  const trie = createTrie<DescMethod>();
  for (const service of registry) {
    if (service.kind !== "service") continue;
    for (const method of service.methods) {
      for (const [binding, rule] of rulesOf(method).entries()) {
        try {
          if (binding > 0 && rule.additionalBindings.length > 0) {
            throw new RouteError(method, "additional_bindings cannot be nested");
          }
          const { httpMethod, template } = compileRule(method, rule, options);
          trie.insert(httpMethod, template, method);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          const name = `${method.parent.typeName}.${method.name}`;
          invalid.push({
            method: name,
            binding,
            message: error instanceof RouteError ? reason : `${name}: ${reason}`,
            foreign: error instanceof ForeignRuleError,
          });
        }
      }
    }
  }
  return invalid;
}

/** Removes rules from the descriptors. If a method's own rule is removed, its first additional binding replaces it. */
export function removeRules(files: readonly FileDescriptorProto[], invalid: readonly InvalidRule[]): void {
  for (const file of files) {
    for (const service of file.service) {
      for (const method of service.method) {
        const name = [file.package, service.name, method.name].filter((part) => part !== "").join(".");
        const bindings = new Set(invalid.filter((rule) => rule.method === name).map(({ binding }) => binding));
        if (bindings.size === 0 || method.options === undefined) continue;
        const httpRule = getExtension(method.options, http);
        const [first, ...rest] = [httpRule, ...httpRule.additionalBindings].filter(
          (_, binding) => !bindings.has(binding),
        );
        if (first === undefined) {
          clearExtension(method.options, http);
        } else {
          const rule = clone(HttpRuleSchema, first);
          rule.additionalBindings = rest;
          setExtension(method.options, http, rule);
        }
      }
    }
  }
}

function rulesOf(method: DescMethod): HttpRule[] {
  if (!hasOption(method, http)) return [];
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings];
}
