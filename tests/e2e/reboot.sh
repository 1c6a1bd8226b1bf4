#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A reboot of the router, as far as its kernel state goes: all programs, maps and links are gone, and come back from the snapshot.
# 2,000 idle sessions lose nothing and are counted exactly; those that ended meanwhile are reset; old numbers are learned anew.
# Takes 90 s.
source "$(dirname "$0")/lib.sh"

readonly SESSIONS=2000 SNAPSHOT=pins.snapshot

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

# Stops rainbowd, by an orderly end or by kill -9 once it has saved what there is now.
stop_by() { # TERM|KILL
	if [[ $1 == KILL ]]; then
		touch "$LAB_DIR/now"
		wait_until 10 'a snapshot that is younger' newer_than_now
		touch "$LAB_DIR/now" # one that began after this, too
		wait_until 10 'another one' newer_than_now
	fi
	lab_end rainbowd "$1"
}

newer_than_now() {
	[[ $(saved) -nt $LAB_DIR/now ]]
}

ended_count() { # over all versions and reasons
	versions | jq -s 'map(.ended_fin + .ended_reset_client + .ended_reset_server + .ended_idle + .ended_forced) | add'
}

opened_count() {
	versions | jq -s 'map(.opened) | add'
}

idle_sessions() { # TOPOLOGY HOOK OFFLOADS 4|6 TERM|KILL
	part "$1, $2, IPv$4, ended by $5: $SESSIONS idle sessions"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2" --save-every 1s
	add_service chat "$4" 2
	ctl set-weight chat v1=50 v2
	lab_client idle --to "$(at_service "$4")" --sessions "$SESSIONS" --rate 2000 --interval 0 --timeout 20000
	lab_until_stat idle 30 ".live == $SESSIONS"
	expect_turns idle
	# Half-closed ones live on, too.
	lab_tell idle half-close 20 >/dev/null
	wait_until 5 'the halves to be noticed' is_eq 20 half_closed
	versions_before=$(versions | jq -c '[.label, .live]')
	stop_by "$5"
	forget_kernel_state
	lab_rainbowd_start "$2" --save-every 1s
	expect_match 'the log' "$(grep -a 'restored' "$LAB_DIR/rainbowd.log" | tail -n 1)" "$SESSIONS pins"
	expect_eq 'live sessions by version' "$(versions | jq -c '[.label, .live]')" "$versions_before"
	expect_turns idle 60
	expect_eq 'ended sessions' "$(ended_count)" 0
	expect_eq 'opened sessions' "$(opened_count)" "$SESSIONS"
	expect_eq 'half-closed' "$(half_closed)" 20
	expect_no_drift
	ctl set-weight chat v2=100
	lab_client new --to "$(at_service "$4")" --sessions 20 --interval 0
	lab_until_stat new 10 '.live == 20'
	expect_eq 'new sessions on v2' "$(lab_stat new .versions.v2.live)" 20
	expect_whole new
	expect_whole idle
	wait_until 20 'no session to live' is_eq 0 live_count
	expect_no_drift
	lab_down
}

half_closed() {
	json '[.sessions[] | select(.state == "half-closed")] | length' sessions chat --limit 5000
}

# Of 100 sessions the clients of 20 and the servers of 20 others are gone when the router comes back, and it has heard of none.
ended_meanwhile() { # TOPOLOGY HOOK OFFLOADS 4|6
	part "$1, $2, IPv$4: sessions that ended meanwhile"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2"
	add_service chat "$4" 2
	ctl set-weight chat v1=50 v2
	lab_client stay --to "$(at_service "$4")" --sessions 60 --interval 0
	lab_until_stat stay 10 '.live == 60'
	lab_client gone --to "$(at_service "$4")" --sessions 20 --interval 0
	lab_until_stat gone 10 '.live == 20'
	lab_rainbowd_stop
	forget_kernel_state
	lab_end gone KILL # its sockets close, and no packet of them gets through
	wait_until 10 'the sockets of the killed client to be gone' is_eq 0 closing_sockets
	lab_rainbowd_start "$2"
	expect_eq 'restored' "$(opened_count)" 80
	wait_until 15 'the ended ones to be found' is_eq 60 live_count
	expect_eq 'ended by a reset of the client' "$(versions | jq -s 'map(.ended_reset_client) | add')" 20
	expect_eq 'all ended' "$(ended_count)" 20
	wait_until 10 'the servers to have heard of it' is_eq 60 server_sessions
	expect_turns stay
	expect_no_drift
	expect_whole stay
	lab_down
}

# Sockets of the clients that still try to end their sessions are closed by force: then nobody there knows the sessions any more.
closing_sockets() {
	lab_in clients ss -K state fin-wait-1 >/dev/null 2>&1 || true
	lab_in clients ss -K state last-ack >/dev/null 2>&1 || true
	lab_in clients ss -Htn state connected exclude established | grep -c . || true
}

server_sessions() {
	lab_in backend1 ss -Htn state established 'sport = :8080' | wc -l >"$LAB_DIR/n1"
	lab_in backend2 ss -Htn state established 'sport = :8080' | wc -l >"$LAB_DIR/n2"
	echo $(($(<"$LAB_DIR/n1") + $(<"$LAB_DIR/n2")))
}

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

old_numbers() { # HOW they speak first: turns|asked
	part "sessions that moved on after the snapshot, $1"
	lab_up routed
	serve_agents 2
	lab_rainbowd_start tc
	add_service chat 4 2
	lab_client busy --to "$(at_service 4)" --sessions 40 --interval 0
	lab_until_stat busy 10 '.live == 40'
	lab_rainbowd_stop
	set_back "$(saved)"
	forget_kernel_state
	lab_rainbowd_start tc
	expect_eq 'restored' "$(live_count)" 40
	if [[ $1 == turns ]]; then
		expect_turns busy
	else # the ends answer what they are asked, and their answers tell the numbers
		wait_until 10 'both ends to have answered' is_eq 0 stale_count
	fi
	expect_whole busy # by FIN, which the old numbers would not have let pass for one
	wait_until 10 'each end to be counted' is_eq 40 fin_count
	expect_eq 'live sessions' "$(live_count)" 0
	expect_no_drift
	lab_down
}

stale_count() {
	lab_map rainbow_pin | jq '[.[].formatted.value | select(.flows % 2 == 1)] | length'
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

idle_sessions routed tc on 4 TERM
idle_sessions two-sided xdp off 6 KILL
ended_meanwhile routed tc on 4
ended_meanwhile one-armed xdp-generic off 6
old_numbers turns
old_numbers asked
clients_and_datagrams
