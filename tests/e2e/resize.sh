#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rainbowd --max-sessions with another number than the pinned table has: sessions are carried over while they run; fewer than live
# is refused with a word.
# Takes a minute.
source "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/traced.sh
source "$(dirname "$0")/traced.sh"

readonly SESSIONS=1000

limit() {
	json '.daemon.pins.limit' status
}

pins_left() {
	find "$LAB_PINS" -name 'rainbow_next_*'
}

expect_settled() { # LIMIT
	expect_eq 'room' "$(limit)" "$1"
	expect_eq 'pins of the change' "$(pins_left)" ''
	expect_eq 'hold' "$(lab_map rainbow_meta | jq -r '.[0].formatted.value.hold')" RAINBOW_HOLD_NONE
}

lab_sessions() { # 4|6
	serve_agents 2
	lab_rainbowd_start "$HOOK" --max-sessions 2000
	add_service chat "$1" 2
	ctl set-weight chat v1=50 v2
	lab_client idle --to "$(at_service "$1")" --sessions "$SESSIONS" --rate 2000 --interval 0 --timeout 20000
	lab_until_stat idle 30 ".live == $SESSIONS"
}

resize() { # TOPOLOGY HOOK OFFLOADS 4|6 ROOM...
	local room

	HOOK=$2
	part "$1, $2, IPv$4: larger and smaller, while sessions talk and come and go"
	lab_up "$1" --offloads "$3"
	lab_sessions "$4"
	lab_client busy --to "$(at_service "$4")" --sessions 50 --interval 20 --timeout 20000
	lab_client short --to "$(at_service "$4")" --sessions 20 --interval 20 --turns 3 --replace --timeout 20000
	lab_until_stat short 10 '.ended > 20'
	for room in "${@:5}"; do
		lab_rainbowd_stop
		# Closed ones that linger take room too.
		[[ $room != 1500 ]] || { lab_tell short replace 0 >/dev/null && lab_until_stat short 20 '.live == 0' && settle; }
		lab_rainbowd_start "$2" --max-sessions "$room"
		expect_settled "$room"
		expect_match 'the log' "$(grep -a 'carried over' "$LAB_DIR/rainbowd.log" | tail -n 1)" "into a table for $room"
		expect_turns idle
		expect_no_drift
		say "$(grep -a 'carried over' "$LAB_DIR/rainbowd.log" | tail -n 1)"
	done
	lab_tell short replace 0 >/dev/null
	lab_until_stat short 20 '.live == 0'
	wait_until 10 'idle and busy sessions to be the live ones' is_eq $((SESSIONS + 50)) live_count
	[[ $room != 1500 ]] || fewer_than_live
	lab_tell busy interval 0 >/dev/null
	lab_until_stat busy 10 '.waiting == 0'
	expect_turns busy
	expect_whole busy
	expect_whole short
	expect_whole idle
	wait_until 10 'no session to live' is_eq 0 live_count
	expect_no_drift
	lab_down
}

fewer_than_live() {
	part 'fewer than live'
	lab_rainbowd_stop
	expect_code 5 lab_in router timeout 20 "$LAB_BUILD/rainbowd" --max-sessions 500 --pin-dir "$LAB_PINS" \
		--state-dir "$LAB_DIR/state" --socket "$LAB_DIR/rainbow.sock"
	expect_match 'what it says' "$E2E_OUT" 'max-sessions 500 is too few: 10[0-9]+ sessions'
	expect_turns idle
	lab_rainbowd_start "$HOOK" # without a number: as it is
	expect_settled 1500
}

flows_of_clients() {
	json '[.sessions[].flows] | "\(length) \(add)"' sessions chat
}

# What has ended by now.
ended() {
	lab_stat short .ended
}

has_ended() { # MORE-THAN
	(($(ended) > $1))
}

# rainbowd with a table for so many, stopped once it has carried over what one run of the program takes; goes on when $1 more
# connections have ended.
stopped_in_the_middle() { # CONNECTIONS CALL ROOM
	local words before rainbowd

	rainbowd_words "$HOOK" --max-sessions "$3"
	before=$(ended)
	lab_spawn rainbowd router strace -f -qq -o "$LAB_DIR/stopped.strace" -e trace=bpf -e "inject=bpf:signal=STOP:when=$2" \
		"$LAB_BUILD/rainbowd" "${words[@]}"
	wait_until 30 'rainbowd to be stopped' grep -qs 'stopped by SIGSTOP' "$LAB_DIR/stopped.strace"
	rainbowd=$(cut -d' ' -f1 "$LAB_DIR/stopped.strace" | head -n 1)
	expect_eq 'hold' "$(lab_map rainbow_meta | jq -r '.[0].formatted.value.hold')" RAINBOW_HOLD_COPYING
	wait_until 20 'connections to end' has_ended $((before + $1))
	kill -s CONT "$rainbowd"
	wait_until 30 'rainbowd to answer' lab_ctl status
}

