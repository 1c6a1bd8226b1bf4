#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A reboot (see reboot.sh) after which sessions are not where the snapshot has them: their TCP numbers are learned anew. And
# sessions of clients, and of datagrams.
# Takes 30 s.
source "$(dirname "$0")/lib.sh"

# What a session has sent since the snapshot was taken, 100 MB each way: the numbers of all pins there are set back by so much.
set_back() { # FILE
	"$E2E_PYTHON" - "$1" <<-'END'
		import struct, sys, zlib
		data = bytearray(open(sys.argv[1], 'rb').read())
		services, versions, backends, _, pins = struct.unpack_from('<IIIIQ', data, 56)
		assert 0 < pins <= 1024
		start = 96 + 56 * services + 36 * versions + 24 * backends + 4
		for pin in range(start, start + 60 * pins, 60):
		    for field in (36, 40, 48, 52):
		        number, = struct.unpack_from('<I', data, pin + field)
		        struct.pack_into('<I', data, pin + field, (number - 100000000) % 2**32)
		struct.pack_into('<I', data, start + 60 * pins, zlib.crc32(data[start:start + 60 * pins]))
		open(sys.argv[1], 'wb').write(data)
	END
}

reboot() {
	lab_rainbowd_stop
	set_back "$(snapshot_path)"
	forget_kernel_state
	lab_rainbowd_start tc --max-sessions 1000
	expect_eq 'restored' "$(live_count)" 40
}

old_numbers() {
	part 'sessions that moved on after the snapshot, and are asked'
	lab_up routed
	serve_agents 2
	lab_rainbowd_start tc --max-sessions 1000
	add_service chat 4 2
	lab_client busy --to "$(at_service 4)" --sessions 40 --interval 0
	lab_until_stat busy 10 '.live == 40'
	reboot
	wait_until 10 'both ends to have answered, and told their numbers' is_eq 0 stale_count

	part 'sessions that moved on after the snapshot, and speak first'
	reboot
	expect_turns busy
	expect_whole busy # by FIN, which the old numbers would not have let pass for one
	wait_until 10 'each end to be counted' is_eq 40 fin_count
	expect_eq 'live sessions' "$(live_count)" 0
	expect_no_drift
	lab_down
}

# Pins whose numbers are still those of the snapshot; in the overflow there are none, of so few.
stale_count() {
	lab_map rainbow_table | jq '[.[].formatted.value.way[].pin | select(.flows % 2 == 1)] | length'
}

fin_count() {
	versions | jq -s 'map(.ended_fin) | add'
}

clients_and_datagrams() {
	part 'affinity client, and UDP'
	lab_up two-sided --offloads off
	serve_agents 2
	lab_rainbowd_start xdp
	add_service chat 4 2 --affinity client --selection exact
	ctl set-weight chat v1=50 v2
	ctl service add game "$(at_service 6 90)/udp"
	ctl version add game g1 --backend "$(lab_backend 1 6):8080"
	lab_client many --to "$(at_service 4)" --sessions 100 --interval 0 --from 10.1.64.1+20
	lab_until_stat many 10 '.live == 100'
	lab_client datagrams --udp --to "$(at_service 6 90)" --sessions 50 --interval 0
	lab_until_stat datagrams 10 '.live == 50'
	expect_turns datagrams
	expect_eq 'live sessions' "$(version_count v1 live) $(version_count v2 live) $(version_count g1 live)" '10 10 50'
	lab_rainbowd_stop
	forget_kernel_state
	lab_rainbowd_start xdp
	expect_eq 'live sessions' "$(version_count v1 live) $(version_count v2 live) $(version_count g1 live)" '10 10 50'
	expect_eq 'flows of client sessions' "$(json '[.sessions[].flows] | "\(length) \(add)"' sessions chat)" '20 100'
	expect_turns many
	expect_turns datagrams
	expect_no_drift
	expect_whole many
	expect_eq 'client sessions without a flow' "$(json '[.sessions[].flows] | "\(length) \(add)"' sessions chat)" '20 0'
	lab_down
}

old_numbers
clients_and_datagrams
