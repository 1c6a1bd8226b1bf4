#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Measures: ns per packet beside two floors (tests/bench/bench.c), then rainbowd with a million sessions in its pins: how long
# set-weight takes to return, and a restart to be ready. In namespaces of its own. `make bench` builds what it needs. There is no
# pass or fail: goals stand beside the numbers, and only the ratios within one run mean something.
#
#   bench.sh [--sessions N]     (default 1000000)
set -euo pipefail

# shellcheck source=tests/lab/ns.sh
source "$(dirname "$0")/../tests/lab/ns.sh"

sessions=1000000
if [[ ${1:-} == --sessions ]]; then
	sessions=$2
fi
bench=$LAB_BUILD/tests/bench/bench

if (($(id -u) != 0)); then
	echo 'skipped: the benchmark loads BPF programs and needs root'
	exit 0
fi

line() { # WHAT VALUE GOAL
	printf '%-44s %-40s %s\n' "$1" "$2" "$3"
}

# The median and the largest of the numbers on stdin, in ms.
summary() {
	sort -n | awk '{ v[NR] = $1 } END { printf "%.2f ms at the median, %.2f at most", v[int((NR + 1) / 2)], v[NR] }'
}

# One PUT as rainbowctl sends it, without the start of a process: from the request to the last byte of the answer, in ms.
put_weights() { # JSON
	curl --silent --show-error --fail --unix-socket "$LAB_DIR/rainbow.sock" --request PUT --header 'Content-Type: application/json' \
		--data "{\"weights\":$1}" --output /dev/null --write-out '%{time_starttransfer} %{time_pretransfer}\n' \
		http://localhost/v1/services/chat/weights | awk '{ print ($1 - $2) * 1000 }'
}

set_weights() { # HOW-MANY
	local i

	for ((i = 0; i < $1; i++)); do
		put_weights "{\"v1\":$((i % 99 + 1)),\"v2\":$((99 - i % 99))}"
	done
}

now_ms() {
	echo $((${EPOCHREALTIME//[.,]/} / 1000))
}

# Sets `took`, in ms. Not from a subshell: the lab would lose the new daemon's pid.
restart() { # KILL|TERM
	local begin

	lab_end rainbowd "$1"
	begin=$(now_ms)
	lab_rainbowd_start tc --max-sessions "$((sessions + sessions / 16))"
	took=$(($(now_ms) - begin))
}

"$bench"
printf '\nrainbowd\n'
lab_up two-sided --backends 2 >/dev/null
lab_rainbowd_start tc --max-sessions "$((sessions + sessions / 16))"
lab_ctl service add chat "$LAB_SERVICE4:80" --idle-timeout 24h >/dev/null
lab_ctl version add chat v1 --backend "$(lab_backend 1):8080" >/dev/null
lab_ctl version add chat v2 --backend "$(lab_backend 2):8080" >/dev/null
line 'set-weight, no session' "$(set_weights 100 | summary)" 'at most 2 ms at the median'
"$bench" fill "$LAB_PINS" 1 1 1 "$sessions"
line "set-weight, $sessions sessions" "$(set_weights 100 | summary)" '... and independent of the sessions'
restart TERM
line 'restart to ready, behind an orderly end' "$took ms" 'at most 1000 ms'
restart KILL
line 'restart to ready, behind kill -9' "$took ms" 'at most 1000 ms'
line 'sessions counted behind that' "$(lab_ctl status chat -o json | jq '[.services[].versions[].sessions.live] | add')" "$sessions"
