{{- define "fanfare.labels" -}}
app.kubernetes.io/name: fanfare
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "fanfare.redisLabels" -}}
app.kubernetes.io/name: fanfare-redis
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "fanfare.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "fanfare.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end }}

{{- define "fanfare.metadata" -}}
name: {{ .Release.Name }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "fanfare.labels" . | nindent 2 }}
{{- end }}

{{- /* Whether the Service of clients is seen from outside the cluster: the API and metrics then have their own. */ -}}
{{- define "fanfare.exposed" -}}
{{- if ne .Values.service.type "ClusterIP" }}yes{{ end }}
{{- end }}

{{- /* A probe's request, of this path. */ -}}
{{- define "fanfare.probe" -}}
{{- $probes := .root.Values.probes -}}
httpGet:
  path: {{ .path }}
  port: {{ $probes.port }}
  {{- if $probes.scheme }}
  scheme: {{ $probes.scheme }}
  {{- else if and .root.Values.tls.secret (eq $probes.port "http") }}
  scheme: HTTPS
  {{- end }}
{{- end }}

{{- /* How one node after the other goes and comes: for the autoscaler, whoever makes it. */ -}}
{{- define "fanfare.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - type: Percent
      value: 100
      periodSeconds: 60
scaleDown:
  stabilizationWindowSeconds: 600
  policies:
    - type: Pods
      value: 1
      periodSeconds: {{ .Values.autoscaling.scaleDownSeconds }}
{{- end }}
