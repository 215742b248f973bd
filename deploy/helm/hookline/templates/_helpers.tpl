{{- define "hookline.name" -}}
{{- if contains "hookline" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-hookline" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "hookline.selector" -}}
app.kubernetes.io/name: hookline
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hookline.labels" -}}
{{ include "hookline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "hookline.secret" -}}
{{ .Values.auth.existingSecret | default (include "hookline.name" .) }}
{{- end }}

{{- /* The variables that are no secrets, as name and value. */}}
{{- define "hookline.env" -}}
- {name: HL_STORE_BACKEND, value: postgres}
- {name: HL_STORE_POOL_SIZE, value: {{ .Values.store.poolSize | quote }}}
- {name: HL_DATA_DIR, value: {{ .Values.store.dataDir | quote }}}
- {name: HL_TENANT_ID, value: {{ .Values.auth.tenantId | quote }}}
- {name: HL_SINGLE_TENANT, value: {{ .Values.auth.singleTenant | quote }}}
- {name: HL_LISTEN_ADDR, value: {{ .Values.api.listenAddr | quote }}}
- {name: HL_PORT, value: {{ .Values.api.port | quote }}}
- {name: HL_PUBLIC_URL, value: {{ .Values.api.publicUrl | quote }}}
- {name: HL_ALLOWED_HOSTS, value: {{ .Values.api.allowedHosts | quote }}}
- {name: HL_MAX_QUEUE_DEPTH, value: {{ .Values.delivery.maxQueueDepth | int64 | quote }}}
- {name: HL_MAX_PAYLOAD_BYTES, value: {{ .Values.delivery.maxPayloadBytes | int64 | quote }}}
- {name: HL_EGRESS_ALLOW, value: {{ .Values.delivery.egressAllow | quote }}}
- {name: HL_RETENTION_SECS, value: {{ .Values.retention.secs | int64 | quote }}}
- {name: HL_COMPACT_INTERVAL_MS, value: {{ .Values.retention.compactIntervalMs | int64 | quote }}}
- {name: HL_DRAIN_SECS, value: {{ .Values.drainSecs | quote }}}
{{- with .Values.delivery.workers }}
- {name: HL_DELIVERY_WORKERS, value: {{ . | int64 | quote }}}
{{- end }}
{{- range $name, $value := .Values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "hookline.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "hookline.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "hookline.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "hookline.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: {{ .Values.store.dataDir }}}
{{- end }}

{{- define "hookline.volumes" -}}
- {name: tmp, emptyDir: {}}
- {name: data, emptyDir: {}}
{{- end }}

{{- /* A Deployment of one kind of process: (dict "root" $ "kind" "web" "pods" .Values.web "container" "…"). */}}
{{- define "hookline.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "hookline.name" .root }}-{{ .kind }}
  labels:
    {{- include "hookline.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
spec:
  {{- if not (dig "autoscaling" "enabled" false .pods) }}
  replicas: {{ .pods.replicas | default 1 }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "hookline.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .kind }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels:
        {{- include "hookline.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .kind }}
      annotations:
        checksum/secret: {{ include (print .root.Template.BasePath "/secret.yaml") .root | sha256sum }}
        {{- with .pods.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ add .root.Values.drainSecs 15 }}
      securityContext:
        {{- include "hookline.podSecurity" .root | nindent 8 }}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .kind }}
          image: {{ include "hookline.image" .root | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          {{- .container | nindent 10 }}
          env:
            {{- include "hookline.env" .root | nindent 12 }}
          envFrom:
            - secretRef: {name: {{ include "hookline.secret" .root }}}
          securityContext:
            {{- include "hookline.containerSecurity" .root | nindent 12 }}
          resources:
            {{- toYaml .pods.resources | nindent 12 }}
          volumeMounts:
            {{- include "hookline.mounts" .root | nindent 12 }}
      volumes:
        {{- include "hookline.volumes" .root | nindent 8 }}
      {{- with .pods.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .pods.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .pods.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}

{{- /* What goes with a Deployment of several pods. */}}
{{- define "hookline.scaling" -}}
{{- if .pods.autoscaling.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "hookline.name" .root }}-{{ .kind }}
  labels:
    {{- include "hookline.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "hookline.name" .root }}-{{ .kind }}}
  minReplicas: {{ .pods.autoscaling.minReplicas }}
  maxReplicas: {{ .pods.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .pods.autoscaling.targetCPUUtilizationPercentage }}}
{{- end }}
{{- if .pods.podDisruptionBudget }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "hookline.name" .root }}-{{ .kind }}
  labels:
    {{- include "hookline.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "hookline.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .kind }}
{{- end }}
{{- end }}
