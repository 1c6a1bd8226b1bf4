#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Which lines the tests of scripts/sanitizers.sh ran, whose build counts them: user space, and the decision core as it is compiled
# natively (tests/fuzz/core.c). Prints percentages by folder and the files that are short of the goal; fails for none of them.
# A process counts when it ends in order: what one did that a test killed by -9 is missing, so this is a lower bound.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly BUILD=build-san GOAL=90
readonly TABLE='
	def sum(title; prefix): [.files[] | select(.filename | startswith(prefix))]
		| {title: title, lines: (map(.line_total) | add // 0), ran: (map(.line_covered) | add // 0)};
	def row: [.ran, .lines, .title] | @tsv;
	sum("user/common"; "user/common/"), sum("user/rainbowctl"; "user/rainbowctl/"), sum("user/rainbowd"; "user/rainbowd/"),
	sum("user space"; "user/"), sum("decision core"; "bpf/"), sum("headers"; "headers/"), sum("total"; "") | row'
readonly SHORT='.files[] | select(.line_total > 0 and .line_covered * 100 < .line_total * $goal)
	| [.line_covered, .line_total, .filename] | @tsv'

rows() { # of "RAN LINES NAME"
	awk -F '\t' '{ printf "  %5.1f %%  %5d of %5d  %s\n", $2 ? 100 * $1 / $2 : 0, $1, $2, $3 }'
}

main() {
	local counts

	[[ -n $(find "$BUILD" -name '*.gcda' -print -quit 2>/dev/null) ]] || scripts/sanitizers.sh
	# Written by processes that may overlap: a damaged count is left out.
	counts=$(gcovr --root . --filter user/ --filter headers/ --filter 'bpf/.*\.h' --gcov-ignore-parse-errors -j 2 --json-summary - \
		--object-directory "$BUILD" "$BUILD")
	printf 'lines that ran, in percent (goal: %d)\n' "$GOAL"
	jq -r "$TABLE" <<<"$counts" | rows
	printf 'short of the goal:\n'
	jq -r --argjson goal "$GOAL" "$SHORT" <<<"$counts" | rows | sort -n
}

main
