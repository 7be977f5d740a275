{{/*
Refuses values that install and then fail, or lose data. Each message names the value and what to set it to.
Types and names are checked before, by values.schema.json.
*/}}
{{- define "docket.guards" -}}
{{- $values := .Values -}}
{{- if not $values.adminKey.existingSecret -}}
{{- fail (printf "adminKey.existingSecret is not set: create one with `kubectl create secret generic docket-admin-key --from-literal=%s=$(openssl rand -hex 32)` and set adminKey.existingSecret=docket-admin-key" $values.adminKey.key) -}}
{{- end -}}
{{- if gt (int $values.replicas) 1 -}}
{{- fail (printf "replicas is %d, but one process owns the embedded storage and the event bus: set replicas to 1" (int $values.replicas)) -}}
{{- end -}}
{{- $least := include "docket.leastGracePeriod" . | int -}}
{{- if lt (include "docket.gracePeriod" . | int) $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, but preStop (%d s), the drain budget (%d s) and 5 s to end need %d: raise it or lower drain.budgetSeconds" (include "docket.gracePeriod" . | int) (int $values.drain.preStopSeconds) (int $values.drain.budgetSeconds) $least) -}}
{{- end -}}
{{- if gt (mul 2 $values.drain.windowSeconds | int) (int $values.drain.budgetSeconds) -}}
{{- fail (printf "drain.windowSeconds is %d, more than half of drain.budgetSeconds (%d): calls in flight need the other half" (int $values.drain.windowSeconds) (int $values.drain.budgetSeconds)) -}}
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
{{- if $values.production -}}
{{- if not $values.image.digest -}}
{{- fail (printf "production needs the image by digest, because the tag %q can be moved: set image.digest to sha256:…" (default .Chart.AppVersion $values.image.tag)) -}}
{{- end -}}
{{- if and (not $values.persistence.enabled) (not $values.database.existingSecret) -}}
{{- fail "production needs storage that outlives the pod: set persistence.enabled to true, or database.existingSecret" -}}
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
