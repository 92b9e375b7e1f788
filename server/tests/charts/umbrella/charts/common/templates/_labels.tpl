{{- define "common.labels" -}}
app: {{ .name }}
release: {{ .root.Release.Name }}
{{- end }}
