#!/usr/bin/env bash
# Builds main.go and installs life.py's library, both pinned here, into the cache. The last line on stdout is the folder:
# `life` is the Go program, `python/bin/python life.py` the Python one. Progress goes to stderr.
set -euo pipefail

fail() {
	printf 'build.sh: %s\n' "$*" >&2
	exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")"
# test/support/hetzner-clients.ts finds the folder by the same rule.
key=$(cat go.mod go.sum main.go requirements.txt build.sh | sha256sum | cut -c1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/fairlead/hetzner-clients/$key

if [ ! -e "$folder/done" ]; then
	command -v go >/dev/null || fail "Go is needed; install the Go named in $PWD/go.mod or newer"
	command -v python3 >/dev/null || fail "Python 3 with venv is needed"
	mkdir -p "$folder"
	exec 9>"$folder/.lock"
	flock 9
	if [ ! -e "$folder/done" ]; then
		GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags '-s -w' -o "$folder/life" . >&2 9>&-
		rm -rf "$folder/python"
		python3 -m venv "$folder/python" >&2
		"$folder/python/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt >&2
		touch "$folder/done"
	fi
fi

echo "$folder"
