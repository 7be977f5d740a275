{{/*
What the release runs, as JSON `{"items": […]}`. Standalone: one item with all targets. Distributed: one for each target;
the sandbox only where a payment provider or a carrier is the sandbox, as in services/host/targets.ts.
*/}}
{{- define "docket.targets" -}}
{{- $values := .Values -}}
{{- $fullname := include "docket.fullname" . -}}
{{- $items := list -}}
{{- if eq $values.mode "standalone" -}}
{{- $items = append $items (dict "target" "all" "component" "server" "name" $fullname "replicas" $values.replicas "resources" $values.resources "config" $values.config "pdb" (omit $values.pdb "minAvailable")) -}}
{{- else -}}
{{- range $target := list "order" "payment" "logistics" "inventory" "operations" "sandbox" "gateway" -}}
{{- if or (ne $target "sandbox") (include "docket.hasSandbox" $) -}}
{{- $own := mergeOverwrite (deepCopy $values.targetDefaults) (deepCopy (default dict (get $values.targets $target))) -}}
{{- $resources := mergeOverwrite (deepCopy $values.resources) $own.resources -}}
{{- $config := mergeOverwrite (deepCopy $values.config) $own.config -}}
{{- $items = append $items (mergeOverwrite $own (dict "target" $target "component" $target "name" (printf "%s-%s" $fullname $target) "resources" $resources "config" $config)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end -}}

{{/* Not empty where a payment provider or a carrier is the sandbox. */}}
{{- define "docket.hasSandbox" -}}
{{- range $name := list "DOCKET_PAYMENT_PROVIDERS" "DOCKET_CARRIERS" -}}
{{- range splitList "," (get $.Values.config $name | default "sandbox") -}}
{{- if eq (trim .) "sandbox" -}}yes{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Not empty where a target publishes or consumes events. The gateway and the sandbox know only that the others do. */}}
{{- define "docket.hasEvents" -}}
{{- if not (has . (list "gateway" "sandbox")) -}}yes{{- end -}}
{{- end -}}

{{/* The component that clients call. */}}
{{- define "docket.front" -}}
{{- ternary "server" "gateway" (eq .Values.mode "standalone") -}}
{{- end -}}

{{/* Labels by which Services, policies and workloads find the pods of an item. Argument: `root` and `item`. */}}
{{- define "docket.itemSelector" -}}
app.kubernetes.io/name: {{ include "docket.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .item.component }}
{{- end -}}

{{/* Labels by which all servers of the release are found, but not the pods of its hooks. */}}
{{- define "docket.serverSelector" -}}
app.kubernetes.io/name: {{ include "docket.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: {{ include "docket.name" . }}
{{- end -}}

{{/* Labels of the objects of an item. Argument: `root` and `item`. */}}
{{- define "docket.itemLabels" -}}
{{ include "docket.commonLabels" .root }}
app.kubernetes.io/component: {{ .item.component }}
{{- end -}}
