#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Ghosts: of many silent sessions some clients vanish without a word (their addresses are gone, nobody answers for them). Exactly
# those end, as `vanished`, their backends hear a reset, and their version's drain ends. Meanwhile a third of all packets is lost in
# both directions, and the programs of the others are stopped: none of theirs ends, whatever state it is in. While rainbowd is
# stopped nobody ends, nor when it wakes up.
# GHOSTS=small is one tenth, for make check; GHOSTS=full is 2,000 sessions.
# Takes 60 s.
source "$(dirname "$0")/lib.sh"

readonly IDLE=3 LOSS=30
if [[ ${GHOSTS:-small} == full ]]; then
	readonly LIVE=900 GHOST=100 CYCLES=3
else
	readonly LIVE=180 GHOST=20 CYCLES=1
fi

sessions() { # NAME SERVICE-ADDRESS N [AGENT-CLIENT-OPTIONS...]
	lab_client "$1" --to "$2" --sessions "$3" --interval 0 "${@:4}"
	lab_until_stat "$1" 20 ".live == $3"
}

# Addresses that stay, within the ranges that will vanish: those of `forced` and of the clients of the pool.
keep_some() {
	lab_ip clients route add local 10.1.64.1 dev lo
	lab_ip clients route add local 10.1.66.0/24 dev lo
	lab_ip clients -6 route add local fd00:1:64::1 dev lo
}

# Nobody answers for these any more, and nothing is sent by them: their program is stopped for good.
vanish() {
	kill -s STOP "${LAB_PID[ghosts4]}" "${LAB_PID[ghosts6]}" "${LAB_PID[ghosts-pool]}"
	lab_ip clients route del local 10.1.64.0/18 dev lo
	lab_ip clients -6 route del local fd00:1:64::/64 dev lo
}

# So many of all packets, in each direction. By nftables: not every kernel has netem.
lossy() { # PERCENT
	lab_in clients nft -f - <<-END
		table inet loss {
			chain from { type filter hook input priority 0; numgen random mod 100 < $1 counter drop; }
			chain to { type filter hook output priority 0; numgen random mod 100 < $1 counter drop; }
		}
	END
}

lossless() {
	lab_in clients nft delete table inet loss
}

# label:live:vanished, of all versions with sessions
counts() {
	versions | jq -r 'select(.opened > 0) | "\(.label):\(.live):\(.ended_vanished)"' | sort | tr '\n' ' '
}

ended_otherwise() {
	versions | jq -s 'map(.ended_fin + .ended_reset_client + .ended_reset_server + .ended_idle + .ended_forced) | add'
}

server_heard_resets() { # N LABEL COUNT
	[[ $(lab_stat "server-$1-$2" .ended.reset) == "$3" ]]
}

sets() {
	part 'the setting'
	ctl_refused 2 'at least 1s' service add x "$(at_service 4 90)" --probe-idle 500ms
	ctl_refused 2 'can not be asked' service add x "$(at_service 4 90)/udp" --probe-idle 5m
	ctl service add plain "$(at_service 4 90)"
	expect_eq 'by default' "$(json '.services[] | select(.name == "plain").probe_idle' service list)" 15m
	ctl service set plain --probe-idle 0
	expect_eq 'off' "$(json '.services[] | select(.name == "plain").probe_idle' service list)" 0
	ctl_refused 2 'nothing to set' service set plain
	ctl service rm plain
}

