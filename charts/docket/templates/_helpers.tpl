{{- define "docket.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "docket.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "docket.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "docket.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "docket.selectorLabels" -}}
app.kubernetes.io/name: {{ include "docket.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ include "docket.front" . }}
{{- end -}}

{{- define "docket.commonLabels" -}}
app.kubernetes.io/name: {{ include "docket.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "docket.labels" -}}
{{ include "docket.commonLabels" . }}
app.kubernetes.io/component: {{ include "docket.front" . }}
{{- end -}}

{{- define "docket.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "docket.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "docket.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Seconds from the end of a pod's life being announced to its SIGKILL, at least. */}}
{{- define "docket.leastGracePeriod" -}}
{{- add .Values.drain.preStopSeconds .Values.drain.budgetSeconds 5 -}}
{{- end -}}

{{- define "docket.gracePeriod" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- int .Values.terminationGracePeriodSeconds -}}
{{- else -}}
{{- max 30 (include "docket.leastGracePeriod" . | int) -}}
{{- end -}}
{{- end -}}

{{/* Where pods of the cluster reach the HTTP port. */}}
{{- define "docket.internalUrl" -}}
{{- printf "%s://%s.%s.svc:%d" (ternary "https" "http" (ne .Values.tls.existingSecret "")) (include "docket.fullname" .) .Release.Namespace (int .Values.service.httpPort) -}}
{{- end -}}

{{/* Where services call the gateway. With TLS at its public address, because the certificate names that. */}}
{{- define "docket.frontUrl" -}}
{{- ternary .Values.publicUrl (include "docket.internalUrl" .) (ne .Values.tls.existingSecret "") -}}
{{- end -}}

{{/* An egress rule to the brokers, at the ports of their addresses. */}}
{{- define "docket.kafkaEgress" -}}
{{- $ports := list -}}
{{- range .Values.kafka.brokers -}}
{{- $ports = append $ports (splitList ":" . | last) -}}
{{- end -}}
- ports:
    {{- range uniq $ports }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
  {{- with .Values.networkPolicy.kafka }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* YAML numbers come as floats, which would be printed as 1e+06. */}}
{{- define "docket.text" -}}
{{- if kindIs "float64" . -}}{{- int64 . -}}{{- else -}}{{- . -}}{{- end -}}
{{- end -}}

{{- define "docket.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "docket.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
