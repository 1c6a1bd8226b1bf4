# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The rows of the comparison about behaviour and memory, for the contender that is up. Sessions are those of agent-client and
# agent-server, which check in every turn that version, backend and conversation are those of the greeting. Each row opens
# sessions of its own, does one thing, asks every session for a turn, and appends to the results
# {"contender", "row", "sessions", "moved", "lost", ...}. Sourced by bench-peers.sh.

declare -A PEERS_CLIENTS=() # those that run

result_of() { # ROW JSON-OBJECT
	jq -cn --arg contender "$CONTENDER" --arg row "$1" --argjson more "$2" '{$contender, $row} + $more' >>"$RESULTS"
}

chat_servers_start() {
	lab_server 1 v1 tcp:8081 -- --tokens 1 --pause 1
	lab_server 2 v2 tcp:8081 -- --tokens 1 --pause 1
}

chat_servers_stop() {
	lab_end server-1-v1 KILL
	lab_end server-2-v2 KILL
}

crowd_open() { # NAME SESSIONS INTERVAL [AGENT-CLIENT-ARGUMENTS...]
	local name=$1 sessions=$2 interval=$3

	shift 3
	peers_targets 81 8081
	lab_client "$name" "${TARGETS[@]}" --sessions "$sessions" --rate 4000 --interval "$interval" --timeout "$PATIENCE_MS" "$@"
	PEERS_CLIENTS[$name]=1
	lab_until_stat "$name" 30 ".live == $sessions"
}

crowds_end() {
	local name

	for name in "${!PEERS_CLIENTS[@]}"; do
		lab_end "$name" KILL
	done
	PEERS_CLIENTS=()
}

# Every session that is left takes a turn now; those that do not answer in time are lost.
crowd_settle() { # NAME
	lab_tell "$1" interval 0 >/dev/null
	lab_until_stat "$1" 40 '.waiting == 0'
	lab_tell "$1" turn all >/dev/null
	lab_until_stat "$1" 40 '.waiting == 0'
}

crowd_losses() { # NAME SESSIONS: moved and lost, as JSON
	lab_stat "$1" "{moved, lost: ($2 - .live - .moved)}"
}

# Idle and busy sessions, half of each, and one thing done to the contender.
row_change() { # ROW COMMAND...
	local row=$1 half=$((SESSIONS / 2)) losses shown

	shift
	crowd_open idle "$half" 0
	crowd_open busy "$half" 500
	"$@"
	crowd_settle idle
	crowd_settle busy
	shown=$(peers_do counts)
	losses=$({ crowd_losses idle "$half" && crowd_losses busy "$half"; } | jq -cs --argjson n $((half * 2)) \
		--argjson shown "$shown" '{sessions: $n, moved: (map(.moved) | add), lost: (map(.lost) | add),
		shown: ($shown | if . then add else null end)}')
	crowds_end
	result_of "$row" "$losses"
}

# The contender must have heard: new sessions are all of v2.
expect_new_sessions_of_v2() {
	crowd_open new 30 0
	[[ $(lab_stat new '.versions | keys | @csv') == '"v2"' ]] ||
		{ lab_say "$CONTENDER: new sessions are not all of v2: $(lab_tell new stats)" && return 1; }
	lab_tell new quit >/dev/null
	lab_wait new 10
	unset 'PEERS_CLIENTS[new]'
}

change_weights() {
	peers_do weights 0 100
	expect_new_sessions_of_v2
}

drain() {
	peers_do weights 50 50
	peers_do drain
	expect_new_sessions_of_v2
}

# Spoofed SYNs beside sessions and beside new ones that keep coming, each for one turn.
flood_beside() {
	crowd_open fresh 20 50 --turns 1 --replace
	flood "$SERVICE:81" "$FLOOD_SYNS"
	lab_tell fresh replace 0 >/dev/null
	lab_until_stat fresh 40 '.opening == 0 and .live == 0'
	FRESH=$(lab_stat fresh "{opened, refused: (.refused + .unanswered), fresh_lost: (.lost + .moved), syns: $SENT}")
}

