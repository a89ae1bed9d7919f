{{- /*
Files that come from Secrets: each Secret is a volume below /run/secrets/fanfare, and the variables of the environment
that name its files beat the configuration.
*/ -}}
{{- define "fanfare.secretEnv" -}}
{{- $files := "/run/secrets/fanfare" -}}
{{- with .Values.tls }}
{{- if .secret }}
- name: FANFARE_TLS__CERT
  value: {{ $files }}/tls/tls.crt
- name: FANFARE_TLS__KEY
  value: {{ $files }}/tls/tls.key
{{- end }}
{{- end }}
{{- with .Values.redis.tls }}
{{- if .secret }}
{{- with .ca }}
- name: FANFARE_REDIS__CA
  value: {{ $files }}/redis/{{ . }}
{{- end }}
{{- with .cert }}
- name: FANFARE_REDIS__CLIENT_CERT
  value: {{ $files }}/redis/{{ . }}
{{- end }}
{{- with .key }}
- name: FANFARE_REDIS__CLIENT_KEY
  value: {{ $files }}/redis/{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.publicKeys }}
{{- if .secret }}
{{- $paths := list }}
{{- range .keys }}
{{- $paths = append $paths (printf "%s%s/keys/%s" (ternary (printf "%s=" .kid) "" (not (empty .kid))) $files .key) }}
{{- end }}
- name: FANFARE_AUTH__PUBLIC_KEYS
  value: {{ join "," $paths | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The Secrets by the names of their volumes. */ -}}
{{- define "fanfare.secrets" -}}
{{- dict "tls" .Values.tls.secret "redis" .Values.redis.tls.secret "keys" .Values.publicKeys.secret | toJson }}
{{- end }}

{{- define "fanfare.secretMounts" -}}
{{- range $name, $secret := include "fanfare.secrets" . | fromJson }}
{{- if $secret }}
- name: {{ $name }}
  mountPath: /run/secrets/fanfare/{{ $name }}
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "fanfare.secretVolumes" -}}
{{- range $name, $secret := include "fanfare.secrets" . | fromJson }}
{{- if $secret }}
- name: {{ $name }}
  secret:
    secretName: {{ $secret }}
{{- end }}
{{- end }}
{{- end }}
