#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The demo: real sessions, routed, ramped, rolled back and drained in network namespaces of its own; `sudo make demo` builds
# what it needs. The clients check in every turn that they still talk to the version that greeted them. Exits 0 only if the
# facts at the end are as promised. Ctrl-C at any time: it cleans up.
#
#   demo.sh [--hook auto|xdp|xdp-generic|tc]
set -euo pipefail

# shellcheck source=tests/lab/ns.sh
source "$(dirname "$0")/../tests/lab/ns.sh"

hook=auto
is_terminal=no
[[ ! -t 1 ]] || is_terminal=yes
failures=()
wanted=() # shares of v2 in the ramp, in percent
got=()

# --- telling ---------------------------------------------------------------------------------------------------------------

style() { # SGR TEXT
	if [[ $is_terminal == yes && -z ${NO_COLOR:-} ]]; then
		printf '\033[%sm%s\033[0m' "$1" "$2"
	else
		printf '%s' "$2"
	fi
}

scene() { # TITLE [EXPLANATION]
	printf '\n%s\n' "$(style '1;36' "$1")"
	[[ -z ${2:-} ]] || printf '%s\n' "$2"
}

# Shows a command of rainbowctl and runs it.
run() { # RAINBOWCTL-ARGUMENTS...
	printf '  %s\n' "$(style 1 "\$ rainbowctl $*")"
	lab_ctl "$@" | sed 's/^/  /'
}

# Like run, for commands that draw in place.
run_here() {
	printf '  %s\n' "$(style 1 "\$ rainbowctl $*")"
	lab_ctl "$@"
}

# --- the live view ---------------------------------------------------------------------------------------------------------

both() { # JQ-FILTER over the array of both clients' stats
	{ lab_tell long stats && lab_tell short stats; } | jq -s -r "$1"
}

clients_line() {
	both '"clients   \(map(.live) | add) sessions live, \(map(.opened) | add) opened, \(map(.turns) | add) turns checked, " +
		"moved \(map(.moved) | add), lost \(map(.lost) | add), forced \(map(.forced) | add)"'
}

# What rainbowctl shows, with its colours, which it has for a terminal alone, by way of script(1).
draw_for_terminal() { # COLUMNS RAINBOWCTL-ARGUMENTS...
	local columns=$1 command

	shift
	if [[ $is_terminal == no ]]; then
		lab_ctl "$@"
		return
	fi
	printf -v command 'stty cols %d; RAINBOW_SOCKET=%q %q %s' "$columns" "$LAB_DIR/rainbow.sock" "$LAB_BUILD/rainbowctl" "$*"
	script -qec "$command" /dev/null </dev/null | tr -d '\r'
}

# What rainbow and what the clients say.
view() {
	local columns=112

	[[ $is_terminal == no ]] || columns=$(stty size </dev/tty | cut -d' ' -f2)
	draw_for_terminal $((columns - 2)) status | sed 's/^/  /'
	printf '  %.*s\n' $((columns - 2)) "$(clients_line)"
}

