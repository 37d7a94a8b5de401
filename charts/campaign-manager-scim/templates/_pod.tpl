{{- /* What api, reconciler and migration have in common. Arguments: root, component, args, and further parts of the container. */ -}}
{{- define "campaign-manager-scim.podSpec" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $service := ne .component "migration" -}}
automountServiceAccountToken: false
# Variables that Kubernetes makes of Services could be taken for settings.
enableServiceLinks: false
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: campaign-manager-scim
    image: {{ include "campaign-manager-scim.image" $root | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    # Not by NODE_OPTIONS alone, as in the image: extraEnv may set another one.
    command: [node, --disable-proto=delete, src/main.ts]
    args: [{{ $service | ternary "serve" "migrate" }}]
    {{- with $values.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    env:
      {{- if $service }}
      {{- include "campaign-manager-scim.serviceEnvironment" . | nindent 6 }}
      {{- end }}
      {{- include "campaign-manager-scim.secretEnvironment" . | trim | nindent 6 }}
      {{- with $values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with .container }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      - name: tmp
        mountPath: /tmp
      - name: secrets
        mountPath: /etc/campaign-manager-scim/secrets
        readOnly: true
      {{- if and $service (include "campaign-manager-scim.schemaExtensionsConfigMap" $root) }}
      - name: schema-extensions
        mountPath: /etc/campaign-manager-scim/schema-extensions
        readOnly: true
      {{- end }}
      {{- with $values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: {{ $values.tmpSizeLimit }}
  {{- include "campaign-manager-scim.secretsVolume" . | nindent 2 }}
  {{- if and $service (include "campaign-manager-scim.schemaExtensionsConfigMap" $root) }}
  - name: schema-extensions
    configMap:
      name: {{ include "campaign-manager-scim.schemaExtensionsConfigMap" $root }}
      items:
        - key: {{ $values.schemaExtensions.key }}
          path: schema-extensions.json
  {{- end }}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "campaign-manager-scim.podMetadata" -}}
{{- $root := .root -}}
labels:
  {{- include "campaign-manager-scim.withLabels" (list (include "campaign-manager-scim.labels" $root) $root.Values.podLabels) | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
{{- $annotations := $root.Values.podAnnotations -}}
{{- if $root.Values.schemaExtensions.declarations -}}
{{- $annotations = merge (dict "checksum/schema-extensions" ($root.Values.schemaExtensions.declarations | toJson | sha256sum)) $annotations -}}
{{- end -}}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "campaign-manager-scim.topologySpread" -}}
{{- $selector := dict "matchLabels" (merge (dict "app.kubernetes.io/component" .component) (include "campaign-manager-scim.selectorLabels" .root | fromYaml)) -}}
{{- with .root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- if .labelSelector }}{{ toYaml . | nindent 4 }}{{ else }}{{ merge (dict "labelSelector" $selector) . | toYaml | nindent 4 }}{{ end }}
  {{- end }}
{{- end }}
{{- end -}}
