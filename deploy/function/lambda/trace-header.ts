/**
 * Converts X-Ray's trace (`Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`) to W3C's
 * `traceparent`. Undefined if it names no parent span.
 */
export function traceparentOf(xray: string | undefined): string | undefined {
  const fields = new Map((xray ?? "").split(";").map((field) => field.trim().split("=", 2) as [string, string]));
  const root = /^1-([0-9a-f]{8})-([0-9a-f]{24})$/i.exec(fields.get("Root") ?? "");
  const parent = fields.get("Parent") ?? "";
  if (root === null || !/^[0-9a-f]{16}$/i.test(parent)) {
    return undefined;
  }
  const flags = fields.get("Sampled") === "1" ? "01" : "00";
  return `00-${root[1]}${root[2]}-${parent}-${flags}`.toLowerCase();
}
