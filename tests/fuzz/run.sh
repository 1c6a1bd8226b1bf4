#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Runs fuzzers, one after the other: each replays its corpus (also without libFuzzer), then goes on to new inputs for a while.
#
#   run.sh [--seconds N] [FUZZER]...     default: 3 seconds each, all of them
#
# Findings are left in $BUILD/fuzz/found/FUZZER/, and the way to keep one as a test is printed. What libFuzzer learns on the way is
# kept in $BUILD/fuzz/learned/FUZZER/, not in the tree; docs/fuzz.md says how the corpus in the tree is made from it.
set -euo pipefail

cd "$(dirname "$0")/../.."
readonly BUILD=${BUILD:-build} CORPUS=tests/fuzz/corpus
seconds=3
names=()

fuzz() { # NAME
	local name=$1 found=$BUILD/fuzz/found/$1 learned=$BUILD/fuzz/learned/$1 log=$BUILD/fuzz/$1.log

	mkdir -p "$found" "$learned"
	"$BUILD/tests/fuzz/$name" >"$log" 2>&1 || { tail -n 30 "$log" && return 1; }
	[[ -z ${SAN:-} ]] || return 0 # with the compiler's own sanitizers the corpus is all that is asked for
	if [[ ! -x $BUILD/fuzz/fuzz_$name ]]; then
		printf 'skipped: %s has no libFuzzer build here; only its corpus was replayed\n' "$name"
		return 0
	fi
	# Its own descendants end with it; -timeout is for one input.
	if timeout -k 5 $((seconds + 60)) "$BUILD/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=20 -max_len=4096 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$found/" "$learned" "$CORPUS/$name" >"$log" 2>&1; then
		printf '%s: %s\n' "$name" "$(grep -a 'Done ' "$log" | tail -n 1)"
		return 0
	fi
	grep -aE -A 25 'ERROR: |runtime error|invariant broken' "$log" | head -n 60 || tail -n 30 "$log"
	printf '%s: a finding. Keep it as a test: cp %s/NAME %s/%s/ and commit it with the fix\n' "$name" "$found" "$CORPUS" "$name"
	return 1
}

main() {
	local name failed=0

	while (($# > 0)); do
		case $1 in
		--seconds) seconds=$2 && shift ;;
		*) names+=("$1") ;;
		esac
		shift
	done
	((${#names[@]} > 0)) || mapfile -t names < <(ls "$CORPUS")
	for name in "${names[@]}"; do
		fuzz "$name" || failed=1
	done
	return "$failed"
}

main "$@"
