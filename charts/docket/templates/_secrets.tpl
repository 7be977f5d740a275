{{/*
The Secrets that a target reads, as JSON `{"items": […]}`, each mounted as a folder by its name: the Secret's name, which
of its keys become which files, and the settings with the paths of the files. Argument: `root` and `target`, which is all,
topics or a target.
*/}}
{{- define "docket.secrets" -}}
{{- $values := .root.Values -}}
{{- $target := .target -}}
{{- $isFront := has $target (list "all" "gateway") -}}
{{- $items := list -}}
{{- if has $target (list "all" "operations") -}}
{{- $items = append $items (dict "name" "admin-key" "secret" $values.adminKey.existingSecret "files" (dict "value" $values.adminKey.key) "settings" (dict "DOCKET_ADMIN_KEY_FILE" "value")) -}}
{{- end -}}
{{- if and $values.database.existingSecret (not (has $target (list "gateway" "topics"))) -}}
{{- $items = append $items (dict "name" "database" "secret" $values.database.existingSecret "files" (dict "value" $values.database.key) "settings" (dict "DOCKET_DATABASE_URL_FILE" "value")) -}}
{{- end -}}
{{- if and $values.serviceSecret.existingSecret (ne $target "topics") -}}
{{- $files := dict "value" $values.serviceSecret.key -}}
{{- $settings := dict "DOCKET_SERVICE_SECRET_FILE" "value" -}}
{{- with $values.serviceSecret.acceptedKey -}}
{{- $_ := set $files "accepted" . -}}
{{- $_ := set $settings "DOCKET_SERVICE_SECRET_ACCEPTED_FILE" "accepted" -}}
{{- end -}}
{{- $items = append $items (dict "name" "service-secret" "secret" $values.serviceSecret.existingSecret "files" $files "settings" $settings) -}}
{{- end -}}
{{- if and $values.sandboxSecret.existingSecret (has $target (list "all" "payment" "logistics" "sandbox")) -}}
{{- $items = append $items (dict "name" "sandbox-secret" "secret" $values.sandboxSecret.existingSecret "files" (dict "value" $values.sandboxSecret.key) "settings" (dict "DOCKET_SANDBOX_SECRET_FILE" "value")) -}}
{{- end -}}
{{- if and $values.redis.existingSecret (ne $target "topics") -}}
{{- $items = append $items (dict "name" "redis" "secret" $values.redis.existingSecret "files" (dict "value" $values.redis.key) "settings" (dict "DOCKET_REDIS_URL_FILE" "value")) -}}
{{- end -}}
{{- if and $values.kafka.tls.existingSecret (include "docket.hasEvents" $target) -}}
{{- $files := dict "ca.crt" "ca.crt" -}}
{{- $settings := dict "DOCKET_KAFKA_TLS_CA_FILE" "ca.crt" -}}
{{- if $values.kafka.tls.clientCertificate -}}
{{- $files = dict "ca.crt" "ca.crt" "tls.crt" "tls.crt" "tls.key" "tls.key" -}}
{{- $settings = dict "DOCKET_KAFKA_TLS_CA_FILE" "ca.crt" "DOCKET_KAFKA_TLS_CERT_FILE" "tls.crt" "DOCKET_KAFKA_TLS_KEY_FILE" "tls.key" -}}
{{- end -}}
{{- $items = append $items (dict "name" "kafka-tls" "secret" $values.kafka.tls.existingSecret "files" $files "settings" $settings) -}}
{{- end -}}
{{- if and $values.kafka.sasl.existingSecret (include "docket.hasEvents" $target) -}}
{{- $items = append $items (dict "name" "kafka-password" "secret" $values.kafka.sasl.existingSecret "files" (dict "value" $values.kafka.sasl.key) "settings" (dict "DOCKET_KAFKA_SASL_PASSWORD_FILE" "value")) -}}
{{- end -}}
{{- if and $values.tls.existingSecret $isFront -}}
{{- $items = append $items (dict "name" "tls" "secret" $values.tls.existingSecret "files" (dict "tls.crt" "tls.crt" "tls.key" "tls.key") "settings" (dict "DOCKET_TLS_CERT_FILE" "tls.crt" "DOCKET_TLS_KEY_FILE" "tls.key")) -}}
{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end -}}

{{/* Mounts of a target's Secrets. Whole folders, because a file that is mounted by subPath never changes. */}}
{{- define "docket.secretMounts" -}}
{{- range (include "docket.secrets" . | fromJson).items }}
- name: {{ .name }}
  mountPath: /run/docket/{{ .name }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "docket.secretVolumes" -}}
{{- range (include "docket.secrets" . | fromJson).items }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range $file, $key := .files }}
      - key: {{ $key }}
        path: {{ $file }}
      {{- end }}
{{- end }}
{{- end -}}