row_flood() {
	row_change flood flood_beside
	result_of flood_fresh "$FRESH"
}

# Sessions of which a tenth vanishes: a rule swallows all that their address sends, their FINs, too. What is shown then?
row_counts() {
	local gone=$((COUNTED / 10)) address=10.1.64.$((9 + ${SERVICE##*.})) live shown

	crowd_open stay $((COUNTED - gone)) 0
	crowd_open gone "$gone" 0 --from "$address"
	lab_ip clients rule add from "$address" blackhole
	lab_end gone KILL
	unset 'PEERS_CLIENTS[gone]'
	live=$(lab_stat stay '.versions | map_values(.live) | @json')
	# With --probe-idle rainbow finds them by and by; the others get the same time.
	if [[ $CONTENDER != rainbow-* ]] || ((${#RAINBOW_CHAT[@]} == 0)); then
		shown=$(peers_do counts)
	else
		lab_until 60 'the ghosts to be found' counts_are "$live" || true
		shown=$(peers_do counts)
	fi
	crowds_end
	result_of counts "$(jq -cn --argjson live "$live" --argjson shown "$shown" --argjson gone "$gone" --arg by "$(peers_do note)" \
		'{$live, $shown, $gone, $by}')"
}

counts_are() { # JSON
	[[ $(peers_do counts | jq -cS .) == "$(jq -cS . <<<"$1")" ]]
}

behaviour_rows() {
	chat_servers_start
	row_change weights change_weights
	row_change drain drain
	peers_do undrain
	peers_do weights 50 50
	row_change reload peers_do reload
	row_flood
	row_change crash peers_do crash
	row_counts
	chat_servers_stop
}

# --- memory ------------------------------------------------------------------------------------------------------------------

object_size() { # SLAB...: bytes of one object of each, added
	awk -v names=" $* " 'index(names, " " $1 " ") { sum += $4 } END { print sum + 0 }' /proc/slabinfo
}

# Proportional set size of a program and its children, in bytes.
family_pss() { # NAME
	local pid=${LAB_PID[$1]} of

	for of in $pid $(cat "/proc/$pid/task/$pid/children"); do
		cat "/proc/$of/smaps_rollup"
	done | awk '$1 == "Pss:" { sum += $2 } END { print sum * 1024 }'
}

router_sockets() {
	lab_in router ss -Htn state established | wc -l
}

# Bytes of the maps that sessions live in (all maps with `all`).
rainbow_maps() { # [all]
	local map

	for map in "$LAB_PINS"/*; do
		[[ -n ${1:-} || ${map##*/} == rainbow_pin || ${map##*/} == rainbow_table ]] || continue
		bpftool -j map show pinned "$map" 2>/dev/null | jq '.bytes_memlock // 0'
	done | awk '{ sum += $1 } END { print sum + 0 }'
}

# What the contender holds at this moment: bytes.
memory_held() {
	local socket

	case $CONTENDER in
	rainbow-*) printf '%d' $(($(rainbow_maps all) + $(family_pss rainbowd))) ;;
	nftables) # each entry has its object and, for NAT, an extension of 128 bytes
		printf '%d' $(($(lab_in router conntrack -C) * ($(object_size nf_conntrack) + 128))) ;;
	*)
		socket=$(object_size TCP sock_inode_cache dentry filp eventpoll_epi)
		printf '%d' $(($(family_pss "$CONTENDER") + $(router_sockets) * socket))
		;;
	esac
}

row_memory() {
	local before after capacity bytes

	chat_servers_start
	before=$(memory_held)
	crowd_open idle "$IDLE" 0
	after=$(memory_held)
	crowds_end
	chat_servers_stop
	if [[ $CONTENDER == rainbow-* ]]; then
		capacity=$(lab_ctl status -o json | jq .daemon.pins.limit)
		bytes=$(($(rainbow_maps) / capacity))
	else
		bytes=$(((after - before) / IDLE))
	fi
	result_of memory "$(jq -cn --argjson sessions "$IDLE" --argjson before "$before" --argjson after "$after" \
		--argjson bytes "$bytes" '{$sessions, $before, $after, $bytes}')"
}
