#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Taking things out under live sessions: a backend, a version, a service; drains that are repeated, held or undone; rollbacks
# and evictions. Each does what it says to exactly those it names.
# Takes 30 s.
source "$(dirname "$0")/lib.sh"

up() { # BACKENDS
	lab_up routed --backends "$1"
	serve_agents "$1"
	lab_rainbowd_start tc
}

sessions() { # NAME N
	lab_client "$1" --to "$(at_service 4)" --sessions "$2" --interval 0
	lab_until_stat "$1" 10 ".live == $2"
}

backends() {
	part 'a backend is removed'
	up 2
	ctl service add chat "$(at_service 4)"
	ctl version add chat v1 --backend "$(lab_backend 1):8080" --backend "$(lab_backend 2):8080"
	sessions old 20
	expect_eq 'live sessions by backend' "$(version_json chat v1 '[.backends[].live] | @csv')" 10,10
	ctl backend rm chat v1 "$(lab_backend 2):8080"
	expect_match 'its answer' "$E2E_OUT" '10 (live )?sessions'
	sessions new 10
	expect_eq 'new sessions on the other' "$(lab_stat new .versions.v1.live)" 10
	expect_turns old
	ctl_refused 5 'last backend' backend rm chat v1 "$(lab_backend 1):8080"
	ctl backend add chat v1 "$(lab_backend 2):8080" # back again, with its sessions
	sessions again 10
	expect_eq 'the fewest live sessions decide' "$(lab_stat again .versions.v2.live)" 10
	ctl backend rm chat v1 "$(lab_backend 2):8080"
	expect_whole old
	expect_whole again
	wait_until 40 'the removed backend to be gone' is_eq 1 version_json chat v1 '.backends | length'
	expect_turns new
	expect_no_drift
	expect_whole new
	lab_down
}

# A removed one keeps its entry, drained, until no pin and no handshake can hold its id any more.
active_versions() {
	versions | jq -r 'select(.state == "RAINBOW_VERSION_ACTIVE") | .label'
}

versions_and_services() {
	part 'a version and a service are removed'
	up 3
	add_service chat 4 2
	sessions old 10
	ctl_refused 5 'v1 takes all new sessions' version rm chat v1
	ctl set-weight chat v2=100
	ctl_refused 5 'v1 .*10 live sessions' version rm chat v1
	ctl_refused 5 '10 live sessions' service rm chat
	ctl drain chat v1 --deadline 1h
	ctl_refused 5 '10 live sessions' version rm chat v1
	expect_turns old
	expect_whole old
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
	ctl version rm chat v1
	expect_eq 'active versions in the kernel' "$(active_versions)" 'v2'
	sessions new 10
	expect_eq 'new sessions on v2' "$(lab_stat new .versions.v2.live)" 10
	ctl version add chat v1 --backend "$(lab_backend 1):8080" # the name may be used again
	expect_eq 'the new v1' "$(version_json chat v1 '.sessions | "\(.live) \(.opened)"')" '0 0'
	expect_whole new
	wait_until 5 'the sessions to end' is_eq 0 live_count
	ctl service rm chat
	expect_eq 'services' "$(json '.services | length' service list)" 0
	expect_eq 'active versions in the kernel' "$(active_versions)" ''
	add_service chat 4 3 # and once more
	sessions last 10
	expect_turns last
	expect_whole last
	lab_down
}

drain_of() { # JQ-FILTER
	version_json chat v1 ".drain | $1"
}

drains() {
	local started

	part 'drains: repeated, held, undone'
	up 2
	add_service chat 4 2
	sessions old 10
	ctl set-weight chat v1=50 v2
	ctl drain chat v1
	expect_eq 'new share of v2' "$(version_json chat v2 .weight)" 100
	expect_eq 'hours to its deadline, by default' "$(drain_of '((.deadline | fromdate) - (.started | fromdate)) / 3600')" 24
	started=$(drain_of .started)
	wait_until 5 'the second to turn' is_later "$started"
	ctl drain chat v1 --deadline none
	expect_eq 'start and deadline' "$(drain_of '"\(.started) \(.deadline)"')" "$started null"
	ctl drain chat v1 --deadline 1s --on-deadline hold
	expect_eq 'start' "$(drain_of .started)" "$started"
	wait_until 10 'the deadline to pass' is_eq true drain_of '.deadline | fromdate < now - 1'
	expect_turns old # held: overdue, and alive
	expect_eq 'state and remaining' "$(version_json chat v1 '"\(.state) \(.drain.remaining)"')" 'draining 10'
	ctl undrain chat v1
	expect_eq 'state and weight' "$(version_json chat v1 '"\(.state) \(.weight)"')" 'active 0'
	expect_turns old
	ctl drain chat v1 --deadline 1s
	lab_tell old expect-forced v1 >/dev/null
	lab_until_stat old 20 '.versions.v1.forced == 10'
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
	ctl undrain chat v1
	ctl set-weight chat v1=100
	sessions new 10
	expect_eq 'sessions of v1 after the undrain' "$(lab_stat new .versions.v1.live)" 10
	expect_no_drift
	expect_whole new
	lab_down
}

