import type { Labels, Manifest } from "./pod-policy.ts";

/** One end of a connection: a pod by its labels, or an address outside the release. */
export type End = Labels | "outside";

interface Peer {
  readonly podSelector?: { readonly matchLabels: Labels };
}

interface Rule {
  readonly ports?: readonly { readonly port: number | string }[];
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
}

/** What a NetworkPolicy has in its `spec`, as far as the chart uses it. */
interface PolicySpec {
  readonly podSelector: { readonly matchLabels: Labels };
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

export function matches(labels: Labels, selector: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

/**
 * Whether the NetworkPolicies of the manifests let a pod connect to a port, by the rules of Kubernetes: both ends must
 * allow it, and an end that no policy selects allows everything. Peers that are not pods count as the outside.
 */
export function allows(
  manifests: readonly Manifest[],
  { from, to, port, portName }: { from: End; to: End; port: number; portName?: string },
): boolean {
  const policies = manifests
    .filter(({ kind }) => kind === "NetworkPolicy")
    .map(({ spec }) => spec as unknown as PolicySpec);
  const passes = (end: End, type: "Ingress" | "Egress", other: End) => {
    if (end === "outside") {
      return true;
    }
    const applied = policies.filter(
      ({ podSelector, policyTypes }) => policyTypes.includes(type) && matches(end, podSelector.matchLabels),
    );
    const rules = applied.flatMap((policy) => (type === "Ingress" ? policy.ingress : policy.egress) ?? []);
    return applied.length === 0 || rules.some((rule) => covers(rule, other, [port, `${port}`, portName]));
  };
  return passes(from, "Egress", to) && passes(to, "Ingress", from);
}

function covers(rule: Rule, other: End, port: readonly unknown[]): boolean {
  const peers = rule.from ?? rule.to;
  const isPeer = ({ podSelector }: Peer) =>
    podSelector === undefined ? other === "outside" : other !== "outside" && matches(other, podSelector.matchLabels);
  const hasPort = rule.ports === undefined || rule.ports.some((each) => port.includes(each.port));
  return hasPort && (peers === undefined || peers.some(isPeer));
}
