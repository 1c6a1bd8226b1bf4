#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The snapshot of pins: one that is torn, another's or of a newer format is refused with a word and put aside; what its pins name and
# is not there any more is dropped; a full disk leaves the one of before.
# Takes 35 s.
source "$(dirname "$0")/lib.sh"

refused() { # REGEX: the snapshot of now is refused with these words
	forget_kernel_state
	lab_rainbowd_start tc
	expect_match 'the log' "$(grep -a 'refused' "$LAB_DIR/rainbowd.log" | tail -n 1)" "$1"
	[[ -e $(snapshot_path).refused && ! -e $(snapshot_path) ]] || fail "not put aside: $(ls "$LAB_DIR/state")"
	expect_eq 'restored' "$(live_count)" 0
	lab_rainbowd_stop
	rm -f -- "$(snapshot_path).refused"
}

# Gives each pin of a snapshot of less than 1,024 the other one of its two backends, with sums that are right.
swap_backends() { # FILE
	"$E2E_PYTHON" - "$1" <<-'END'
		import struct, sys, zlib

		path = sys.argv[1]
		data = bytearray(open(path, 'rb').read())
		services, versions, backends = struct.unpack_from('<3I', data, 56)
		count, = struct.unpack_from('<Q', data, 72)
		at = 96 + services * 56 + versions * 36
		ids = [struct.unpack_from('<H', data, at + i * 24)[0] for i in range(backends)]
		pins = at + backends * 24 + 4
		for i in range(count):
		    backend, = struct.unpack_from('<H', data, pins + i * 60 + 22)
		    struct.pack_into('<H', data, pins + i * 60 + 22, sum(ids) - backend)
		struct.pack_into('<I', data, pins + count * 60, zlib.crc32(data[pins:pins + count * 60]))
		open(path, 'wb').write(data)
	END
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
	cp "$(snapshot_path)" "$good"
	truncate -s -1 "$(snapshot_path)"
	refused 'cut off'
	cp "$good" "$(snapshot_path)"
	printf 'X' | dd of="$(snapshot_path)" bs=1 seek=400 conv=notrunc status=none
	refused 'damaged'
	head -c 100000 /dev/urandom >"$(snapshot_path)"
	refused 'no snapshot of rainbow'
	: >"$(snapshot_path)"
	refused 'no snapshot of rainbow'
	cp "$good" "$(snapshot_path)"
	printf '\x02' | dd of="$(snapshot_path)" bs=1 seek=8 conv=notrunc status=none
	refused 'format 2, this rainbowd knows 1'
	cp "$good" "$(snapshot_path)"
	mkdir "$LAB_DIR/database"
	mv "$LAB_DIR"/state/rainbow.db* "$LAB_DIR/database"
	refused 'it belongs to another database'
	rm -- "$LAB_DIR"/state/rainbow.db*
	mv "$LAB_DIR"/database/* "$LAB_DIR/state"

	part 'pins of one version on a backend of another'
	cp "$good" "$(snapshot_path)"
	swap_backends "$(snapshot_path)"
	forget_kernel_state
	lab_rainbowd_start tc
	expect_match 'the log' "$(grep -a 'dropped' "$LAB_DIR/rainbowd.log" | tail -n 1)" '30 pins are dropped'
	expect_eq 'restored' "$(live_count)" 0
	lab_rainbowd_stop

	part 'a version that is not there any more'
	cp "$good" "$(snapshot_path)"
	forget_kernel_state
	mv "$(snapshot_path)" "$LAB_DIR/aside"
	lab_rainbowd_start tc # without sessions: else the version can not be removed
	ctl set-weight chat v2=100
	ctl drain chat v1
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
	ctl version rm chat v1
	lab_rainbowd_stop
	cp "$good" "$(snapshot_path)"
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
	wait_for_snapshot
	head -c 3m /dev/zero >"$LAB_DIR/state/fill" 2>/dev/null || true
	before=$(md5sum <"$(snapshot_path)")
	wait_until 10 'a word about it' grep -aq 'can not be saved.*No space left' "$LAB_DIR/rainbowd.log"
	expect_eq 'the snapshot' "$(md5sum <"$(snapshot_path)")" "$before"
	expect_eq 'how often it is told' "$(grep -ac 'can not be saved' "$LAB_DIR/rainbowd.log")" 1
	rm -- "$LAB_DIR/state/fill"
	wait_until 10 'the word that it is well again' grep -aq 'pins are saved' "$LAB_DIR/rainbowd.log"
	expect_whole some
	lab_down
}

bad_snapshots
full_disk
