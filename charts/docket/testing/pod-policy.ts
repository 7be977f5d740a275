/** The parts of a Kubernetes object that the policy looks at. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Labels; readonly annotations?: Labels };
  readonly spec?: PodSpec & {
    readonly template?: { readonly metadata?: { readonly labels?: Labels }; readonly spec: PodSpec };
    readonly replicas?: number;
  };
  readonly data?: Readonly<Record<string, string>>;
}

export type Labels = Readonly<Record<string, string>>;

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean;
    readonly seccompProfile?: { readonly type?: string };
  };
  readonly containers?: readonly Container[];
  readonly volumes?: readonly Volume[];
}

export interface Volume extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly secret?: { readonly items?: readonly { readonly key: string; readonly path: string }[] };
}

export interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly envFrom?: readonly object[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly privileged?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  };
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
}

/** Kinds of volumes that the restricted Pod Security Standard allows. */
const allowedVolumes = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

/**
 * Returns what a manifest's pods violate of the restricted Pod Security Standard, and of our own rules: a read-only root,
 * no service account token, requests and a memory limit. Empty for manifests without pods.
 */
export function podViolations(manifest: Manifest): string[] {
  const spec = manifest.kind === "Pod" ? manifest.spec : manifest.spec?.template?.spec;
  if (spec === undefined) {
    return [];
  }
  const name = `${manifest.kind}/${manifest.metadata.name}`;
  const pod: [boolean, string][] = [
    [spec.automountServiceAccountToken === false, "mounts a service account token"],
    [!spec.hostNetwork && !spec.hostPID && !spec.hostIPC, "shares a namespace with the host"],
    [spec.securityContext?.runAsNonRoot === true, "may run as root"],
    [spec.securityContext?.seccompProfile?.type === "RuntimeDefault", "has no seccomp profile"],
    [
      (spec.volumes ?? []).every((volume) =>
        Object.keys(volume).every((key) => key === "name" || allowedVolumes.includes(key)),
      ),
      "has a volume of a kind that is not restricted",
    ],
    [(spec.containers ?? []).length > 0, "has no container"],
  ];
  const containers = (spec.containers ?? []).flatMap(({ name: container, securityContext, resources }) => {
    const rules: [boolean, string][] = [
      [securityContext?.allowPrivilegeEscalation === false, "may escalate privileges"],
      [securityContext?.readOnlyRootFilesystem === true, "has a writable root"],
      [!securityContext?.privileged, "is privileged"],
      [securityContext?.capabilities?.drop?.includes("ALL") === true, "keeps capabilities"],
      [(securityContext?.capabilities?.add ?? []).length === 0, "adds capabilities"],
      [resources?.requests?.["cpu"] !== undefined && resources.requests["memory"] !== undefined, "requests nothing"],
      [resources?.limits?.["memory"] !== undefined, "has no memory limit"],
    ];
    return rules.filter(([holds]) => !holds).map(([, problem]) => `${name}: container ${container} ${problem}`);
  });
  return [...pod.filter(([holds]) => !holds).map(([, problem]) => `${name} ${problem}`), ...containers];
}
