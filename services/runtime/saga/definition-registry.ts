import type { SagaDefinition } from "./definition.ts";

/** The saga definitions of a process, by name and version. */
export interface Definitions {
  readonly all: readonly SagaDefinition<unknown>[];
  find(saga: { readonly definition: string; readonly version: number }): SagaDefinition<unknown> | undefined;
}

/**
 * Validates the definitions.
 *
 * @throws RangeError naming the first problem
 */
export function createDefinitions(all: readonly SagaDefinition<unknown>[]): Definitions {
  const byKey = new Map<string, SagaDefinition<unknown>>();
  for (const definition of all) {
    const key = `${definition.name} version ${definition.version}`;
    const names = definition.steps.map((step) => step.name);
    const bad = names.find((name) => name.length < 1 || name.length > 48);
    if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(definition.name) || !Number.isInteger(definition.version)) {
      throw new RangeError(`${key} is not a saga's name in kebab-case and an integer version`);
    }
    if (names.length === 0 || new Set(names).size < names.length || bad !== undefined) {
      throw new RangeError(`the saga ${key} needs steps with different names of 1 to 48 characters`);
    }
    if (byKey.has(key)) {
      throw new RangeError(`there are two sagas ${key}`);
    }
    byKey.set(key, definition);
  }
  return { all, find: ({ definition, version }) => byKey.get(`${definition} version ${version}`) };
}
