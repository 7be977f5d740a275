{{/*
Refuses values that install and then fail, or lose data. Each message names the value and what to set it to.
Types and names are checked before, by values.schema.json.
*/}}
{{- define "docket.guards" -}}
{{- $values := .Values -}}
{{- if not $values.adminKey.existingSecret -}}
{{- fail (printf "adminKey.existingSecret is not set: create one with `kubectl create secret generic docket-admin-key --from-literal=%s=$(openssl rand -hex 32)` and set adminKey.existingSecret=docket-admin-key" $values.adminKey.key) -}}
{{- end -}}
{{- if eq $values.mode "distributed" -}}
{{- include "docket.distributedGuards" . -}}
{{- else -}}
{{- include "docket.standaloneGuards" . -}}
{{- end -}}
{{- include "docket.kafkaGuards" . -}}
{{- $least := include "docket.leastGracePeriod" . | int -}}
{{- if lt (include "docket.gracePeriod" . | int) $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, but preStop (%d s), the drain budget (%d s) and 5 s to end need %d: raise it or lower drain.budgetSeconds" (include "docket.gracePeriod" . | int) (int $values.drain.preStopSeconds) (int $values.drain.budgetSeconds) $least) -}}
{{- end -}}
{{- if gt (mul 2 $values.drain.windowSeconds | int) (int $values.drain.budgetSeconds) -}}
{{- fail (printf "drain.windowSeconds is %d, more than half of drain.budgetSeconds (%d): calls in flight need the other half" (int $values.drain.windowSeconds) (int $values.drain.budgetSeconds)) -}}
{{- end -}}
{{- if $values.production -}}
{{- if not $values.image.digest -}}
{{- fail (printf "production needs the image by digest, because the tag %q can be moved: set image.digest to sha256:…" (default .Chart.AppVersion $values.image.tag)) -}}
{{- end -}}
{{- end -}}
{{- if and $values.tls.existingSecret (not (hasPrefix "https://" $values.publicUrl)) -}}
{{- fail "tls.existingSecret needs publicUrl: set it to the https address that the certificate is for" -}}
{{- end -}}
{{- range $mount := $values.extraVolumeMounts -}}
{{- range $volume := $values.extraVolumes -}}
{{- if and (eq $volume.name $mount.name) (or $mount.subPath $mount.subPathExpr) (or $volume.configMap $volume.secret $volume.projected) -}}
{{- fail (printf "extraVolumeMounts: %s is mounted by subPath, which never shows a change of the ConfigMap or Secret: mount the folder and name the file in it" $mount.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $variable := $values.extraEnv -}}
{{- if hasPrefix "DOCKET_" $variable.name -}}
{{- fail (printf "extraEnv: %s belongs into config, or is set by the chart: see the table of values" $variable.name) -}}
{{- end -}}
{{- end -}}
{{- range $kind := list "httpRoute" "grpcRoute" -}}
{{- $route := index $values $kind -}}
{{- if and $route.enabled (not $route.parentRefs) -}}
{{- fail (printf "%s.parentRefs is empty: name the Gateway that it belongs to, `[{name: …}]`" $kind) -}}
{{- end -}}
{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) -}}
{{- fail "ingress.hosts is empty: name the hosts that it serves" -}}
{{- end -}}
{{- end -}}

{{- define "docket.standaloneGuards" -}}
{{- $values := .Values -}}
{{- if gt (int $values.replicas) 1 -}}
{{- fail (printf "replicas is %d, but one process owns the embedded storage and the event bus: set replicas to 1, or mode to distributed" (int $values.replicas)) -}}
{{- end -}}
{{- if $values.pdb.enabled -}}
{{- $keep := $values.pdb.minAvailable | toString -}}
{{- if and (ne $keep "<nil>") (ne $keep "") (ne $keep "0") (ne $keep "0%") -}}
{{- fail (printf "pdb.minAvailable is %s, which blocks every drain of a node while there is one pod: set pdb.minAvailable to null and pdb.maxUnavailable to 1" (include "docket.text" $values.pdb.minAvailable)) -}}
{{- end -}}
{{- if has ($values.pdb.maxUnavailable | toString) (list "0" "0%" "<nil>" "") -}}
{{- fail "pdb.maxUnavailable allows no pod to go, which blocks every drain of a node: set pdb.maxUnavailable to 1" -}}
{{- end -}}
{{- end -}}
{{- if and $values.production (not $values.persistence.enabled) (not $values.database.existingSecret) -}}
{{- fail "production needs storage that outlives the pod: set persistence.enabled to true, or database.existingSecret" -}}
{{- end -}}
{{- end -}}

{{- define "docket.distributedGuards" -}}
{{- $values := .Values -}}
{{- if not $values.database.existingSecret -}}
{{- fail (printf "mode distributed needs a database, because SQLite has one writer: create a Secret with `kubectl create secret generic docket-database --from-literal=%s=mysql://…` and set database.existingSecret=docket-database" $values.database.key) -}}
{{- end -}}
{{- if not $values.kafka.brokers -}}
{{- fail "mode distributed needs Kafka, which carries events between the pods: set kafka.brokers to addresses such as {kafka-1:9092,kafka-2:9092}" -}}
{{- end -}}
{{- if not $values.serviceSecret.existingSecret -}}
{{- fail (printf "mode distributed needs a secret with which services authenticate each other: create one with `kubectl create secret generic docket-service --from-literal=%s=$(openssl rand -hex 32)` and set serviceSecret.existingSecret=docket-service" $values.serviceSecret.key) -}}
{{- end -}}
{{- if and (include "docket.hasSandbox" .) (not $values.sandboxSecret.existingSecret) -}}
{{- fail (printf "mode distributed needs the sandbox's secret, the same in several pods: create one with `kubectl create secret generic docket-sandbox --from-literal=%s=$(openssl rand -hex 32)` and set sandboxSecret.existingSecret=docket-sandbox, or use other providers and carriers in config" $values.sandboxSecret.key) -}}
{{- end -}}
{{- if ne (int $values.replicas) 1 -}}
{{- fail (printf "replicas is %d, which is of mode standalone: set targetDefaults.replicas, or replicas of single targets" (int $values.replicas)) -}}
{{- end -}}
{{- if $values.pdb.enabled -}}
{{- fail "pdb.enabled is of mode standalone: set targetDefaults.pdb, or pdb of single targets" -}}
{{- end -}}
{{- if $values.persistence.storageClass -}}
{{- fail "persistence is of mode standalone: no pod has a volume where the data is in the database; remove persistence" -}}
{{- end -}}
{{- range $item := (include "docket.targets" . | fromJson).items -}}
{{- include "docket.targetGuards" $item -}}
{{- end -}}
{{- range $target, $own := mergeOverwrite (dict "targetDefaults" $values.targetDefaults) (deepCopy $values.targets) -}}
{{- range $name := list "DOCKET_PAYMENT_PROVIDERS" "DOCKET_CARRIERS" "DOCKET_KAFKA_PREFIX" "DOCKET_KAFKA_PARTITIONS" "DOCKET_KAFKA_REPLICATION" "DOCKET_KAFKA_RETENTION" "DOCKET_REDIS_PREFIX" "DOCKET_REDIS_CLUSTER" -}}
{{- if hasKey (default dict $own.config) $name -}}
{{- fail (printf "%s.config: %s must be the same in all pods: set it in config" (ternary $target (printf "targets.%s" $target) (eq $target "targetDefaults")) $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Argument: an item of docket.targets. */}}
{{- define "docket.targetGuards" -}}
{{- $least := ternary .autoscaling.minReplicas .replicas .autoscaling.enabled | int -}}
{{- $what := ternary "autoscaling.minReplicas" "replicas" .autoscaling.enabled -}}
{{- if and (eq .target "sandbox") (or .autoscaling.enabled (gt (int .replicas) 1)) -}}
{{- fail "targets.sandbox has one process: set its replicas to 1 and its autoscaling.enabled to false" -}}
{{- end -}}
{{- if and .pdb.enabled (le $least (int .pdb.minAvailable)) -}}
{{- fail (printf "targets.%s: pdb.minAvailable is %d with %s %d, which blocks every drain of a node: set %s to %d or more, or pdb.enabled to false" .target (int .pdb.minAvailable) $what $least $what (add 1 .pdb.minAvailable | int)) -}}
{{- end -}}
{{- if .autoscaling.enabled -}}
{{- if lt (int .autoscaling.maxReplicas) $least -}}
{{- fail (printf "targets.%s: autoscaling.maxReplicas is %d, fewer than autoscaling.minReplicas (%d): raise it" .target (int .autoscaling.maxReplicas) $least) -}}
{{- end -}}
{{- if not (dig "requests" "cpu" "" .resources) -}}
{{- fail (printf "targets.%s: autoscaling measures CPU in parts of the request: set resources.requests.cpu" .target) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "docket.kafkaGuards" -}}
{{- $kafka := .Values.kafka -}}
{{- if and $kafka.tls.existingSecret (not $kafka.tls.enabled) -}}
{{- fail "kafka.tls.existingSecret is set, but brokers are connected to without TLS: set kafka.tls.enabled to true" -}}
{{- end -}}
{{- if and $kafka.tls.clientCertificate (not $kafka.tls.existingSecret) -}}
{{- fail "kafka.tls.clientCertificate needs kafka.tls.existingSecret: a Secret with ca.crt, tls.crt and tls.key" -}}
{{- end -}}
{{- $sasl := list $kafka.sasl.mechanism $kafka.sasl.username $kafka.sasl.existingSecret | compact | len -}}
{{- if and (ne $sasl 0) (ne $sasl 3) -}}
{{- fail "kafka.sasl: mechanism, username and existingSecret go together: set all or none" -}}
{{- end -}}
{{- if and (not $kafka.brokers) (or $kafka.tls.enabled $sasl) -}}
{{- fail "kafka.tls and kafka.sasl have no effect without kafka.brokers: set these" -}}
{{- end -}}
{{- end -}}
