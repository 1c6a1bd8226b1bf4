# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What happens to rainbow in `make torture`: one function an event, event_NAME. Each says to the oracle beforehand what sessions may
# meet by it (an excuse), and takes that back as soon as it no longer holds; so what is not ordered is a failure. An event returns 0
# if it happened, 1 if it did not fit the state. All draws come from RANDOM, which the seed set. Sourced by scripts/torture.sh.

# Name and weight. The order and weights are part of what a seed means.
readonly CHAOS_EVENTS=(
	weights:12 drain:7 undrain:9 rollback:3 evict:3 version_add:4 version_rm:4 backend_add:3 backend_rm:3 steer_add:3 steer_rm:2
	kill:5 stop:3 upgrade:4 kill_command:3 hangup:2 resize:2
	link_client:2 link_router:2 link_backend:3 crash:4 weather:5 fair:3
	syn_flood:2 ack_flood:2 stranger:8 forged:3
	finish:3 reset:3 half_close:3 vanish:3 stall:2 reuse:3
	clock:3 disk:2 table_full:2 memory:2 bpffs:2
)
readonly CHAOS_LABELS=(v1 v2 v3 v4 v5 v6)

# shellcheck disable=SC2034 # for scripts/torture.sh
declare -A CHAOS_DONE=() # by event
declare -A CHAOS_REMOVED=() # "label replica" of backends taken away
declare -A CHAOS_STEERS=()  # range -> label
CHAOS_TOLD=' '              # what can not be done here and was told
CHAOS_WEATHER=
CHAOS_CLOCK=0
CHAOS_MAY_FAIL= # set while a command may be refused for want of disk or memory

# --- drawing ---------------------------------------------------------------------------------------------------------------

draw() { # LESS-THAN: a number in DRAWN; not from a subshell, which would draw the same again
	DRAWN=$((((RANDOM << 15) | RANDOM) % $1))
}

