{{/*
The pod of a workload: the same for the StatefulSet and for every Deployment, but for settings, Secrets, resources and
the HTTP port. Argument: `root` and `item`.
*/}}
{{- define "docket.podTemplate" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $item := .item -}}
{{- $secretsOf := dict "root" .root "target" .item.target -}}
metadata:
  labels:
    {{- include "docket.itemLabels" . | nindent 4 }}
    app.kubernetes.io/part-of: {{ include "docket.name" $root }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "docket.settings" . | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "docket.serviceAccountName" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "docket.gracePeriod" $root }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- include "docket.podSecurityContext" $root | nindent 4 }}
  containers:
    - name: docket
      image: {{ include "docket.image" $root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      securityContext:
        {{- include "docket.securityContext" $root | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ $item.name }}
      {{- with $values.extraEnv }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- if has $item.target (list "all" "gateway") }}
        - name: http
          containerPort: 8080
        {{- end }}
        - name: grpc
          containerPort: 9090
        - name: ops
          containerPort: 8081
      startupProbe:
        httpGet:
          path: /live
          port: ops
        periodSeconds: 1
        timeoutSeconds: 2
        failureThreshold: 120
      livenessProbe:
        httpGet:
          path: /live
          port: ops
        periodSeconds: 10
        timeoutSeconds: 2
        failureThreshold: 3
      readinessProbe:
        httpGet:
          path: /ready
          port: ops
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- if $values.drain.preStopSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ int $values.drain.preStopSeconds }}
      {{- end }}
      resources:
        {{- toYaml $item.resources | nindent 8 }}
      volumeMounts:
        - name: data
          mountPath: /data
        - name: tmp
          mountPath: /tmp
        {{- with include "docket.secretMounts" $secretsOf }}
        {{- trim . | nindent 8 }}
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: 1Gi
    {{- with include "docket.secretVolumes" $secretsOf }}
    {{- trim . | nindent 4 }}
    {{- end }}
    {{- if or (eq $values.mode "distributed") (not $values.persistence.enabled) }}
    - name: data
      emptyDir: {}
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if eq $values.mode "distributed" }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ $key }}
      maxSkew: 1
      whenUnsatisfiable: {{ $values.topologySpread }}
      labelSelector:
        matchLabels:
          {{- include "docket.itemSelector" $ | nindent 10 }}
      # Pods of the previous version are about to end.
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
  {{- with include "docket.placement" $root }}
  {{- trim . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* On which nodes pods run. */}}
{{- define "docket.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
