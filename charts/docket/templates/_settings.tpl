{{/* The settings of an item, as a map of texts. Argument: `root` and `item`. */}}
{{- define "docket.settings" -}}
{{- $values := .root.Values -}}
{{- $target := .item.target -}}
{{- $isDistributed := eq $values.mode "distributed" -}}
DOCKET_HOST: "0.0.0.0"
{{- if has $target (list "all" "gateway") }}
DOCKET_HTTP_PORT: "8080"
{{- end }}
DOCKET_GRPC_PORT: "9090"
DOCKET_OPS_HOST: "0.0.0.0"
DOCKET_OPS_PORT: "8081"
# A folder below the volume, which the program makes and closes to others.
DOCKET_DATA_DIR: /data/docket
{{- if $isDistributed }}
DOCKET_SERVICES: {{ $target }}
DOCKET_SERVICE_ADDRESSES: {{ include "docket.addresses" .root | quote }}
{{- if ne $target "gateway" }}
# The gateway sends the client's address.
DOCKET_TRUSTED_PROXIES: {{ append $values.podNetworks (get $values.config "DOCKET_TRUSTED_PROXIES") | compact | join "," | quote }}
{{- end }}
{{- if and (ne $target "gateway") (not (hasKey .item.config "DOCKET_GRPC_CONNECTION_AGE")) }}
# Clients look a name up again when they reconnect: this is how long a new pod may have no calls.
DOCKET_GRPC_CONNECTION_AGE: 10m
{{- end }}
{{- if and (include "docket.hasSandbox" .root) (not (hasKey .item.config "DOCKET_SANDBOX_URL")) }}
DOCKET_SANDBOX_URL: {{ include "docket.frontUrl" .root | quote }}
{{- end }}
{{- end }}
DOCKET_PUBLIC_URL: {{ default (ternary (include "docket.internalUrl" .root) "http://127.0.0.1:8080" $isDistributed) $values.publicUrl | quote }}
DOCKET_DRAIN_WINDOW: {{ printf "%ds" (int $values.drain.windowSeconds) | quote }}
DOCKET_DRAIN_BUDGET: {{ printf "%ds" (int $values.drain.budgetSeconds) | quote }}
{{- with $values.kafka.brokers }}
DOCKET_KAFKA_BROKERS: {{ join "," . | quote }}
{{- end }}
{{- if and $values.kafka.brokers (include "docket.hasEvents" $target) }}
{{- if $values.kafka.tls.enabled }}
DOCKET_KAFKA_TLS: "true"
{{- end }}
{{- with $values.kafka.sasl.mechanism }}
DOCKET_KAFKA_SASL_MECHANISM: {{ . | quote }}
DOCKET_KAFKA_SASL_USERNAME: {{ $values.kafka.sasl.username | quote }}
{{- end }}
{{- end }}
{{- range $secret := (include "docket.secrets" (dict "root" .root "target" $target) | fromJson).items }}
{{- range $setting, $file := $secret.settings }}
{{ $setting }}: /run/docket/{{ $secret.name }}/{{ $file }}
{{- end }}
{{- end }}
{{- $skipped := ternary (list "DOCKET_TRUSTED_PROXIES") list (and $isDistributed (ne $target "gateway")) }}
{{- range $name, $value := .item.config }}
{{- if not (has $name $skipped) }}
{{ $name }}: {{ include "docket.text" $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* gRPC addresses of the services: names that resolve to all of their ready pods. */}}
{{- define "docket.addresses" -}}
{{- $addresses := list -}}
{{- range (include "docket.targets" . | fromJson).items -}}
{{- if ne .target "gateway" -}}
{{- $addresses = append $addresses (printf "%s=%s.%s.svc:9090" .target .name $.Release.Namespace) -}}
{{- end -}}
{{- end -}}
{{- join "," $addresses -}}
{{- end -}}
