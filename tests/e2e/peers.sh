#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The comparison in short: every contender routes (each answer is checked against its request and its version), no row moves or
# loses a session of rainbow or refuses it a new one, and the tables are written. Its figures mean nothing and are not judged.
# Takes 40 s.
source "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

result() { # JQ-FILTER over all results
	jq -sr "$1" "$work/results.jsonl"
}

((EUID == 0)) || skip 'needs root'
part 'a short run'
printf 'before\n<!-- bench-peers: begin -->\nold\n<!-- bench-peers: end -->\nbehind\n' >"$work/comparison.md"
code=0
"$LAB_ROOT/scripts/bench-peers.sh" --quick --output "$work/comparison.md" --results "$work/results.jsonl" || code=$?
((code != 77)) || exit 77 # it has said why
expect_eq 'exit code of the short run' "$code" 0

part 'behaviour'
for row in weights drain reload crash flood; do
	expect_eq "$row: sessions, moved, lost" \
		"$(result ".[] | select(.row == \"$row\" and .contender == \"rainbow-tc\") | [.sessions, .moved, .lost, .shown] | @csv")" \
		100,0,0,100
done
expect_eq 'new sessions that a flood refused or ended' \
	"$(result '.[] | select(.row == "flood_fresh" and .contender == "rainbow-tc") | .refused + .fresh_lost')" 0
expect_ne 'new sessions beside the flood' \
	"$(result '.[] | select(.row == "flood_fresh" and .contender == "rainbow-tc") | .opened')" 0
# That the harness can see a loss: a proxy can not outlive itself.
expect_eq 'sessions that HAProxy loses when it is killed' \
	"$(result '.[] | select(.row == "crash" and .contender == "haproxy") | .lost')" 100

part 'the figures are there'
for contender in direct rainbow-tc nftables haproxy; do
	expect_eq "$contender: rows without a figure above 0" \
		"$(result "[\"requests\", \"request_p50\", \"request_cpu\", \"alone_p50\", \"connects\", \"connect_cpu\", \"up\", \"down\",
			\"syn_cpu\"] - [.[] | select(.contender == \"$contender\" and .round and .value > 0) | .row] | @csv")" ''
done

part 'the tables'
expect_eq 'what is around the markers' "$(sed -n '1p;$p' "$work/comparison.md" | paste -sd' ')" 'before behind'
expect_eq 'the old tables' "$(grep -c '^old$' "$work/comparison.md" || true)" 0
expect_match 'the new tables' "$(<"$work/comparison.md")" 'requests a second .*kill -9 and restart'
