{{- define "fairlead.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* Of everything the release makes; just the release's name where that says fairlead already. */ -}}
{{- define "fairlead.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "fairlead.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "fairlead.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Cluster-scoped names carry the namespace too, so that two releases never fight over one. */ -}}
{{- define "fairlead.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "fairlead.fullname" .) -}}
{{- end -}}

{{- define "fairlead.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "fairlead.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name must be given where serviceAccount.create is false: name the ServiceAccount the controller runs as" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "fairlead.agentName" -}}
{{- printf "%s-agent" (include "fairlead.fullname" . | trunc 57 | trimSuffix "-") -}}
{{- end -}}

{{- define "fairlead.agentServiceAccountName" -}}
{{- if .Values.agent.serviceAccount.create -}}
{{- default (include "fairlead.agentName" .) .Values.agent.serviceAccount.name -}}
{{- else -}}
{{- required "agent.serviceAccount.name must be given where agent.serviceAccount.create is false: name the ServiceAccount the agents run as" .Values.agent.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "fairlead.selectorLabels" -}}
app.kubernetes.io/name: {{ include "fairlead.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "fairlead.agentSelectorLabels" -}}
app.kubernetes.io/name: {{ include "fairlead.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "fairlead.labels" -}}
{{ include "fairlead.selectorLabels" . }}
{{ include "fairlead.chartLabels" . }}
{{- end -}}

{{- define "fairlead.agentLabels" -}}
{{ include "fairlead.agentSelectorLabels" . }}
{{ include "fairlead.chartLabels" . }}
{{- end -}}

{{- define "fairlead.chartLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "fairlead.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* As JSON, names of Secrets by namespace; an empty list stands for all of the namespace. */ -}}
{{- define "fairlead.tokenSecrets" -}}
{{- $all := dict -}}
{{- range .Values.tokenSecrets -}}
{{- $names := .names | default list -}}
{{- if hasKey $all .namespace -}}
{{- $known := get $all .namespace -}}
{{- $_ := set $all .namespace (and $known $names | ternary (concat $known $names) list) -}}
{{- else -}}
{{- $_ := set $all .namespace $names -}}
{{- end -}}
{{- end -}}
{{- range .Values.balancerClasses -}}
{{- with (.hetznerCloud).tokenSecretRef -}}
{{- if not (hasKey $all .namespace) -}}
{{- $_ := set $all .namespace (list .name) -}}
{{- else if get $all .namespace -}}
{{- $_ := set $all .namespace (append (get $all .namespace) .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- /* Fails where values that are fine one by one make no sense together, or in a way no schema says clearly. */ -}}
{{- define "fairlead.checks" -}}
{{- if and (gt (int .Values.replicaCount) 1) (not .Values.controller.leaderElect) -}}
{{- fail "replicaCount must be 1 where controller.leaderElect is false: several controllers without a Lease would work against each other" -}}
{{- end -}}
{{- $schedule := .Values.controller.auditSchedule -}}
{{- if not (regexMatch (include "fairlead.cronPattern" .) $schedule) -}}
{{- fail (printf "controller.auditSchedule %q is no cron expression: write minute, hour, day, month and weekday, such as \"*/10 * * * *\", or six fields with seconds first" $schedule) -}}
{{- end -}}
{{- with .Values.agent -}}
{{- if and .enabled (eq .rules "full") (not .apiServer.host) -}}
{{- fail "agent.apiServer.host must be given where agent.rules is full: name the address by which nodes reach the API server, since without kube-proxy nobody carries Service kubernetes before the agents do" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What node-cron takes, without its rarer signs (L, W, #): five or six fields, each a list of *, numbers or ranges, with steps. */ -}}
{{- define "fairlead.cronPattern" -}}
{{- $sixty := "[0-5]?[0-9]" -}}
{{- $day := "0?[1-9]|[12][0-9]|3[01]" -}}
{{- $month := "0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)" -}}
{{- $weekday := "[0-7]|(?i:sun|mon|tue|wed|thu|fri|sat)" -}}
{{- $fields := list -}}
{{- range list $sixty "[01]?[0-9]|2[0-3]" $day $month $weekday -}}
{{- $one := printf `(\*(/[1-9][0-9]?)?|(%s)|(%s)-(%s)(/[1-9][0-9]?)?)` . . . -}}
{{- $fields = append $fields (printf "%s(,%s)*" $one $one) -}}
{{- end -}}
{{- $seconds := first $fields -}}
^\s*((({{ $seconds }})\s+)?{{ join `\s+` $fields }}|@(yearly|annually|monthly|weekly|daily|midnight|hourly))\s*$
{{- end -}}
