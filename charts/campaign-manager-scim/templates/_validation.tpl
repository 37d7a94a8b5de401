{{- /* Combinations that cannot work. The schema bounds single values; this is about several at once. */ -}}
{{- define "campaign-manager-scim.validate" -}}
{{- include "campaign-manager-scim.validateSettings" . -}}
{{- include "campaign-manager-scim.validateExtras" . -}}
{{- include "campaign-manager-scim.validateExposure" . -}}
{{- include "campaign-manager-scim.validateScaling" . -}}
{{- include "campaign-manager-scim.validateMonitoring" . -}}
{{- end -}}

{{- define "campaign-manager-scim.validateSettings" -}}
{{- $values := .Values -}}
{{- if not $values.secrets.databaseUrl.existingSecret -}}
{{- fail "secrets.databaseUrl.existingSecret: name the Secret with the URL of Postgres; the embedded database is not in the image" -}}
{{- end -}}
{{- if not $values.settings.campaignManagerUrl -}}
{{- if $values.production -}}
{{- fail "settings.campaignManagerUrl: must be set; production=true refuses the bundled sandbox" -}}
{{- end -}}
{{- if or (eq $values.mode "split") $values.api.autoscaling.enabled (gt (int $values.api.replicas) 1) -}}
{{- fail "settings.campaignManagerUrl: every process has a bundled sandbox of its own, so without it there must be one: mode=combined, api.replicas=1 and no autoscaling" -}}
{{- end -}}
{{- end -}}
{{- if and $values.production (not $values.secrets.scimToken.existingSecret) (not $values.secrets.scimToken.notNeeded) -}}
{{- fail "secrets.scimToken.existingSecret: production=true refuses to start without any credential; name a Secret, or set secrets.scimToken.notNeeded=true once the database holds one" -}}
{{- end -}}
{{- if eq (int $values.ports.http) (int $values.ports.metrics) -}}
{{- fail (printf "ports.metrics: must not be the same as ports.http (%d)" (int $values.ports.http)) -}}
{{- end -}}
{{- range $values.settings.protectedRoles -}}
{{- if eq (lower .) (lower $values.settings.placeholderRole) -}}
{{- fail (printf "settings.protectedRoles: must not contain settings.placeholderRole (%s)" $values.settings.placeholderRole) -}}
{{- end -}}
{{- if contains "," . -}}
{{- fail (printf "settings.protectedRoles: a role's name must not contain a comma (%s)" .) -}}
{{- end -}}
{{- end -}}
{{- if and $values.schemaExtensions.declarations $values.schemaExtensions.existingConfigMap -}}
{{- fail "schemaExtensions: declarations and existingConfigMap are mutually exclusive" -}}
{{- end -}}
{{- end -}}

