#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The snapshot of pins: one that is torn, another's or of a newer format is refused with a word and put aside; what its pins name and
# is not there any more is dropped; a full disk leaves the one of before.
# Takes 30 s.
source "$(dirname "$0")/lib.sh"

readonly SNAPSHOT=pins.snapshot

saved() {
	printf '%s' "$LAB_DIR/state/$SNAPSHOT"
}

# As a reboot leaves it: no hook, no map. What runs in user space goes on.
forget_kernel_state() {
	rm -rf -- "$LAB_PINS"
	wait_until 5 'no program of rainbow to be left' no_programs
}

no_programs() {
	local interface

	for interface in "${LAB_HOOKS[@]}"; do
		! lab_in router tc filter show dev "$interface" ingress | grep -q . || return 1
	done
	! lab_in router ip -d link show | grep -q 'prog/xdp'
}

newer_than_now() {
	[[ $(saved) -nt $LAB_DIR/now ]]
}

refused() { # REGEX: the snapshot of now is refused with these words
	forget_kernel_state
	lab_rainbowd_start tc
	expect_match 'the log' "$(grep -a 'refused' "$LAB_DIR/rainbowd.log" | tail -n 1)" "$1"
	[[ -e $(saved).refused && ! -e $(saved) ]] || fail "not put aside: $(ls "$LAB_DIR/state")"
	expect_eq 'restored' "$(live_count)" 0
	lab_rainbowd_stop
	rm -f -- "$(saved).refused"
}

bad_snapshots() {
	local good=$LAB_DIR/good

	part 'snapshots that are refused'
	lab_up routed
	serve_agents 2
	lab_rainbowd_start tc
	add_service chat 4 2
	lab_client some --to "$(at_service 4)" --sessions 30 --interval 0
	lab_until_stat some 10 '.live == 30'
	lab_rainbowd_stop
	good=$LAB_DIR/good
	cp "$(saved)" "$good"
	truncate -s -1 "$(saved)"
	refused 'cut off'
	cp "$good" "$(saved)"
	printf 'X' | dd of="$(saved)" bs=1 seek=400 conv=notrunc status=none
	refused 'damaged'
	head -c 100000 /dev/urandom >"$(saved)"
	refused 'no snapshot of rainbow'
	: >"$(saved)"
	refused 'no snapshot of rainbow'
	cp "$good" "$(saved)"
	printf '\x02' | dd of="$(saved)" bs=1 seek=8 conv=notrunc status=none
	refused 'format 2, this rainbowd knows 1'

	part 'a version that is not there any more'
	cp "$good" "$(saved)"
	forget_kernel_state
	mv "$(saved)" "$LAB_DIR/aside"
	lab_rainbowd_start tc # without sessions: else the version can not be removed
	ctl set-weight chat v2=100
	ctl drain chat v1
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
	ctl version rm chat v1
	lab_rainbowd_stop
	cp "$good" "$(saved)"
	forget_kernel_state
	lab_rainbowd_start tc
	expect_match 'the log' "$(grep -a 'dropped' "$LAB_DIR/rainbowd.log" | tail -n 1)" '30 pins are dropped'
	expect_eq 'restored' "$(live_count)" 0
	lab_down
}

full_disk() {
	local before

	part 'a full disk'
	lab_up routed
	lab_at_exit umount -l "$LAB_DIR/state" # rainbowd has it open until a moment later
	mount -t tmpfs -o size=3m none "$LAB_DIR/state"
	serve_agents 2
	lab_rainbowd_start tc --save-every 1s
	add_service chat 4 2
	lab_client some --to "$(at_service 4)" --sessions 30 --interval 0
	lab_until_stat some 10 '.live == 30'
	touch "$LAB_DIR/now"
	wait_until 10 'a snapshot' newer_than_now
	head -c 3m /dev/zero >"$LAB_DIR/state/fill" 2>/dev/null || true
	before=$(md5sum <"$(saved)")
	wait_until 10 'a word about it' grep -aq 'can not be saved.*No space left' "$LAB_DIR/rainbowd.log"
	expect_eq 'the snapshot' "$(md5sum <"$(saved)")" "$before"
	expect_eq 'how often it is told' "$(grep -ac 'can not be saved' "$LAB_DIR/rainbowd.log")" 1
	rm -- "$LAB_DIR/state/fill"
	wait_until 10 'the word that it is well again' grep -aq 'pins are saved' "$LAB_DIR/rainbowd.log"
	expect_whole some
	lab_down
}

bad_snapshots
full_disk