# Redraws the view until the time is over; without a terminal draws it once, at the end.
watch() { # SECONDS
	local until=$((${EPOCHREALTIME//[.,]/} + $1 * 1000000)) drawn lines=0

	printf '\n'
	while [[ $is_terminal == yes ]] && ((${EPOCHREALTIME//[.,]/} < until)); do
		drawn=$(view)
		((lines == 0)) || printf '\033[%dA\033[J' "$lines"
		printf '%s\n' "$drawn"
		lines=$(wc -l <<<"$drawn")
		sleep 0.4
	done
	if [[ $is_terminal == no ]]; then
		sleep "$1"
		view
	fi
}

# --- facts -----------------------------------------------------------------------------------------------------------------

fact() { # NAME TEXT ok|bad
	local mark

	if [[ $3 == ok ]]; then
		mark=$(style 32 ok)
	else
		mark=$(style '1;31' 'NOT AS PROMISED')
		failures+=("$1")
	fi
	printf '  %-18s %-66s %s\n' "$1" "$2" "$mark"
}

holds() { # ARITHMETIC or JQ condition: prints ok or bad
	if [[ $(jq -n "$1") == true ]]; then
		printf ok
	else
		printf bad
	fi
}

status() { # JQ-FILTER
	lab_ctl status chat -o json | jq -r "$1"
}

share_of_new() { # VERSION: percent of the sessions since the last change of weights
	status ".services[0].versions[] | select(.label == \"$1\") | .share_of_new"
}

chosen() { # VERSION: how often the kernel ever chose it for a new session
	lab_map rainbow_version | jq ".[].formatted.value | select(.label == \"$1\") | .chosen"
}

# --- the story -------------------------------------------------------------------------------------------------------------

stage_build() {
	local n

	lab_up routed --backends 6 --offloads "$([[ $hook == xdp* ]] && echo off || echo on)"
	for n in 1 2; do
		lab_server "$n" v1 tcp:8080 -- --think 100
		lab_server $((n + 2)) v2 tcp:8080 -- --think 100
		lab_server $((n + 4)) v3 tcp:8080 -- --think 150
	done
	lab_rainbowd_start "$hook"
}

backends() { # FIRST-NUMBER: the arguments of two backends
	printf -- '--backend %s:8080 --backend %s:8080' "$(lab_backend "$1")" "$(lab_backend $(($1 + 1)))"
}

tell_start() {
	scene '1. A service and its first version' \
		'Clients dial 10.0.0.1:80. 150 keep long conversations, 40 come and go: each turn is checked.'
	run service add chat "$LAB_SERVICE4:80" --selection exact
	# shellcheck disable=SC2046 # several words
	run version add chat v1 $(backends 1) --code 4f2c1d9 --model m-small --prompts p12
	lab_client long --to "$LAB_SERVICE4:80" --sessions 150 --rate 300 --interval 500 --duration 5m
	lab_client short --to "$LAB_SERVICE4:80" --sessions 40 --rate 60 --interval 250 --turns 3 --replace --duration 5m
	lab_until_stat long 15 '.live == 150'
	watch 3
}

tell_ramp_step() { # PERCENT
	local rest=$((100 - $1))

	if ((rest > 0)); then
		run set-weight chat "v2=$1" v1
	else
		run set-weight chat "v2=$1"
	fi
	lab_tell long open 40 >/dev/null
	watch 4
	wanted+=("$1")
	got+=("$(share_of_new v2)")
}

tell_ramp() {
	scene '2. v2 is released: 5, 25, 50, 100 %' 'New sessions follow the weights; running ones stay where they are.'
	# shellcheck disable=SC2046
	run version add chat v2 $(backends 3) --code 9b03e77 --model m-large --prompts p13
	tell_ramp_step 5
	tell_ramp_step 25
	tell_ramp_step 50
}

tell_kill() {
	local before after began

	scene '3. In the middle of it, rainbowd is killed with -9' 'The datapath is in the kernel and does not notice.'
	before=$(both '{opened: (map(.opened) | add), turns: (map(.turns) | add)}')
	began=${EPOCHREALTIME//[.,]/}
	lab_rainbowd_kill
	printf '  %s\n' "$(style 1 '$ kill -9 rainbowd; sleep 3; bpftool map dump pinned .../rainbow_version')"
	sleep 3
	# v1 and v2 are the first two entries in use.
	lab_map rainbow_version | jq -r '.[] | .formatted.value | select(.label != "") |
		"  label \(.label)  state \(.state)  weight_permille \(.weight_permille)  live \(.live)  opened \(.opened)"'
	after=$(both '{opened: (map(.opened) | add), turns: (map(.turns) | add)}')
	dead_sessions=$(jq -n "$after.opened - $before.opened")
	dead_turns=$(jq -n "$after.turns - $before.turns")
	printf '  without rainbowd: %s sessions began, %s turns were answered\n' "$dead_sessions" "$dead_turns"
	lab_rainbowd_start "$hook"
	dead_ms=$(((${EPOCHREALTIME//[.,]/} - began) / 1000))
	printf '  rainbowd is back, with the same state\n'
	tell_ramp_step 100
}

# The rollout has ended one way or the other.
_rollout_ended() {
	[[ $(status '.services[0].rollout.ended') != null ]]
}

# The rollout's picture until it has ended, at most so long.
watch_rollout() { # SECONDS
	local until=$((SECONDS + $1)) drawn lines=0

	printf '\n'
	while ((SECONDS < until)) && ! _rollout_ended; do
		if [[ $is_terminal == yes ]]; then
			drawn=$(rollout_draw)
			((lines == 0)) || printf '\033[%dA\033[J' "$lines"
			printf '%s\n' "$drawn"
			lines=$(wc -l <<<"$drawn")
		fi
		sleep 0.4
	done
	((lines == 0)) || printf '\033[%dA\033[J' "$lines"
	rollout_draw
}

rollout_draw() {
	draw_for_terminal $((columns - 2)) rollout status chat | sed 's/^/  /'
}

tell_rollback() {
	local columns=112

	[[ $is_terminal == no ]] || columns=$(stty size </dev/tty | cut -d' ' -f2)
	scene '4. v3 is released by a rollout, and judged' \
		'It thinks half as long again before each answer. Nobody has instrumented anything: the kernel sees how long turns take.'
	# shellcheck disable=SC2046
	run version add chat v3 $(backends 5) --code 0badc0d --model m-large --prompts p14
	run version diff chat v2 v3
	run rollout start chat v3 --steps 20,50,100 --hold 5s
	lab_tell long open 40 >/dev/null # some of them stay with v3 beyond the end of this
	watch_rollout 60
	rollback_state=$(status '.services[0].rollout.state')
	rollback_reason=$(status '.services[0].rollout.reason')
	rollback_ms=$(sed -n 's/.*rollout 1 of chat to v3 is rolled back: [^(]* (\([0-9.]*\) ms).*/\1/p' "$LAB_DIR/rainbowd.log" | tail -1)
	v3_chosen=$(chosen v3)
	run history chat --limit 5
	watch 3
	v3_chosen_later=$(chosen v3)
	printf '  %s\n' "$(style 1 '$ rainbowctl rollout start chat v3')"
	lab_ctl rollout start chat v3 2>&1 | sed 's/^/  /' || true
}

# The long conversations of v1 come to their ends, a few at a time.
conversations_end() {
	local i

	for ((i = 0; i < 20; i++)); do
		lab_tell long end 20 v1 >/dev/null 2>&1 || true
		sleep 0.3
	done
	lab_tell long end all v1 >/dev/null 2>&1 || true
}

tell_drain() {
	scene '5. v1 drains, and the drain completes' 'Its conversations come to their ends, by themselves.'
	conversations_end &
	LAB_PID[conversations]=$! # so that Ctrl-C ends it too
	run_here drain chat v1 --deadline 60s --wait
	lab_wait conversations 15
	watch 1
	v1_state=$(status '.services[0].versions[] | select(.label == "v1") | .state')
	v1_forced=$(status '.services[0].versions[] | select(.label == "v1") | .sessions.ended.forced')
}

tell_deadline() {
	scene '6. v3 drains, and the drain meets its deadline' \
		'Its conversations go on and on. At the deadline both ends of each get an RST; the clients know that it was ordered.'
	lab_tell long expect-forced v3 >/dev/null
	lab_tell short expect-forced v3 >/dev/null
	run_here drain chat v3 --deadline 5s --wait
	watch 2
	v3_state=$(status '.services[0].versions[] | select(.label == "v3") | .state')
}

# --- the facts -------------------------------------------------------------------------------------------------------------

_drift_is_known() {
	[[ $(lab_ctl status -o json | jq .count_drift) != null ]]
}

servers_accepted() {
	local server

	for server in server-{1,2}-v1 server-{3,4}-v2 server-{5,6}-v3; do
		lab_stat "$server" .accepted
	done | jq -s add
}

clients_end() {
	local client

	for client in long short; do
		lab_tell "$client" quit >/dev/null
		lab_wait "$client" 10 || true
	done
	jq -s -c '{opened: (map(.opened) | add), turns: (map(.turns) | add), moved: (map(.moved) | add),
		lost: (map(.lost) | add), forced: (map(.forced) | add), refused: (map(.refused + .unanswered + .failed) | add)}' \
		<(tail -qn 1 "$LAB_DIR"/{long,short}.log)
}

tell_facts() {
	local sum forced drift opened accepted ramp

	sum=$(clients_end)
	lab_until 20 'a count of drift' _drift_is_known || true
	forced=$(status '[.services[0].versions[].sessions.ended.forced] | add')
	opened=$(status '[.services[0].versions[].sessions.opened] | add')
	drift=$(lab_ctl status -o json | jq .count_drift)
	accepted=$(servers_accepted)
	ramp=$(jq -n -c '[$ARGS.positional | .[:length / 2], .[length / 2:] | map(tonumber)]' --args "${wanted[@]}" "${got[@]}")

	scene 'The facts'
	fact sessions "$(jq -n -r "$sum | \"\(.opened) opened, \(.turns) turns, each checked\"")" "$(holds "$sum.opened > 400")"
	fact moved "$(jq -n "$sum.moved")" "$(holds "$sum.moved == 0")"
	fact lost "$(jq -n "$sum.lost")" "$(holds "$sum.lost == 0")"
	fact forced "$(jq -n "$sum.forced") (ordered: $forced, at the deadline of v3)" \
		"$(holds "$sum.forced == $forced and $forced > 0 and $v1_forced == 0")"
	fact refused "$(jq -n "$sum.refused")" "$(holds "$sum.refused == 0")"
	fact ramp "asked for $(jq -n -r "${ramp}[0] | join(\", \")") %, v2 got $(jq -n -r "${ramp}[1] | join(\", \")") % of the new" \
		"$(holds "[$ramp | transpose[] | (.[0] - .[1]) | fabs] | max <= 2")"
	fact 'rolled back' "by itself, $rollback_ms ms after the verdict; sessions that v3 got afterwards: $((v3_chosen_later - v3_chosen))" \
		"$([[ $rollback_state == rolled_back && $rollback_reason == *turn_latency* ]] &&
			holds "$rollback_ms < 100 and $v3_chosen_later == $v3_chosen" || printf bad)"
	fact 'rainbowd dead' "for $dead_ms ms: $dead_sessions sessions began, $dead_turns turns were answered" \
		"$(holds "$dead_sessions > 0 and $dead_turns > 0")"
	fact drains "v1 $v1_state by itself, v3 $v3_state by its deadline" \
		"$([[ $v1_state == drained && $v3_state == drained ]] && echo ok || echo bad)"
	fact counts "rainbow $opened, the servers $accepted, drift $drift" "$(holds "$opened == $accepted and $drift == 0")"
}

main() {
	while (($# > 0)); do
		case $1 in
		--hook) hook=${2:?--hook needs a value} && shift ;;
		*) printf 'usage: demo.sh [--hook auto|xdp|xdp-generic|tc]\n' >&2 && exit 2 ;;
		esac
		shift
	done
	stage_build
	tell_start
	tell_ramp
	tell_kill
	tell_rollback
	tell_drain
	tell_deadline
	tell_facts
	printf '\n'
	if ((${#failures[@]} > 0)); then
		printf 'demo: not as promised: %s\n' "$(IFS=,; printf '%s' "${failures[*]}")" >&2
		lab_logs 10
		exit 1
	fi
}

main "$@"
