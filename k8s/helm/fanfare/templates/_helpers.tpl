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
