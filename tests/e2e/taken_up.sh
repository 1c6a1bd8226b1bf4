#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# An address that was a backend a moment ago is one again: its old sessions find their replies, whatever command it was that gave it
# and however that one ended.
# Takes 20 s.
source "$(dirname "$0")/lib.sh"

sessions() { # NAME N
	lab_client "$1" --to "$(at_service 4)" --sessions "$2" --interval 200
	lab_until_stat "$1" 10 ".live == $2"
}

# The ids in the kernel that hold the address of backend N, 10.2.N.2.
ids_of() { # N
	lab_map rainbow_backend | jq -r --argjson n "$1" '.[].formatted | select(.value.port == 8080) |
		select([.value.address.octet[] | tonumber] | .[13:15] == [2, $n]) | .key' | paste -sd ' '
}

up() { # BACKENDS
	lab_up routed --backends "$1"
	serve_agents "$1"
	lab_rainbowd_start tc
}

# As after a kill -9 between the maps and the commit: the database knows nothing of a backend that has live sessions.
forgotten() {
	part 'a backend with live sessions that the database has never heard of is added again'
	up 2
	ctl service add chat "$(at_service 4)"
	ctl version add chat v1 --backend "$(lab_backend 1):8080"
	lab_rainbowd_stop
	cp -r "$LAB_DIR/state" "$LAB_DIR/older"
	lab_rainbowd_start tc
	ctl backend add chat v1 "$(lab_backend 2):8080"
	sessions old 20
	expect_eq 'sessions on backend 2' "$(lab_stat server-2-v2 .live)" 10
	lab_rainbowd_kill
	rm -r "$LAB_DIR/state"
	mv "$LAB_DIR/older" "$LAB_DIR/state"
	lab_rainbowd_start tc
	expect_eq 'backends of v1' "$(version_json chat v1 '.backends | length')" 1
	expect_turns old
	ctl_refused 5 '10 live sessions of service chat' service add other "$(lab_backend 2):8080"
	ctl backend add chat v1 "$(lab_backend 2):8080"
	expect_turns old
	expect_eq 'its live sessions' "$(version_json chat v1 '[.backends[].live] | @csv')" 10,10
	sessions new 10
	expect_eq 'sessions by backend' "$(version_json chat v1 '[.backends[].live] | @csv')" 15,15
	expect_turns old
	expect_turns new
	expect_whole old
	expect_whole new
	expect_no_drift
	lab_down
}

# A version and its service go while the pins of their sessions linger, and are there again at once.
again() {
	local before

	part 'a version, then the service, is removed and added again with the same backends'
	up 3
	add_service chat 4 2
	sessions old 20
	before=$(ids_of 1)
	expect_match 'id of backend 1' "$before" '^[0-9]+$'
	lab_tell old expect-forced v1 >/dev/null
	ctl set-weight chat v2=100
	ctl evict chat v1
	lab_until_stat old 20 '.versions.v1.forced == 20'
	wait_until 10 'v1 to be empty' is_eq 0 version_json chat v1 .sessions.live
	ctl version rm chat v1
	ctl version add chat v3 --backend "$(lab_backend 1):8080"
	expect_eq 'ids of backend 1' "$(ids_of 1)" "$before"
	ctl set-weight chat v3=100
	sessions new 10
	expect_turns new
	expect_whole new
	expect_whole old
	wait_until 5 'the sessions to end' is_eq 0 live_count
	ctl service add mail "$(at_service 4 25)"
	ctl version rm chat v2
	ctl_refused 5 'was a backend of service chat .* try again in [0-9]+ seconds' version add mail v1 --backend "$(lab_backend 2):8080"
	ctl service rm chat
	ctl service add chat "$(at_service 4)" --affinity client
	ctl version add chat v1 --backend "$(lab_backend 1):8080" --backend "$(lab_backend 2):8080"
	expect_eq 'ids of backend 1' "$(ids_of 1)" "$before"
	sessions last 10
	expect_turns last
	expect_whole last
	expect_no_drift
	lab_down
}

forgotten
again