{{- define "campaign-manager-scim.validateExtras" -}}
{{- $values := .Values -}}
{{- $reserved := dict "HOST" "listenAddress" "PORT" "ports.http" "METRICS_PORT" "ports.metrics" "HTTP" "mode" "RECONCILE" "mode" "NODE_ENV" "production" "SCHEMA_EXTENSIONS" "schemaExtensions" -}}
{{- range $key := keys $values.settings -}}
{{- $_ := set $reserved (include "campaign-manager-scim.variable" $key) (print "settings." $key) -}}
{{- end -}}
{{- range $key := keys $values.secrets -}}
{{- $variable := include "campaign-manager-scim.variable" $key -}}
{{- $_ := set $reserved $variable (printf "secrets.%s.existingSecret" $key) -}}
{{- $_ := set $reserved (print $variable "_FILE") (printf "secrets.%s.existingSecret" $key) -}}
{{- end -}}
{{- range $values.extraEnv -}}
{{- if hasKey $reserved .name -}}
{{- fail (printf "extraEnv: must not set %s; use %s" .name (get $reserved .name)) -}}
{{- end -}}
{{- end -}}
{{- range $values.extraVolumes -}}
{{- if has .name (list "tmp" "secrets" "schema-extensions") -}}
{{- fail (printf "extraVolumes: the name %s is the chart's own" .name) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "commonLabels" "podLabels" -}}
{{- range $label, $_ := get $values $name | default dict -}}
{{- if has $label (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component") -}}
{{- fail (printf "%s: must not set %s, by which the pods are found" $name $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (not $values.serviceAccount.create) $values.serviceAccount.annotations -}}
{{- fail "serviceAccount.annotations: have no effect on a ServiceAccount that the chart does not create" -}}
{{- end -}}
{{- if lt (int $values.drain.terminationGracePeriodSeconds) (add (int $values.drain.preStopSleepSeconds) 10) -}}
{{- fail (printf "drain.terminationGracePeriodSeconds: must be at least drain.preStopSleepSeconds + 10 (%d), or the service is killed before it has stopped" (add (int $values.drain.preStopSleepSeconds) 10)) -}}
{{- end -}}
{{- end -}}

{{- define "campaign-manager-scim.validateExposure" -}}
{{- $values := .Values -}}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) -}}
{{- fail "ingress.hosts: name at least one host; an Ingress without one answers for every name" -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs: name the Gateway; a route without one is attached to nothing" -}}
{{- end -}}
{{- if and (or $values.ingress.enabled $values.httpRoute.enabled) (not $values.publicPaths) -}}
{{- fail "publicPaths: name at least one path, or nothing is let through" -}}
{{- end -}}
{{- if $values.networkPolicy.enabled -}}
{{- if not $values.networkPolicy.gatewayPeers -}}
{{- fail "networkPolicy.gatewayPeers: name who may reach the HTTP port, or nobody can" -}}
{{- end -}}
{{- $addresses := false -}}
{{- range $values.networkPolicy.gatewayPeers }}{{ if .ipBlock }}{{ $addresses = true }}{{ end }}{{ end -}}
{{- if and (ne $values.service.type "ClusterIP") (not $addresses) -}}
{{- fail (printf "networkPolicy.gatewayPeers: service.type=%s is for callers outside the cluster, who are no pods; name their addresses, or those of the load balancer or the nodes, as an ipBlock" $values.service.type) -}}
{{- end -}}
{{- if not $values.networkPolicy.dnsPeers -}}
{{- fail "networkPolicy.dnsPeers: say where DNS is; a rule without peers would allow everything" -}}
{{- end -}}
{{- if and (or $values.serviceMonitor.enabled $values.podMonitor.enabled) (not $values.networkPolicy.prometheusPeers) -}}
{{- fail "networkPolicy.prometheusPeers: name who may reach the metrics port, or Prometheus cannot" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "campaign-manager-scim.validateScaling" -}}
{{- $values := .Values -}}
{{- $scaling := $values.api.autoscaling -}}
{{- if $scaling.enabled -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "api.autoscaling: minReplicas (%d) must not be above maxReplicas (%d)" (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if not (or $scaling.targetCPUUtilizationPercentage $scaling.targetMemoryUtilizationPercentage) -}}
{{- fail "api.autoscaling: needs targetCPUUtilizationPercentage or targetMemoryUtilizationPercentage" -}}
{{- end -}}
{{- $requests := dig "requests" (dict) ($values.api.resources | default dict) -}}
{{- range $resource, $percent := dict "cpu" $scaling.targetCPUUtilizationPercentage "memory" $scaling.targetMemoryUtilizationPercentage -}}
{{- if and $percent (not (hasKey $requests $resource)) -}}
{{- fail (printf "api.resources.requests.%s: must be set, because api.autoscaling is a percentage of it" $resource) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $fewest := $scaling.enabled | ternary (int $scaling.minReplicas) (int $values.api.replicas) -}}
{{- include "campaign-manager-scim.validateBudget" (dict "part" "api" "budget" $values.api.podDisruptionBudget "fewest" $fewest) -}}
{{- if and (eq $values.mode "split") (gt (int $values.reconciler.replicas) 0) -}}
{{- include "campaign-manager-scim.validateBudget" (dict "part" "reconciler" "budget" $values.reconciler.podDisruptionBudget "fewest" (int $values.reconciler.replicas)) -}}
{{- end -}}
{{- end -}}

{{- define "campaign-manager-scim.validateBudget" -}}
{{- $path := printf "%s.podDisruptionBudget" .part -}}
{{- if .budget.enabled -}}
{{- $stay := include "campaign-manager-scim.settingText" .budget.minAvailable -}}
{{- $go := include "campaign-manager-scim.settingText" .budget.maxUnavailable -}}
{{- if and (ne $stay "") (ne $go "") -}}
{{- fail (printf "%s: minAvailable and maxUnavailable are mutually exclusive; set the other one to ''" $path) -}}
{{- end -}}
{{- if and (eq $stay "") (eq $go "") -}}
{{- fail (printf "%s: needs minAvailable or maxUnavailable" $path) -}}
{{- end -}}
{{- $kept := trimSuffix "%" $stay | default "0" | atoi -}}
{{- if hasSuffix "%" $stay -}}
{{- /* Kubernetes rounds up. */ -}}
{{- $kept = div (add (mul $kept .fewest) 99) 100 -}}
{{- end -}}
{{- if or (regexMatch "^0+%?$" $go) (ge (int $kept) (int .fewest)) -}}
{{- fail (printf "%s: no pod of %d could ever be evicted, so no node could be drained; allow one, or disable it" $path (int .fewest)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "campaign-manager-scim.milliseconds" -}}
{{- $sum := 0 -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 -}}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | atoi) (get $units (regexFind "[a-z]+" .))) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{- define "campaign-manager-scim.validateMonitoring" -}}
{{- $values := .Values -}}
{{- range $name := list "serviceMonitor" "podMonitor" -}}
{{- with get $values $name -}}
{{- $interval := include "campaign-manager-scim.milliseconds" .interval | atoi -}}
{{- $timeout := include "campaign-manager-scim.milliseconds" .scrapeTimeout | atoi -}}
{{- if and .enabled (gt $timeout $interval) -}}
{{- fail (printf "%s.scrapeTimeout: must not be above %s.interval (%s); Prometheus refuses it" $name $name .interval) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $values.serviceMonitor.enabled $values.podMonitor.enabled -}}
{{- fail "serviceMonitor, podMonitor: enable one of them, or every process is counted twice" -}}
{{- end -}}
{{- $alerts := list -}}
{{- range (.Files.Get "files/alerts.yaml" | fromYaml).groups -}}
{{- range .rules -}}{{- $alerts = append $alerts .alert -}}{{- end -}}
{{- end -}}
{{- range $values.prometheusRule.disabledAlerts -}}
{{- if not (has . $alerts) -}}
{{- fail (printf "prometheusRule.disabledAlerts: there is no alert %s" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
