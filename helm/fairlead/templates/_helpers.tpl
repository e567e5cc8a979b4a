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

{{- define "fairlead.selectorLabels" -}}
app.kubernetes.io/name: {{ include "fairlead.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "fairlead.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "fairlead.selectorLabels" . }}
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