open_all() {
	local family options

	part 'sessions of every kind'
	keep_some
	ctl service add chat4 "$(at_service 4 80)" --probe-idle "${IDLE}s"
	ctl version add chat4 v4 --backend "$(lab_backend 1 4):8080"
	ctl version add chat4 v4b --backend "$(lab_backend 2 4):8090"
	ctl service add chat6 "$(at_service 6 80)" --probe-idle "${IDLE}s"
	ctl version add chat6 v6 --backend "$(lab_backend 2 6):8090"
	ctl service add pool "$(at_service 4 81)" --affinity client --probe-idle "${IDLE}s"
	ctl version add pool p1 --backend "$(lab_backend 3 4):8080"
	ctl version add pool p2 --backend "$(lab_backend 1 4):8081"
	for family in 4 6; do
		ctl service add "states$family" "$(at_service "$family" 83)" --probe-idle "${IDLE}s"
		ctl version add "states$family" "s$family" --backend "$(lab_backend 2 "$family"):8080"
		# Their patience goes on while they are stopped.
		options=(--clients "$(lab_namespace clients)" --service "$(at_service "$family" 83)" --version
			"s$family,$(lab_namespace backend2),$(lab_backend 2 "$family"):8080")
		lab_spawn "forced$family" clients "$E2E_PROGRAMS/forced" "${options[@]}" --each 5 --patience 600
		wait_until 20 'its sessions to be open' grep -q '^ready 30' "$LAB_DIR/forced$family.log"
	done
	sessions live4 "$(at_service 4)" "$LIVE"
	sessions ghosts4 "$(at_service 4)" "$GHOST" --from 10.1.65.1+20
	sessions live6 "$(at_service 6)" "$LIVE"
	sessions ghosts6 "$(at_service 6)" "$GHOST" --from fd00:1:64::100+20
	sessions live-pool "$(at_service 4 81)" 20 --from 10.1.66.1+10
	sessions ghosts-pool "$(at_service 4 81)" 20 --from 10.1.67.1+10
	wait_until 5 'all to be counted' is_eq "p1:20:0 s4:30:0 s6:30:0 v4:$((LIVE + GHOST)):0 v6:$((LIVE + GHOST)):0 " counts
	ctl set-weight chat4 v4b=100
	ctl drain chat4 v4 --deadline none
	ctl set-weight pool p2=100
	ctl drain pool p1 --deadline none
}

# rainbowd sleeps for longer than all asks together would take.
asleep() {
	local before

	part 'rainbowd is stopped, and wakes up'
	before=$(counts)
	kill -s STOP "${LAB_PID[rainbowd]}"
	sleep $((IDLE + 18)) # for this time nothing is to happen, which no condition shows
	kill -s CONT "${LAB_PID[rainbowd]}"
	wait_until 10 'it to answer' lab_ctl status -o json
	expect_eq 'sessions' "$(counts)" "$before"
}

vanishes() {
	local cycle running=(live4 live6 live-pool forced4 forced6) name

	part "clients vanish; $LOSS % of all packets are lost; the others are stopped"
	for name in "${running[@]}"; do
		kill -s STOP "${LAB_PID[$name]}"
	done
	lossy "$LOSS"
	vanish
	[[ ${GHOSTS:-small} != full ]] || asleep
	for ((cycle = 1; cycle <= CYCLES; cycle++)); do
		wait_until 90 'those who vanished to have ended, and nobody else' is_eq \
			"p1:10:10 s4:30:0 s6:30:0 v4:$LIVE:$GHOST v6:$LIVE:$GHOST " counts
		((cycle == CYCLES)) || sleep $((IDLE + 20)) # the others are asked again and again: nothing shows it but that they stay
	done
	expect_eq 'ended by something else' "$(ended_otherwise)" 0
	wait_until 20 'their backends to have heard a reset' server_heard_resets 1 v4 "$GHOST"
	wait_until 20 'also over IPv6' server_heard_resets 2 v6 "$GHOST"
	wait_until 20 'also of the pool' server_heard_resets 3 p1 20
	lossless
	for name in "${running[@]}"; do
		kill -s CONT "${LAB_PID[$name]}"
	done
}

ends() {
	local family

	part 'the others are what they were'
	expect_turns live4
	expect_turns live6
	expect_turns live-pool
	expect_eq 'counts' "$(counts)" "p1:10:10 s4:30:0 s6:30:0 v4:$LIVE:$GHOST v6:$LIVE:$GHOST "
	expect_no_drift
	expect_eq 'vanished, in status' "$(version_json chat4 v4 .sessions.ended.vanished)" "$GHOST"
	for family in 4 6; do # idle, busy, half closed, with zero windows: each end hears its reset, so it lived until now
		ctl evict "states$family" "s$family"
		lab_wait "forced$family" 30 || fail "not every end heard a reset: $(cat "$LAB_DIR/forced$family.log")"
	done
	expect_whole live4
	wait_until 20 'the drain to end' is_eq drained version_json chat4 v4 .state
	expect_whole live-pool
	wait_until 20 'the drain of the pool to end' is_eq drained version_json pool p1 .state
	expect_whole live6
}

lab_up routed --backends 3
lossy 1 2>/dev/null || skip 'this kernel has no nftables'
lossless
lab_server 1 v4 tcp:8080
lab_server 2 v6 tcp:8090
lab_server 3 p1 tcp:8080
lab_rainbowd_start tc
sets
open_all
vanishes
ends
