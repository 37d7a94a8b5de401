{{- define "campaign-manager-scim.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 42 | trimSuffix "-" -}}
{{- end -}}

{{- /* 42 characters leave room for "-schema-extensions" and the like in a name of 63. */ -}}
{{- define "campaign-manager-scim.fullname" -}}
{{- $name := include "campaign-manager-scim.name" . -}}
{{- $own := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $own .Values.fullnameOverride | trunc 42 | trimSuffix "-" -}}
{{- end -}}

{{- /* The alerts know the service by the end of its job's name. */ -}}
{{- define "campaign-manager-scim.job" -}}
{{- $fullname := include "campaign-manager-scim.fullname" . -}}
{{- hasSuffix "campaign-manager-scim" $fullname | ternary $fullname (printf "%s-campaign-manager-scim" $fullname) -}}
{{- end -}}

{{- define "campaign-manager-scim.serviceAccountName" -}}
{{- $own := .Values.serviceAccount.create | ternary (include "campaign-manager-scim.fullname" .) "default" -}}
{{- default $own .Values.serviceAccount.name -}}
{{- end -}}

{{- /* The service's own account is no hook, and does not exist yet when the migration is installed. */ -}}
{{- define "campaign-manager-scim.migrationServiceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ include "campaign-manager-scim.fullname" . }}-migration
{{- else -}}
{{ include "campaign-manager-scim.serviceAccountName" . }}
{{- end -}}
{{- end -}}

{{- define "campaign-manager-scim.image" -}}
{{- with .Values.image -}}
{{- .repository -}}
{{- if .digest -}}@{{ .digest }}{{- else -}}:{{ default $.Chart.AppVersion .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What the pods of the service have in common; those of the migration have another name. */ -}}
{{- define "campaign-manager-scim.selectorLabels" -}}
app.kubernetes.io/name: {{ include "campaign-manager-scim.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "campaign-manager-scim.migrationSelectorLabels" -}}
app.kubernetes.io/name: {{ include "campaign-manager-scim.name" . }}-migration
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "campaign-manager-scim.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* Labels as text, those that values say added. Arguments: the labels as text, and dictionaries, of which the later wins. */ -}}
{{- define "campaign-manager-scim.withLabels" -}}
{{- $labels := first . | fromYaml -}}
{{- range rest . }}{{ range $label, $value := . }}{{ $_ := set $labels $label $value }}{{ end }}{{ end -}}
{{- toYaml $labels -}}
{{- end -}}

{{- define "campaign-manager-scim.labels" -}}
{{- $own := print (include "campaign-manager-scim.selectorLabels" .) "\n" (include "campaign-manager-scim.commonLabels" .) -}}
{{- include "campaign-manager-scim.withLabels" (list $own .Values.commonLabels) -}}
{{- end -}}

{{- define "campaign-manager-scim.migrationLabels" -}}
{{- $own := print (include "campaign-manager-scim.migrationSelectorLabels" .) "\n" (include "campaign-manager-scim.commonLabels" .) -}}
{{- include "campaign-manager-scim.withLabels" (list $own .Values.commonLabels (dict "app.kubernetes.io/component" "migration")) -}}
{{- end -}}

{{- /* The address that Entra calls, without /scim/v2; empty when nothing here says it: a host with a wildcard is none. */ -}}
{{- define "campaign-manager-scim.publicUrl" -}}
{{- $hosts := list -}}
{{- if .Values.ingress.enabled }}{{ $hosts = concat $hosts (.Values.ingress.hosts | default list) }}{{ end -}}
{{- if .Values.httpRoute.enabled }}{{ $hosts = concat $hosts (.Values.httpRoute.hostnames | default list) }}{{ end -}}
{{- $host := "" -}}
{{- range $hosts -}}
{{- if not (or $host (hasPrefix "*" .)) }}{{ $host = . }}{{ end -}}
{{- end -}}
{{- if .Values.settings.publicUrl -}}
{{- .Values.settings.publicUrl | trimSuffix "/" | trimSuffix "/scim/v2" -}}
{{- else if $host -}}
https://{{ $host }}
{{- end -}}
{{- end -}}
