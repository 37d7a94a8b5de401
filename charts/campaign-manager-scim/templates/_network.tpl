{{- /* Anywhere: addresses outside, and pods, which some network plugins do not count among addresses. Never the link-local
       ones, where clouds keep their metadata and credentials. */ -}}
{{- define "campaign-manager-scim.anywhere" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: [169.254.0.0/16]
- ipBlock:
    cidr: ::/0
    except: [fe80::/10, fd00:ec2::/32]
- namespaceSelector: {}
{{- end -}}

{{- /* The port that a URL says, or means. */ -}}
{{- define "campaign-manager-scim.portOf" -}}
{{- $url := urlParse . -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (eq $url.scheme "http" | ternary "80" "443") -}}
{{- end -}}

{{- /* Arguments: peers, port, and the url that says the port otherwise. */ -}}
{{- define "campaign-manager-scim.destination" -}}
- to:
    {{- .peers | empty | ternary (include "campaign-manager-scim.anywhere" .) (toYaml .peers) | nindent 4 }}
  ports:
    - { protocol: TCP, port: {{ if .port }}{{ int .port }}{{ else }}{{ include "campaign-manager-scim.portOf" .url }}{{ end }} }
{{- end -}}

{{- define "campaign-manager-scim.egress" -}}
{{- $policy := .root.Values.networkPolicy -}}
{{- $settings := .root.Values.settings -}}
{{- $collector := $settings.otelExporterOtlpTracesEndpoint | default $settings.otelExporterOtlpEndpoint -}}
- to:
    {{- toYaml $policy.dnsPeers | nindent 4 }}
  ports:
    {{- range $policy.dnsPorts }}
    - { protocol: UDP, port: {{ int . }} }
    - { protocol: TCP, port: {{ int . }} }
    {{- end }}
{{ include "campaign-manager-scim.destination" $policy.postgres }}
{{- if ne .component "migration" }}
{{- if $settings.campaignManagerUrl }}
{{ include "campaign-manager-scim.destination" (merge (dict "url" $settings.campaignManagerUrl) $policy.campaignManager) }}
{{- end }}
{{ include "campaign-manager-scim.destination" (merge (dict "url" $settings.entraAuthority) $policy.entra) }}
{{- if and $collector (not $settings.otelSdkDisabled) }}
{{ include "campaign-manager-scim.destination" (merge (dict "url" $collector) $policy.collector) }}
{{- end }}
{{- end }}
{{- with $policy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
