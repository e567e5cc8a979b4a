#!/usr/bin/env bash
# Builds the pinned Kubernetes components that tests and benchmarks run against; see README.md beside this file.
# The last line on stdout is the folder with the binaries; progress goes to stderr.
set -euo pipefail

# The order is that of need: what `startCluster` runs comes first.
all=(kube-apiserver etcd kubectl kube-controller-manager kube-proxy coredns helm)

say() { printf '%s\n' "$*" >&2; }
fail() {
	say "build.sh: $*"
	exit 1
}

package_of() {
	case $1 in
		kube-apiserver | kubectl | kube-controller-manager | kube-proxy) echo "k8s.io/kubernetes/cmd/$1" ;;
		etcd) echo go.etcd.io/etcd/server/v3 ;;
		coredns) echo ./coredns ;;
		helm) echo helm.sh/helm/v4/cmd/helm ;;
		*) return 1 ;;
	esac
}

has_all() {
	local folder=$1 component
	shift
	for component; do [ -x "$folder/$component" ] || return 1; done
}

wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=("${all[@]}")
for component in "${wanted[@]}"; do
	package_of "$component" >/dev/null || fail "unknown component '$component'; known are: ${all[*]}"
done

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
	if has_all "$KUBEBUILDER_ASSETS" "${wanted[@]}"; then
		echo "$KUBEBUILDER_ASSETS"
		exit
	fi
	say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks some of: ${wanted[*]}; using the cache instead"
fi

cd "$(dirname "${BASH_SOURCE[0]}")"
# test/support/cluster-binaries.ts finds the folder by the same rule.
key=$(cat go.mod go.sum coredns/main.go build.sh | sha256sum | cut -c1-16)
folder=${XDG_CACHE_HOME:-${HOME:?is not set; set it or XDG_CACHE_HOME}/.cache}/fairlead/kubernetes/$key

if has_all "$folder" "${wanted[@]}"; then
	echo "$folder"
	exit
fi

command -v go >/dev/null || fail "Go is needed to build ${wanted[*]}; install the Go named in $PWD/go.mod or newer"
export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0

mkdir -p "$folder"
exec 9>"$folder/.lock"
if ! flock --nonblock 9; then
	say "another build is at work in $folder; waiting for it"
	flock 9
fi
# Only a killed build leaves these, and the lock says that none is running.
rm -rf "$folder"/.building-*
building=$(mktemp -d "$folder/.building-XXXXXX")
trap 'rm -rf "$building"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The version a module is pinned to in go.mod.
version_of() { go list -mod=readonly -m -f '{{.Version}}' "$1" 9>&-; }

# Released binaries get their version from the linker; without these flags kube-apiserver calls itself v0.0.0-master.
version_flags() {
	local version major minor package
	case $1 in
		kube*)
			version=$(version_of k8s.io/kubernetes)
			IFS=. read -r major minor _ <<<"${version#v}"
			for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
				printf -- '-X %s.gitVersion=%s -X %s.gitMajor=%s -X %s.gitMinor=%s -X %s.gitCommit= ' \
					"$package" "$version" "$package" "$major" "$package" "$minor" "$package"
			done
			;;
		helm) printf -- '-X helm.sh/helm/v4/internal/version.version=%s' "$(version_of helm.sh/helm/v4)" ;;
	esac
}

for component in "${wanted[@]}"; do
	if [ -x "$folder/$component" ]; then continue; fi
	flags=$(version_flags "$component")
	say "building $component"
	started=$SECONDS
	# Go does not get the lock's descriptor: a compiler that outlives a killed script must not hold the lock.
	go build -mod=readonly -buildvcs=false -trimpath -ldflags "-s -w $flags" -o "$building/$component" "$(package_of "$component")" >&2 9>&-
	mv "$building/$component" "$folder/$component"
	say "built $component in $((SECONDS - started)) s"
done

echo "$folder"