is_later() { # RFC-3339
	(($(date +%s) > $(date -d "$1" +%s)))
}

# While rainbowd closes sessions, one after the other, the order to do so is taken back.
undone_at_the_deadline() {
	local left

	part 'a drain is undone while its sessions are being closed'
	up 2
	add_service chat 4 2
	sessions old 400
	ctl set-weight chat v2=100
	lab_tell old expect-forced v1 >/dev/null
	ctl drain chat v1 --deadline 1s
	wait_until 10 'the first sessions to be closed' is_between 1 390 version_count v1 ended_forced
	ctl rollback chat --to v1
	left=$(version_count v1 live)
	expect_between 'sessions left' "$left" 1 399
	expect_turns old
	expect_no_drift
	sessions new 10
	expect_eq 'new sessions of v1' "$(lab_stat new .versions.v1.live)" 10
	expect_turns old
	expect_eq 'sessions left, later' "$(version_count v1 live)" "$((left + 10))"
	lab_until_stat old 10 ".versions.v1 | .forced == $((400 - left)) and .live == $left"
	lab_down
}

is_between() { # LEAST MOST COMMAND...
	local least=$1 most=$2 got

	shift 2
	got=$("$@") && ((got >= least && got <= most))
}

rollbacks() {
	part 'rollbacks'
	up 3
	add_service chat 4 3
	sessions first 10
	ctl set-weight chat v2=10 v1
	ctl set-weight chat v2=100
	sessions second 10
	ctl rollback chat # the largest before the last change was v1
	expect_eq 'shares' "$(json '[.services[0].versions[].weight] | @csv' status)" 100,0,0
	expect_turns second
	ctl set-weight chat v3=100
	sessions third 10
	lab_tell third expect-forced v3 >/dev/null
	ctl rollback chat --to v2 --sessions reset
	lab_until_stat third 20 '.versions.v3.forced == 10'
	expect_eq 'ended by force' "$(version_count v3 ended_forced)" 10
	expect_eq 'shares' "$(json '[.services[0].versions[].weight] | @csv' status)" 0,100,0
	ctl rollback chat --to v1 --sessions drain
	expect_eq 'state of v2' "$(version_json chat v2 .state)" draining
	expect_turns first
	expect_turns second
	expect_no_drift
	expect_whole first
	expect_whole second
	lab_down
}

evictions() {
	local began

	part 'evictions'
	up 2
	add_service chat 4 2
	sessions old 10
	lab_tell old expect-forced v1 >/dev/null
	wait_until 10 'them to be two seconds old' is_eq true version_json chat v1 '.oldest_seconds >= 3'
	sessions young 10
	ctl evict chat v1 --older-than 2s
	lab_until_stat old 20 '.versions.v1.forced == 10'
	expect_turns young
	expect_eq 'live and forced' "$(version_count v1 live) $(version_count v1 ended_forced)" '10 10'
	lab_tell young expect-forced v1 >/dev/null
	began=${EPOCHREALTIME/./}
	ctl evict chat v1 --rate 5/s
	lab_until_stat young 20 '.versions.v1.forced == 10'
	expect_between 'milliseconds for 10 sessions at 5 a second' $(((${EPOCHREALTIME/./} - began) / 1000)) 1000 6000
	sessions next 10
	expect_eq 'new sessions of v1, which is active' "$(lab_stat next .versions.v1.live)" 10
	expect_no_drift
	expect_whole next
	lab_down
}

# A session without a packet for its idle timeout has ended, and its ends are told.
idle_timeouts() {
	part 'idle timeouts'
	up 1
	ctl service add chat "$(at_service 4)" --idle-timeout 2s
	ctl version add chat v1 --backend "$(lab_backend 1):8080"
	ctl service add datagrams "$(at_service 4)/udp" --idle-timeout 2s
	ctl version add datagrams u1 --backend "$(lab_backend 1):8080"
	sessions idle 10
	lab_client busy --to "$(at_service 4)" --sessions 10 --interval 300
	lab_client udp --udp --to "$(at_service 4)" --sessions 10 --interval 0
	lab_until_stat udp 10 '.live == 10'
	expect_turns udp
	lab_tell idle expect-forced v1 >/dev/null
	wait_until 15 'the idle sessions to end' is_eq 10 version_count v1 ended_idle
	wait_until 15 'those over UDP, too' is_eq 10 version_count u1 ended_idle
	lab_until_stat idle 15 '.versions.v1.forced == 10'
	expect_eq 'live sessions, busy ones' "$(version_count v1 live)" 10
	expect_no_drift
	expect_whole busy
	lab_down
}

backends
versions_and_services
drains
undone_at_the_deadline
rollbacks
evictions
idle_timeouts
