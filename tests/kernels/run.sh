#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Inside a machine of scripts/check-kernels.sh: runs the tests of the file `plan`, one at a time. One line for each; of one that
# failed, the end of its log, or where the verifier refused a program, the end of what the verifier said.
set -uo pipefail

cd /rainbow || exit 1
export BUILD=build LAB_PATIENCE=5
readonly KERNEL=$1 LIMIT=400 LOG_LINES=40 SKIPPED=77
passed=0 failed=0 skipped=0

report() { # WORD NAME TENTHS [REASON]
	printf '%-8s %-6s %-28s %4d.%d s%s\n' "$1" "$KERNEL" "$2" $(($3 / 10)) $(($3 % 10)) "${4:+  ($4)}"
}

command_of() { # NAME
	case $1 in
	e2e/*) printf 'tests/%s.sh' "$1" ;;
	*) printf 'build/tests/%s' "$1" ;;
	esac
}

# Each of many cases tells of the same refusal: the first one does.
show_log() { # LOG
	local refusal

	refusal=$(grep -an -m 1 'END PROG LOAD LOG' "$1" | cut -d: -f1)
	if [[ -n $refusal ]]; then
		echo '    | the verifier refused a program; the end of its log:'
		head -n "$refusal" "$1" | tail -n "$LOG_LINES"
		tail -n 5 "$1"
	else
		tail -n "$LOG_LINES" "$1"
	fi | cut -c 1-300 | sed '/^    |/!s/^/    | /'
}

run() { # NAME
	local began=${EPOCHREALTIME/./} code=0 took reason log=/tmp/log

	timeout -k 5 "$LIMIT" "$(command_of "$1")" >"$log" 2>&1 </dev/null || code=$?
	took=$(((${EPOCHREALTIME/./} - began) / 100000))
	if ((code == 0)); then
		report ok "$1" "$took"
		passed=$((passed + 1))
	elif ((code != SKIPPED)); then
		reason="exit code $code"
		((code != 124 && code != 137)) || reason="still running after $LIMIT s"
		report FAILED "$1" "$took" "$reason"
		failed=$((failed + 1))
		show_log "$log"
	fi
	while read -r reason; do
		report skipped "$1" "$took" "${reason#skipped: }"
		skipped=$((skipped + 1))
	done < <(grep -a '^skipped: ' "$log" || { ((code != SKIPPED)) || echo 'no reason given'; })
}

case $(uname -r) in
"$KERNEL".*) ;;
*)
	echo "FAILED   $KERNEL: this is $(uname -r)"
	failed=1
	;;
esac
while read -r name; do
	run "$name"
done <tests/kernels/plan
printf 'kernel %s: %d passed, %d failed, %d skipped\n' "$KERNEL" "$passed" "$failed" "$skipped"