# Connections that end while they are carried over are uncounted from their client's session, wherever in the table that is. There are
# more pins than one run of the program carries over (RAINBOW_DUE), and rainbowd stands still behind the first.
resize_clients() {
	local connections=6000 call

	have_strace || { skip_part 'client sessions: no strace here to stop at a system call' && return; }
	HOOK=tc
	part 'affinity client: larger, while connections come and go'
	lab_up routed --offloads on
	serve_agents 2
	lab_rainbowd_start "$HOOK" --max-sessions 10000
	add_service chat 4 2 --affinity client
	ctl set-weight chat v1=50 v2
	lab_client idle --to "$(at_service 4)" --sessions "$connections" --rate 2000 --interval 0 --from 10.1.64.1+20 --timeout 20000
	lab_client short --to "$(at_service 4)" --sessions 60 --interval 20 --turns 3 --replace --from 10.1.64.1+20 --timeout 20000
	lab_until_stat idle 30 ".live == $connections"
	lab_until_stat short 10 '.ended > 60'
	lab_rainbowd_stop
	trace_start "$LAB_DIR/whole.strace" "$HOOK" --max-sessions 10001
	call=$(awk '/BPF_OBJ_PIN.*rainbow_next_/ {made = 1} made && /BPF_PROG_(TEST_)?RUN/ {print NR; exit}' "$LAB_DIR/whole.strace")
	stopped_in_the_middle 20 "$call" 10002
	expect_settled 10002
	lab_tell short replace 0 >/dev/null
	lab_until_stat short 20 '.live == 0'
	expect_turns idle
	expect_whole short
	wait_until 10 'the idle connections to be those counted' is_eq "20 $connections" flows_of_clients
	expect_whole idle
	wait_until 10 'no connection to be counted' is_eq '20 0' flows_of_clients
	expect_no_drift
	lab_down
}

# The kernel refuses to switch the ingress of an interface behind its egress: both look into the table that there was.
half_switched() {
	local words call

	have_strace || { skip_part 'half a switch: no strace here to let a system call fail' && return; }
	HOOK=tc
	part 'a switch that fails half way'
	lab_up routed
	serve_agents 2
	lab_rainbowd_start "$HOOK" --max-sessions 2000
	[[ $(json '.daemon.hooks[0].egress' status) == tcx ]] || { skip_part 'half a switch: by clsact it is no call of bpf(2)' && lab_down && return; }
	add_service chat 4 2
	lab_client idle --to "$(at_service 4)" --sessions 100 --interval 0
	lab_until_stat idle 10 '.live == 100'
	lab_rainbowd_stop
	trace_start "$LAB_DIR/whole.strace" "$HOOK" --max-sessions 2001
	call=$(awk '/BPF_LINK_UPDATE/ && ++switched == 2 {print NR; exit}' "$LAB_DIR/whole.strace")
	rainbowd_words "$HOOK" --max-sessions 2002
	expect_code 1 lab_in router timeout 60 strace -f -qq -o "$LAB_DIR/failed.strace" -e trace=bpf \
		-e "inject=bpf:error=ENOMEM:when=$call" "$LAB_BUILD/rainbowd" "${words[@]}"
	expect_match 'what it says' "$E2E_OUT" 'ingress program on client0 can not be switched: Cannot allocate memory'
	expect_turns idle
	lab_rainbowd_start "$HOOK"
	expect_settled 2001
	expect_no_drift
	expect_whole idle
	lab_down
}

# Until ended sessions have left the table, which rainbowd sees to.
settle() {
	lab_rainbowd_start "$HOOK"
	wait_until 30 'ended sessions to leave the table' is_eq $((SESSIONS + 50)) json '.daemon.pins.used' status
	lab_rainbowd_stop
}

resize routed tc on 4 5000 1500
resize two-sided xdp off 6 100000
resize_clients
half_switched
