#!/usr/bin/env bash
# Run the README's two commands as somebody on a fresh machine does, and report what they take.
#
#     tests/fresh.sh            both commands, with nothing but the public package index: no local wheels, no kept downloads
#     tests/fresh.sh --short    the first command, with this machine's settings of pip: what CI runs
#
# Clones the commit that is checked out into a temporary folder and empties the environment. KEEP=1 leaves the folder.
# --short works in this clone instead if nothing is installed in it yet: it is fresh itself, and is installed once.
# Needs 10 GB of disk where only PyTorch's CUDA build can be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

short=${1:-}
[[ -z $short || $short == --short ]] || { echo "usage: tests/fresh.sh [--short]" >&2; exit 1; }
place=$(mktemp -d "${TMPDIR:-/tmp}/gpt2forge-fresh.XXXXXX")
remove() { chmod -R u+w "$place" && rm -rf "$place"; }
[[ -n ${KEEP:-} ]] && echo "keeps $place" || trap remove EXIT
chmod 755 "$place" # as a home folder's clone has it: some tests start processes of other users
mkdir "$place/home" "$place/downloads"
clone=$PWD
[[ $short && ! -e .venv ]] || { clone=$place/clone && git clone --quiet . "$clone"; }

# What is kept says how the network is reached, and which Python `make` takes.
kept=(PATH="$PATH" LANG=C.UTF-8 HOME="$place/home")
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE PIP_CERT PIP_INDEX_URL TORCH_INDEX; do
  [[ -n ${!name:-} ]] && kept+=("$name=${!name}")
done
if [[ $short ]]; then
  kept+=(HOME="$HOME" PIP_FIND_LINKS="${PIP_FIND_LINKS:-}" PIP_CACHE_DIR="${PIP_CACHE_DIR:-$HOME/.cache/pip}")
else
  kept+=(PIP_CONFIG_FILE=/dev/null PIP_CACHE_DIR="$place/downloads")
fi

megabytes() { du -sm "$@" | awk '{sum += $1} END {print sum}'; }
# What the machine received, as pip's folder of downloads stays empty where an index forbids to keep them (Linux alone).
received() {
  awk 'NR > 2 {sub(/^ */, ""); split($0, part, /[: ]+/); if (part[1] != "lo") sum += part[2]}
       END {printf "%d", sum / 1e6}' /proc/net/dev
}

try() { # run one command of the README in the clone; report its seconds and megabytes
  local began=$SECONDS before=""
  [[ $short || ! -r /proc/net/dev ]] || before=$(received)
  echo "== $*"
  (cd "$clone" && env -i "${kept[@]}" "$@")
  local downloaded="downloads not counted"
  [[ -z ${before:-} ]] || downloaded="$(($(received) - before)) MB received"
  results+=("$(printf '%-36s %5d s, %s, %d MB on the disk' "$*" $((SECONDS - began)) "$downloaded" "$(megabytes "$clone")")")
}

results=()
try make build RECIPE=nano-cpu-int8
[[ $short ]] || try make test
printf '%s\n' "== what a fresh machine takes" "${results[@]}"
