#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P1, one session, one version: 2,000 sessions talk through 100 random weight changes, drains, rollbacks, kill -9, restarts and
# upgrades of rainbowd, while short sessions come and go. None is moved, none is lost.
# Takes 60 s.
source "$(dirname "$0")/lib.sh"

readonly SESSIONS=2000 VERSIONS=3 ACTIONS=100
readonly NEXT=$LAB_BUILD/next/rainbowd # the same with another version number

declare -A done_count=() # by kind, of this run

# Carries the command out. Exit code 5, it does not fit the state, is an answer, too: then nothing was done.
order() { # RAINBOWCTL-ARGUMENTS...
	local code=0 said

	said=$(lab_ctl "$@" 2>&1) || code=$?
	((code == 0 || code == 5)) || fail "rainbowctl $*: exit code $code: $said"
	return $((code != 0))
}

# Random shares for the versions that are active; the last takes the rest.
change_weights() {
	local labels label left=1000 share words=()

	mapfile -t labels < <(json '.services[0].versions[] | select(.state == "active") | .label' status |
		shuf --random-source=<(seeded))
	for label in "${labels[@]:1}"; do
		share=$((RANDOM % (left + 1))) left=$((left - share))
		words+=("$label=$((share / 10)).$((share % 10))")
	done
	order set-weight chat "${words[@]}" "${labels[0]}"
}

restart() { # KILL|TERM BINARY
	lab_end rainbowd "$1"
	LAB_RAINBOWD=$2 lab_rainbowd_start "$HOOK"
}

upgrade() { # KILL|TERM
	if [[ $running == "$NEXT" ]]; then
		running=$LAB_BUILD/rainbowd
	else
		running=$NEXT
	fi
	restart "$1" "$running"
	expect_eq 'the version of rainbowd that runs' "$(json .daemon.version status)" \
		"$("$running" --version | sed 's/^rainbowd //; s/ .*//')"
}

act() { # WHAT
	local label=v$((1 + RANDOM % VERSIONS))

	case $1 in
	weights) change_weights ;;
	drain) order drain chat "$label" --deadline 1h ;;
	undrain) order undrain chat "$label" ;;
	rollback) order rollback chat ;;
	rollback-to) order rollback chat --to "$label" --sessions drain ;;
	hangup) kill -s HUP "${LAB_PID[rainbowd]}" ;;
	kill) restart KILL "$running" ;;
	restart) restart TERM "$running" ;;
	upgrade-dead) upgrade KILL ;;
	upgrade) upgrade TERM ;;
	esac
}

# Of a hundred, so many are of each kind; in random order.
readonly KINDS=(weights:40 drain:15 undrain:15 rollback:8 rollback-to:4 hangup:4 kill:5 restart:3 upgrade-dead:3 upgrade:3)

act_all() {
	local kind what n all=() count=0

	for kind in "${KINDS[@]}"; do
		for ((n = ${kind#*:}; n > 0; n--)); do
			all+=("${kind%:*}")
		done
	done
	expect_eq 'actions' "${#all[@]}" "$ACTIONS"
	for what in $(printf '%s\n' "${all[@]}" | shuf --random-source=<(seeded)); do
		# What does not fit the state is made up for by new weights, which always do.
		act "$what" || { what=weights && act weights; }
		done_count[$what]=$((${done_count[$what]:-0} + 1))
		((++count % 20 != 0)) || check_all
	done
}

seeded() { # bytes enough to shuffle by
	local i

	for ((i = 0; i < 2000; i++)); do
		printf '%04x' "$RANDOM"
	done
}

check_all() {
	expect_eq 'long sessions that live' "$(lab_stat long .live)" "$SESSIONS"
	expect_eq 'sessions moved or lost' "$(lab_stat long '.moved + .lost') $(lab_stat short '.moved + .lost')" '0 0'
}

run() { # TOPOLOGY HOOK OFFLOADS 4|6
	local i

	HOOK=$2 running=$LAB_BUILD/rainbowd done_count=()
	part "$1, $2, IPv$4, seed $E2E_SEED"
	lab_up "$1" --offloads "$3" --backends "$VERSIONS"
	serve_agents "$VERSIONS"
	lab_rainbowd_start "$HOOK"
	add_service chat "$4" "$VERSIONS"
	ctl set-weight chat v1=50 v2=30 v3
	lab_client long --to "$(at_service "$4")" --sessions "$SESSIONS" --rate 2000 --interval 2000 --timeout 20000
	lab_until_stat long 30 ".live == $SESSIONS"
	lab_client short --to "$(at_service "$4")" --sessions 50 --interval 100 --turns 2 --replace --timeout 20000
	act_all
	say "actions: $(declare -p done_count | sed 's/.*(//; s/)//')"
	check_all
	expect_turns long
	for ((i = 1; i <= VERSIONS; i++)); do
		expect_ne "long sessions of v$i" "$(lab_stat long ".versions.v$i.live")" 0
	done
	expect_whole short
	expect_eq 'live sessions in the kernel' "$(live_count)" "$SESSIONS"
	expect_no_drift
	expect_whole long
	lab_down
}

[[ -x $NEXT ]] || fail "there is no $NEXT: scripts/check.sh builds it"
run routed tc on 4
run two-sided xdp off 6
