#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A restore that does not go well: rainbowd is killed in it, or before it has asked who is still there; the table is too small.
# Takes 60 s.
source "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/traced.sh
source "$(dirname "$0")/traced.sh"

# rainbowd as the lab starts it, killed as it enters call N of those of that name. Its bpf(2) calls: $LAB_DIR/killed.strace.
killed_at() { # CALL N
	local words

	rainbowd_words xdp
	expect_code 137 lab_in router timeout -s KILL 60 strace -f -qq -o "$LAB_DIR/killed.strace" -e "trace=bpf,$1" \
		-e "inject=$1:signal=KILL:when=$2" "$LAB_BUILD/rainbowd" "${words[@]}"
	! lab_ctl status >/dev/null 2>&1 || fail "not killed at $1 $2"
}

# A router with a snapshot of so many sessions, half of them on each version, and no kernel state.
rebooted() { # SESSIONS RAINBOWD-ARGUMENTS...
	lab_up two-sided --offloads off
	serve_agents 2
	lab_rainbowd_start xdp "${@:2}"
	add_service chat 4 2
	ctl set-weight chat v1=50 v2
	lab_client idle --to "$(at_service 4)" --sessions "$1" --rate 2000 --interval 0 --timeout 20000
	lab_until_stat idle 30 ".live == $1"
	lab_rainbowd_stop
	forget_kernel_state
}

killed_in_restore() {
	local n

	part 'killed while it restores'
	rebooted 300
	# Killed before the first question: what this start has done to the snapshot and to the sessions is nothing.
	killed_at sendto 1
	n=$(grep 'bpf(' "$LAB_DIR/killed.strace" | grep -nE 'BPF_PROG_(TEST_)?RUN' | sed -n '2s/:.*//p')
	[[ -n $n ]] || fail "no restore among the calls: $(grep -E 'RUN' "$LAB_DIR/killed.strace")"
	forget_kernel_state
	killed_at bpf "$n"
	expect_match 'the last call' "$(grep 'bpf(' "$LAB_DIR/killed.strace" | tail -n 1)" 'BPF_PROG_(TEST_)?RUN'
	killed_at bpf "$n" # while it makes the maps anew
	lab_rainbowd_start xdp
	expect_eq 'live sessions' "$(live_count)" 300
	expect_turns idle
	expect_no_drift
	expect_whole idle
	lab_down
}

# The ends have answered what they were asked: no answer is under way when the hooks go again.
expect_answered() {
	wait_until 15 'all ends to have answered' is_eq 0 unanswered
}

unanswered() {
	lab_map rainbow_table | jq '[.[].formatted.value.way[].pin |
		select((.state | tostring | test("LIVE|HALF")) and .flows % 2 == 1)] | length'
}

too_small() {
	part 'the size of before a reboot'
	rebooted 300 --max-sessions 1000
	lab_rainbowd_start xdp
	expect_eq 'room' "$(json .daemon.pins.limit status)" 1000
	expect_eq 'live sessions' "$(live_count)" 300
	expect_answered
	lab_rainbowd_stop
	forget_kernel_state

	part 'a table that is too small'
	cp "$(snapshot_path)" "$LAB_DIR/good"
	lab_rainbowd_start xdp --max-sessions 100 --save-every 1s
	expect_eq 'live sessions' "$(live_count)" 100
	expect_match 'the log' "$(grep -a 'no room' "$LAB_DIR/rainbowd.log" | tail -n 1)" \
		'200 pins found no room.*--max-sessions 300 or more. That ends the sessions that are opened from now on'
	wait_for_snapshot
	cmp "$(snapshot_path).kept" "$LAB_DIR/good" || fail 'the snapshot that did not fit is not kept'
	expect_answered
	ctl detach --yes
	lab_wait rainbowd 10
	mv "$(snapshot_path).kept" "$(snapshot_path)"
	lab_rainbowd_start xdp --max-sessions 300
	expect_eq 'live sessions' "$(live_count)" 300
	expect_turns idle
	expect_no_drift
	expect_whole idle
	lab_down
}

killed_before_asking() {
	part 'killed before it asks'
	rebooted 60
	lab_end idle KILL
	wait_until 10 'the sockets of the killed client to be gone' is_eq 0 closing_sockets
	killed_at sendto 1
	lab_rainbowd_start xdp
	expect_match 'the log' "$(grep -a 'maps under' "$LAB_DIR/rainbowd.log" | tail -n 1)" 'adopted'
	expect_eq 'opened' "$(versions | jq -s 'map(.opened) | add')" 60
	wait_until 15 'the ended ones to be found' is_eq 0 live_count
	expect_eq 'ended by a reset of the client' "$(versions | jq -s 'map(.ended_reset_client) | add')" 60
	expect_no_drift
	lab_down
}

# As in reboot.sh: then no socket there knows the sessions any more.
closing_sockets() {
	lab_in clients ss -K state fin-wait-1 >/dev/null 2>&1 || true
	lab_in clients ss -K state last-ack >/dev/null 2>&1 || true
	lab_in clients ss -Htn state connected exclude established | grep -c . || true
}

have_strace || skip 'no strace here to kill at a system call'
killed_in_restore
killed_before_asking
too_small
