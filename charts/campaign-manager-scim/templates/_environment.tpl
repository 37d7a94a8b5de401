{{- /* A setting's name in values to its name in the environment. */ -}}
{{- define "campaign-manager-scim.variable" -}}
{{- . | snakecase | upper -}}
{{- end -}}

{{- /* Which secrets a part of the service is given, by their names in values, separated by spaces. */ -}}
{{- define "campaign-manager-scim.secretNames" -}}
{{- if eq .component "migration" -}}
databaseUrl
{{- else if eq .component "reconciler" -}}
databaseUrl campaignManagerToken encryptionKey otelExporterOtlpHeaders
{{- else -}}
databaseUrl campaignManagerToken encryptionKey otelExporterOtlpHeaders scimToken operatorToken
{{- end -}}
{{- end -}}

{{- /* The secrets of a part of the service, as JSON: the migration may have a database URL of its own. */ -}}
{{- define "campaign-manager-scim.secrets" -}}
{{- $own := .root.Values.migration.databaseUrl -}}
{{- if and (eq .component "migration") $own.existingSecret -}}
{{- dict "databaseUrl" $own | toJson -}}
{{- else -}}
{{- .root.Values.secrets | toJson -}}
{{- end -}}
{{- end -}}

{{- define "campaign-manager-scim.secretEnvironment" -}}
{{- $secrets := include "campaign-manager-scim.secrets" . | fromJson -}}
{{- range splitList " " (include "campaign-manager-scim.secretNames" .) }}
{{- if (get $secrets .).existingSecret }}
- name: {{ include "campaign-manager-scim.variable" . }}_FILE
  value: /etc/campaign-manager-scim/secrets/{{ include "campaign-manager-scim.variable" . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "campaign-manager-scim.secretsVolume" -}}
{{- $secrets := include "campaign-manager-scim.secrets" . | fromJson -}}
- name: secrets
  projected:
    # 0440; YAML's versions disagree about octal numbers.
    defaultMode: 288
    sources:
      {{- range splitList " " (include "campaign-manager-scim.secretNames" .) }}
      {{- $secret := get $secrets . }}
      {{- if $secret.existingSecret }}
      - secret:
          name: {{ $secret.existingSecret }}
          items:
            - key: {{ $secret.key }}
              path: {{ include "campaign-manager-scim.variable" . }}
      {{- end }}
      {{- end }}
{{- end -}}

{{- /* Nothing for null, and numbers by way of JSON: a template would write a million as 1e+06. */ -}}
{{- define "campaign-manager-scim.settingText" -}}
{{- if kindIs "slice" . -}}{{ join "," . }}{{- else if kindIs "string" . -}}{{ . }}{{- else if not (kindIs "invalid" .) -}}{{ toJson . }}{{- end -}}
{{- end -}}

{{- define "campaign-manager-scim.settingsEnvironment" -}}
{{- $settings := merge (dict "publicUrl" (include "campaign-manager-scim.publicUrl" .)) (omit .Values.settings "publicUrl") -}}
{{- range $key, $value := $settings }}
{{- with include "campaign-manager-scim.settingText" $value }}
- name: {{ include "campaign-manager-scim.variable" $key }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "campaign-manager-scim.serviceEnvironment" -}}
{{- $root := .root -}}
- name: NODE_ENV
  value: {{ $root.Values.production | ternary "production" "development" }}
- name: HOST
  value: {{ $root.Values.listenAddress | quote }}
- name: PORT
  value: {{ $root.Values.ports.http | int | quote }}
- name: METRICS_PORT
  value: {{ $root.Values.ports.metrics | int | quote }}
- name: HTTP
  value: {{ eq .component "reconciler" | ternary "off" "on" | quote }}
- name: RECONCILE
  value: {{ and (eq .component "api") (eq $root.Values.mode "split") | ternary "off" "on" | quote }}
{{- include "campaign-manager-scim.settingsEnvironment" $root }}
{{- if include "campaign-manager-scim.schemaExtensionsConfigMap" $root }}
- name: SCHEMA_EXTENSIONS
  value: /etc/campaign-manager-scim/schema-extensions/schema-extensions.json
{{- end }}
{{- end -}}

{{- /* The ConfigMap with the operator's attributes; empty when there are none. */ -}}
{{- define "campaign-manager-scim.schemaExtensionsConfigMap" -}}
{{- with .Values.schemaExtensions -}}
{{- if .declarations -}}
{{ include "campaign-manager-scim.fullname" $ }}-schema-extensions
{{- else -}}
{{ .existingConfigMap | default "" }}
{{- end -}}
{{- end -}}
{{- end -}}