draw_from() { # WORDS...: one of them in DRAWN; fails without any
	(($# > 0)) || return 1
	draw $#
	shift "$DRAWN"
	DRAWN=$1
}

chaos_draw_event() { # the name of an event in DRAWN
	local event sum=0 at

	for event in "${CHAOS_EVENTS[@]}"; do
		sum=$((sum + ${event#*:}))
	done
	draw "$sum"
	at=$DRAWN
	for event in "${CHAOS_EVENTS[@]}"; do
		at=$((at - ${event#*:}))
		((at >= 0)) || break
	done
	DRAWN=${event%:*}
}

# A line for the reader and for the oracle's failures.
chaos_note() { # WORDS...
	local ms

	read -r ms _ </proc/uptime
	printf '%d%s0 %s\n' "${ms%.*}" "${ms#*.}" "$*" >>"$LAB_DIR/events"
	say "  $*"
}

chaos_tell_once() { # WHAT WHY
	[[ $CHAOS_TOLD != *" $1 "* ]] || return 0
	CHAOS_TOLD+="$1 "
	say "left out, $1: $2"
}

# --- orders to rainbow -------------------------------------------------------------------------------------------------------

labels_where() { # JQ-CONDITION: one a line
	json ".services[0].versions[] | select($1) | .label" status
}

# Tells the oracle where new sessions go from now on.
allow_now() {
	oracle_all allow "$(json '[.services[0].versions[] | select(.weight > 0) | .label] | join(",")' status)"
}

# A command to rainbow. Exit code 5, it does not fit the state, is an answer, too.
order() { # RAINBOWCTL-ARGUMENTS...
	local code=0 said

	said=$(timeout 30 "$LAB_BUILD/rainbowctl" --socket "$LAB_DIR/rainbow.sock" "$@" 2>&1) || code=$?
	chaos_note "rainbowctl $*: $code: $said"
	((code == 0 || code == 5)) || [[ -n $CHAOS_MAY_FAIL ]] || fail "rainbowctl $*: exit code $code: $said"
	return $((code != 0))
}

# A command that changes where new sessions go: P2 is judged by what it says before and after.
order_wheel() { # RAINBOWCTL-ARGUMENTS...
	local code=0

	oracle_all allow any
	order "$@" || code=$?
	allow_now
	return "$code"
}

event_weights() {
	local labels label left=1000 share words=()

	mapfile -t labels < <(labels_where '.state == "active"')
	((${#labels[@]} > 0)) || return 1
	draw "${#labels[@]}"
	labels=("${labels[@]:DRAWN}" "${labels[@]:0:DRAWN}")
	draw 2
	if ((DRAWN == 0)); then # all to one
		order_wheel set-weight chat "${labels[0]}=100"
		return
	fi
	for label in "${labels[@]:1}"; do
		draw 2
		((DRAWN == 0)) || draw $((left + 1)) # half of them get nothing: by what meets those, P2 is judged
		share=$DRAWN left=$((left - DRAWN))
		words+=("$label=$((share / 10)).$((share % 10))")
	done
	order_wheel set-weight chat "${words[@]}" "${labels[0]}"
}

steers_drop() { # [LABEL]: rules that lead there, or all: a rule to a version that drains is not followed
	local range

	for range in "${!CHAOS_STEERS[@]}"; do
		[[ -z ${1:-} || ${CHAOS_STEERS[$range]} == "$1" ]] || continue
		oracle_all steer "$range" any
		order steer rm chat "$range" || fail "the steer rule for $range is not there"
		oracle_all steer "$range"
		unset "CHAOS_STEERS[$range]"
	done
}

event_drain() {
	local labels

	mapfile -t labels < <(labels_where '.state == "active"')
	((${#labels[@]} > 1)) || return 1
	draw_from "${labels[@]}"
	local label=$DRAWN

	draw 6
	steers_drop "$label"
	oracle_all excuse forced "$label" on
	order_wheel drain chat "$label" --deadline "$((DRAWN + 1))s" || oracle_all excuse forced "$label" off
}

event_undrain() {
	local labels

	mapfile -t labels < <(labels_where '.state != "active"')
	draw_from "${labels[@]}" || return 1
	local label=$DRAWN

	order undrain chat "$label" || return 1
	oracle_all excuse forced "$label" off
}

event_rollback() {
	local labels label

	mapfile -t labels < <(labels_where '.state == "active"')
	((${#labels[@]} > 1)) || return 1
	draw_from "${labels[@]}"
	local to=$DRAWN

	steers_drop
	draw_from keep keep drain reset
	local what=$DRAWN

	if [[ $what == reset ]]; then
		for label in "${CHAOS_LABELS[@]}"; do
			[[ $label == "$to" ]] || oracle_all excuse forced "$label" on
		done
	fi
	order_wheel rollback chat --to "$to" --sessions "$what" || true
	[[ $what != reset ]] || evictions_stop
}

# Ends every eviction: an order that no session is old enough for takes its place.
evictions_stop() {
	local labels label

	mapfile -t labels < <(labels_where '.state == "active"')
	for label in "${labels[@]}"; do
		order evict chat "$label" --older-than 1000d || true
		oracle_all excuse forced "$label" off
	done
}

event_evict() {
	local labels

	mapfile -t labels < <(labels_where '.state == "active"')
	draw_from "${labels[@]}" || return 1
	local label=$DRAWN

	oracle_all excuse forced "$label" on
	draw 100
	order evict chat "$label" --rate "$((50 + DRAWN))/s" || true
	pause 1500
	order evict chat "$label" --older-than 1000d || true
	oracle_all excuse forced "$label" off
}

version_add() { # LABEL
	local words=() j

	for ((j = 0; j < REPLICAS; j++)); do
		words+=(--backend "$(replica_address "$1" "$j")")
		unset "CHAOS_REMOVED[$1 $j]"
	done
	oracle_all excuse forced "$1" off
	order_wheel version add chat "$1" "${words[@]}"
}

event_version_add() {
	local have label free=()

	have=" $(labels_where true | tr '\n' ' ')"
	for label in "${CHAOS_LABELS[@]}"; do
		[[ $have == *" $label "* ]] || free+=("$label")
	done
	draw_from "${free[@]}" || return 1
	# An address is free again when the last pin of its old version is; till then the command is refused.
	version_add "$DRAWN" || true
}

event_version_rm() {
	local labels

	mapfile -t labels < <(labels_where '.state == "drained" and .sessions.live == 0')
	draw_from "${labels[@]}" || return 1
	steers_drop "$DRAWN"
	order_wheel version rm chat "$DRAWN" || true
}

event_backend_rm() {
	local labels

	mapfile -t labels < <(labels_where 'true')
	draw_from "${labels[@]}" || return 1
	local label=$DRAWN

	draw "$REPLICAS"
	[[ -z ${CHAOS_REMOVED[*]:-} ]] || return 1 # one at a time: each version keeps one
	order backend rm chat "$label" "$(replica_address "$label" "$DRAWN")" || return 1
	CHAOS_REMOVED["$label $DRAWN"]=yes
}

event_backend_add() {
	local what

	for what in "${!CHAOS_REMOVED[@]}"; do
		order backend add chat "${what% *}" "$(replica_address "${what% *}" "${what#* }")" || return 1
		unset "CHAOS_REMOVED[$what]"
		return 0
	done
	return 1
}

event_steer_add() {
	local labels range label

	mapfile -t labels < <(labels_where '.state == "active"')
	draw_from "${labels[@]}" || return 1
	label=$DRAWN
	draw 16
	range=10.1.$((64 + DRAWN)).0/24
	oracle_all steer "$range" any
	order steer add chat "$range" "$label"
	oracle_all steer "$range" "$label"
	CHAOS_STEERS[$range]=$label
}

event_steer_rm() {
	draw_from "${CHAOS_STEERS[@]}" || return 1
	steers_drop "$DRAWN"
}

# --- rainbowd ----------------------------------------------------------------------------------------------------------------

daemon_start() {
	lab_rainbowd_start "$HOOK" --max-sessions "$TABLE" || true
	lab_until 60 'rainbowd to answer' lab_ctl status -o json ||
		fail "rainbowd did not start: $(tail -n 5 "$LAB_DIR/rainbowd.log")"
}

event_kill() {
	lab_end rainbowd KILL
	chaos_note 'rainbowd killed (KILL)'
	draw 2500
	pause "$DRAWN"
	daemon_start
	chaos_note 'rainbowd started'
}

event_stop() {
	kill -s STOP "${LAB_PID[rainbowd]}"
	chaos_note 'rainbowd stopped (STOP)'
	draw 4000
	pause "$DRAWN"
	kill -s CONT "${LAB_PID[rainbowd]}"
	chaos_note 'rainbowd continued (CONT)'
}

event_upgrade() {
	if [[ $DAEMON == "$LAB_BUILD/rainbowd" ]]; then
		DAEMON=$LAB_BUILD/next/rainbowd
	else
		DAEMON=$LAB_BUILD/rainbowd
	fi
	draw_from TERM KILL
	lab_end rainbowd "$DRAWN"
	daemon_wrap
	daemon_start
	chaos_note "rainbowd ended by $DRAWN, and $DAEMON started"
}

# Killed while it carries out a command: which must then be done, or not be done.
event_kill_command() {
	local labels pid

	mapfile -t labels < <(labels_where '.state == "active"')
	draw_from "${labels[@]}" || return 1
	oracle_all allow any
	lab_ctl set-weight chat "$DRAWN=100" >/dev/null 2>&1 &
	pid=$!
	draw 12
	pause "$DRAWN"
	lab_end rainbowd KILL
	wait "$pid" || true
	chaos_note "rainbowd killed $DRAWN ms after a set-weight began"
	daemon_start
	allow_now
}

event_hangup() {
	kill -s HUP "${LAB_PID[rainbowd]}"
	chaos_note 'rainbowd: HUP'
}

event_resize() {
	local larger=$((TABLE * 5 / 4)) limit

	[[ $CHAOS_TOLD != *' resize '* ]] || return 1
	lab_end rainbowd TERM
	if ! lab_rainbowd_start "$HOOK" --max-sessions "$larger" 2>/dev/null; then
		chaos_tell_once resize "rainbowd refuses another --max-sessions: $(tail -n 1 "$LAB_DIR/rainbowd.log")"
		daemon_start
		return 1
	fi
	lab_until 60 'rainbowd to answer' lab_ctl status -o json || fail 'rainbowd does not answer after a resize'
	limit=$(json .daemon.pins.limit status)
	chaos_note "rainbowd started with --max-sessions $larger: room for $limit"
	if ((limit >= larger)); then
		TABLE=$larger
	else
		chaos_tell_once resize "rainbowd keeps the table as it is ($limit, not $larger)"
	fi
}

# --- links, backends, weather -------------------------------------------------------------------------------------------------

event_link_client() { # the far end: the router loses the carrier
	oracle_all excuse delayed link on
	oracle_all excuse refused link on # a host without a route to its peer forgets a half-open handshake
	lab_ip clients link set eth0 down
	chaos_note 'the clients link is down'
	draw 1500
	pause "$DRAWN"
	lab_ip clients link set eth0 up
	lab_ip clients route replace default via 10.1.0.1
	chaos_note 'the clients link is up'
	oracle_all excuse delayed link off
	oracle_all excuse refused link off
}

event_link_router() { # the near end, which rainbow is attached to
	local range interface=${LAB_HOOKS[0]}

	oracle_all excuse delayed link on
	oracle_all excuse refused link on
	lab_ip router link set "$interface" down
	chaos_note "$interface is down"
	draw 1500
	pause "$DRAWN"
	lab_ip router link set "$interface" up
	for range in 10.1.64.0/18 10.99.0.0/16; do
		lab_ip router route replace "$range" via 10.1.0.2
	done
	chaos_note "$interface is up"
	oracle_all excuse delayed link off
	oracle_all excuse refused link off
}

event_link_backend() {
	draw "$LAB_BACKENDS"
	local n=$((DRAWN + 1)) route

	route=$(lab_ip "backend$n" route show default)
	oracle_all excuse delayed backend-link on
	# It is unreachable while it does not answer for its address, and it forgets half-open handshakes whose SYN-ACK it can not send.
	oracle_all excuse refused backend-link on
	lab_ip "backend$n" link set eth0 down
	chaos_note "backend$n is down"
	draw 1500
	pause "$DRAWN"
	lab_ip "backend$n" link set eth0 up
	# shellcheck disable=SC2086 # words
	lab_ip "backend$n" route replace ${route% linkdown}
	chaos_note "backend$n is up"
	oracle_all excuse delayed backend-link off
	oracle_all excuse refused backend-link off
}

event_crash() {
	draw_from "${CHAOS_LABELS[@]}"
	local label=$DRAWN name

	draw "$REPLICAS"
	name=$(replica_name "$label" "$DRAWN")
	oracle_all excuse crashed "$name" on
	oracle_all unstall "$name"
	lab_end "$(replica_server "$label" "$DRAWN")" KILL
	chaos_note "$name crashed"
	local replica=$DRAWN

	draw 1000
	pause "$DRAWN"
	replica_start "$label" "$replica"
	chaos_note "$name is back"
	oracle_all excuse crashed "$name" off
}

# The places where it rains: what leaves the clients and what leaves the backends.
weather_places() {
	local n

	printf '%s\n' clients
	for ((n = 1; n <= LAB_BACKENDS; n++)); do
		printf 'backend%d\n' "$n"
	done
}

weather_prepare() {
	local where object=$LAB_BUILD/tests/torture/weather.bpf.o

	for where in $(weather_places); do
		lab_ip "$where" link add detour0 index 900 type veth peer name detour1
		lab_ip "$where" link set detour0 up
		lab_ip "$where" link set detour1 up
		tc -n "$(lab_namespace "$where")" qdisc add dev detour0 root tbf rate 2mbit burst 3000 latency 200ms
		tc -n "$(lab_namespace "$where")" qdisc add dev detour1 clsact
		tc -n "$(lab_namespace "$where")" qdisc add dev eth0 clsact
		tc -n "$(lab_namespace "$where")" filter add dev detour1 ingress bpf da obj "$object" sec weather/detour
	done
}

weather_set() { # drizzle|storm|fair
	local where

	for where in $(weather_places); do
		tc -n "$(lab_namespace "$where")" filter del dev eth0 egress 2>/dev/null || true
		[[ $1 == fair ]] || tc -n "$(lab_namespace "$where")" filter add dev eth0 egress bpf da \
			obj "$LAB_BUILD/tests/torture/weather.bpf.o" sec "weather/$1"
	done
}

event_weather() {
	[[ -z $CHAOS_WEATHER ]] || return 1
	draw_from drizzle drizzle storm
	CHAOS_WEATHER=$DRAWN
	oracle_all excuse delayed weather on
	[[ $DRAWN != storm ]] || oracle_all excuse refused weather on # a handshake may not get through at all
	weather_set "$DRAWN"
	chaos_note "weather: $DRAWN"
}

event_fair() {
	[[ -n $CHAOS_WEATHER ]] || return 1
	weather_set fair
	CHAOS_WEATHER=
	chaos_note 'weather: fair'
	oracle_all excuse delayed weather off
	oracle_all excuse refused weather off
}

# --- strangers ---------------------------------------------------------------------------------------------------------------

flood() { # PACKET
	lab_spawn "flood" clients "$LAB_BUILD/tests/lab/flood" --interface eth0 --from 10.99.0.0/16 --to "$LAB_SERVICE4:80" \
		--count 20000 --rate 10000 --duration 4s --packet "$1"
	chaos_note "a flood of 20,000 $1"
}

event_syn_flood() { # half-open: their SYN-ACKs come to addresses where nobody is
	! lab_runs flood || return 1
	flood syn
}

event_ack_flood() {
	! lab_runs flood || return 1
	draw_from ack rst
	flood "$DRAWN"
}

stranger() { # NAMESPACE KIND ARGUMENTS...
	local where=$1 kind=$2

	shift 2
	oracle_list "$LAB_DIR/targets"
	[[ -s $LAB_DIR/targets ]] || return 1
	draw 1000000
	lab_in "$where" "$LAB_BUILD/tests/torture/stranger" --sessions "$LAB_DIR/targets" --service "$LAB_SERVICE4:80" --kind "$kind" \
		--count 5000 --rate 10000 --seed "$DRAWN" "$@" >/dev/null
	chaos_note "a stranger in $where sent 5,000 $kind $*"
}

# With guessed sequence numbers, in the name of one end of a live session.
event_stranger() {
	draw_from rst rst fin fin syn ack data
	local kind=$DRAWN

	draw 2
	if ((DRAWN == 0)); then
		stranger clients "$kind"
	else
		draw_from "${CHAOS_LABELS[@]}"
		local label=$DRAWN

		draw "$REPLICAS"
		stranger "backend$(replica_backend "$label" "$DRAWN")" "$kind" --as "$(replica_address "$label" "$DRAWN")"
	fi
}

event_forged() {
	draw 2
	if ((DRAWN == 0)); then # the last of a handshake that never began
		stranger clients ack --strange
	else # an answer that nobody asked for
		draw_from "${CHAOS_LABELS[@]}"
		stranger "backend$(replica_backend "$DRAWN" 0)" syn-ack --as "$(replica_address "$DRAWN" 0)" --strange
	fi
}

# --- clients -----------------------------------------------------------------------------------------------------------------

leave() { # HOW-MANY MANNER
	oracle_all leave "$1" "$2"
	chaos_note "of each oracle, $1 sessions end: $2"
}

event_finish() {
	draw $((SESSIONS / ORACLES / 20 + 1))
	leave "$DRAWN" fin
}

event_reset() {
	draw $((SESSIONS / ORACLES / 20 + 1))
	leave "$DRAWN" rst
}

event_half_close() {
	draw 20
	leave "$DRAWN" half
}

event_vanish() {
	draw 20
	leave "$DRAWN" vanish
}

event_stall() {
	draw 5
	leave "$DRAWN" stall
}

event_reuse() {
	oracle_all reuse 10
	chaos_note 'ports of vanished clients are used again'
}

# --- want: of time, disk, room, memory, bpffs -----------------------------------------------------------------------------------

# The wall clock of rainbowd alone jumps (libfaketime); that of the machine is not ours to touch. Only while no drain has a deadline: that
# is an hour on the wall, and comes when the wall says so.
event_clock() {
	[[ -n $FAKETIME ]] || return 1
	[[ -z $(labels_where '.state == "draining"') ]] || return 1
	draw_from -86400 -3600 -60 60 3600 86400
	CHAOS_CLOCK=$((CHAOS_CLOCK + DRAWN))
	clock_write
	chaos_note "the wall clock of rainbowd jumps by $DRAWN s"
	pause 1200
}

clock_write() {
	printf '%+d\n' "$CHAOS_CLOCK" >"$LAB_DIR/clock"
}

event_disk() {
	dd if=/dev/zero of="$LAB_DIR/state/filler" bs=64k >/dev/null 2>&1 || true
	chaos_note 'the disk is full'
	CHAOS_MAY_FAIL=yes
	event_weights || true
	event_weights || true
	draw_from yes no
	if [[ $DRAWN == yes ]]; then
		lab_end rainbowd KILL
		chaos_note 'rainbowd killed while the disk is full'
	fi
	rm -f "$LAB_DIR/state/filler"
	CHAOS_MAY_FAIL=
	chaos_note 'the disk has room'
	if [[ $DRAWN == yes ]]; then
		daemon_start
	fi
	order_wheel set-weight chat "$(labels_where '.state == "active"' | head -n 1)=100" || fail 'after a full disk, set-weight is refused'
}

# More sessions than the table has room for: new ones are refused, and none that lives suffers. Until the next quiet point, since ended
# ones linger in the table.
event_table_full() {
	local before

	before=$(packet_count refused_table_full)
	oracle_all excuse refused room on
	oracle_all surplus $((TABLE / ORACLES))
	chaos_note 'more sessions than there is room for'
	lab_until 20 'a new session to be refused' table_has_refused "$before" || true
	chaos_note "refused for want of room: $(($(packet_count refused_table_full) - before))"
	oracle_all surplus 0
	oracle_all leave $((($(oracle_sum .live) - SESSIONS) / ORACLES + 1)) fin
}

table_has_refused() { # BEFORE
	(($(packet_count refused_table_full) > $1))
}

event_memory() {
	local pid=${LAB_PID[rainbowd]} size

	size=$(awk '/VmSize/ { print $2 * 1024 }' "/proc/$pid/status")
	draw 65536
	CHAOS_MAY_FAIL=yes
	prlimit --pid "$pid" --as=$((size + DRAWN)):unlimited
	chaos_note 'rainbowd gets no more memory'
	timeout 10 "$LAB_BUILD/rainbowctl" --socket "$LAB_DIR/rainbow.sock" sessions chat --limit 100000 >/dev/null 2>&1 || true
	oracle_all allow any
	event_weights || true
	if lab_runs rainbowd; then
		prlimit --pid "$pid" --as=unlimited:unlimited
		chaos_note 'rainbowd gets memory again'
	else
		lab_end rainbowd
		chaos_note 'rainbowd ended without memory'
		daemon_start
	fi
	CHAOS_MAY_FAIL=
	allow_now
}

# The bpffs with our pins is unmounted where rainbowd looks for it; a second mount of it keeps what is in it.
event_bpffs() {
	local code=0

	umount -l "$LAB_DIR/bpf"
	chaos_note 'the bpffs is unmounted'
	CHAOS_MAY_FAIL=yes
	event_weights || true
	CHAOS_MAY_FAIL=
	draw_from stays ends
	if [[ $DRAWN == ends ]]; then
		lab_end rainbowd KILL
		lab_rainbowd_start "$HOOK" --max-sessions "$TABLE" >/dev/null 2>&1 || code=$?
		((code != 0)) || ! lab_runs rainbowd || fail 'without its bpffs rainbowd started: with which maps?'
		lab_end rainbowd
		chaos_note "rainbowd killed, and without the bpffs: $(tail -n 1 "$LAB_DIR/rainbowd.log")"
	fi
	mount --bind "$LAB_DIR/bpf-kept" "$LAB_DIR/bpf"
	chaos_note 'the bpffs is mounted again'
	[[ $DRAWN == stays ]] || daemon_start
	allow_now
}
