{{/* Labels that never change, for selectors. The argument is the component's name. */}}
{{- define "todo.selector" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: todo-chatbot
{{- end }}

{{/* All labels of a component's objects. */}}
{{- define "todo.labels" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/component: {{ . }}
app.kubernetes.io/part-of: todo-chatbot
{{- end }}
