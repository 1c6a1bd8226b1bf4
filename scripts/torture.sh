#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Torture: thousands of real sessions, of which an oracle knows the truth, while a schedule drawn from a seed does to rainbow what
# happens to a router in its life, and worse. docs/torture.md says what, and how to read a failure. In namespaces of its own; as root.
#
#   torture.sh [SEED=N] [TIME=10m] [SESSIONS=50000] [TOPOLOGY=routed|two-sided] [EVENTS="kill weather ..."]
#
# The same seed gives the same schedule. Exit code 0: nothing was moved, lost or miscounted; 1: something was.
# shellcheck disable=SC2034 # variables for the libraries
for word in "$@"; do
	[[ $word =~ ^(SEED|TIME|SESSIONS|TOPOLOGY|EVENTS)=(.*)$ ]] || { sed -n '4,10s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
	export "${BASH_REMATCH[1]}=${BASH_REMATCH[2]}"
done
if ((EUID != 0)); then
	echo 'skipped: torture needs root: namespaces, BPF, mounts'
	exit 77
fi

# In a mount namespace of our own: what is mounted here is gone with us, however we end.
if [[ ${TORTURE_MOUNTS:-} != "$$" ]]; then
	TORTURE_MOUNTS=$$ exec unshare --mount --propagation private -- "$BASH" "$0"
fi

SEED=${SEED:-$((SRANDOM % 1000000))}
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/../tests/e2e/lib.sh"
# shellcheck source=tests/torture/chaos.sh
source "$LAB_ROOT/tests/torture/chaos.sh"
# shellcheck source=tests/torture/quiet.sh
source "$LAB_ROOT/tests/torture/quiet.sh"

readonly SESSIONS=${SESSIONS:-5000} TIME=${TIME:-2m}
readonly EVENTS=${EVENTS:-} # only these; for repeating a part
FAKETIME_LIBRARY=$(find /usr/lib -path '*/faketime/libfaketime.so.1' -print -quit)
readonly PER_ORACLE=9000 PER_SERVER=16000 QUIET_EVERY_S=12

declare -A SPAN=([s]=1 [m]=60 [h]=3600)
[[ $TIME =~ ^([0-9]+)([smh])$ ]] || { echo "torture: TIME=$TIME: a number and s, m or h, as in 10m" >&2 && exit 2; }
readonly TIME_S=$((BASH_REMATCH[1] * SPAN[${BASH_REMATCH[2]}]))
[[ $SESSIONS =~ ^[1-9][0-9]*$ ]] || { echo "torture: SESSIONS=$SESSIONS: a number" >&2 && exit 2; }
readonly ORACLES=$(((SESSIONS + PER_ORACLE - 1) / PER_ORACLE))
REPLICAS=$((SESSIONS * 16 / 10 / PER_SERVER + 1))
((REPLICAS > 1)) || REPLICAS=2
readonly REPLICAS
TABLE=$((SESSIONS * 16 / 10 + 1000))
DAEMON=$LAB_BUILD/rainbowd
FAKETIME=
CRASH_PINS=0

pause() { # MS: the pace of the chaos, which waits for nothing
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}

# --- oracles -----------------------------------------------------------------------------------------------------------------

oracle_tell() { # N COMMAND...
	local n=$1

	shift
	"$LAB_BUILD/tests/torture/oracle" --tell "$LAB_DIR/oracle-$n.ctl" "$*"
}

oracle_tell_all() { # COMMAND...: the answers, one line each
	local i

	for ((i = 1; i <= ORACLES; i++)); do
		oracle_tell "$i" "$@"
	done
}

oracle_all() { # COMMAND...: to each
	oracle_tell_all "$@" >/dev/null || fail "the oracle does not answer to: $*"
}

oracle_sum() { # JQ-FILTER of its stats
	oracle_tell_all stats | jq -s "map($1) | add"
}

oracle_log() {
	cat "$LAB_DIR"/oracle-[0-9]*.log | head -c 20000
}

oracles_start() {
	local i

	touch "$LAB_DIR/events" "$LAB_DIR/bpf-ids"
	for ((i = 1; i <= ORACLES; i++)); do
		lab_spawn "oracle-$i" clients "$LAB_BUILD/tests/torture/oracle" --to "$LAB_SERVICE4:80" \
			--from "10.1.$((64 + 2 * i)).0+500" --control "$LAB_DIR/oracle-$i.ctl" --rate $((2000 / ORACLES)) --timeout 30000 --seed $((SEED * 100 + i)) --events "$LAB_DIR/events"
	done
	for ((i = 1; i <= ORACLES; i++)); do
		lab_until 10 "oracle $i to start" oracle_tell "$i" stats
	done
}

oracles_are_full() {
	(($(oracle_sum .live) >= SESSIONS / ORACLES * ORACLES * 95 / 100))
}

# --- servers: version vK has REPLICAS backends, spread over the namespaces --------------------------------------------------------

replica_backend() { # LABEL REPLICA
	printf '%d' $(((${1#v} + $2) % LAB_BACKENDS + 1))
}

replica_port() { # LABEL REPLICA
	printf '%d' $((8000 + 100 * ${1#v} + $2))
}

replica_address() { # LABEL REPLICA
	printf '%s:%d' "$(lab_backend "$(replica_backend "$@")")" "$(replica_port "$@")"
}

replica_name() { # LABEL REPLICA
	printf '%s-%d' "$1" "$2"
}

replica_server() { # LABEL REPLICA
	printf 'server-%d-%s' "$(replica_backend "$@")" "$1"
}

replica_spawn() { # LABEL REPLICA
	local name

	name=$(replica_server "$@")
	lab_spawn "$name" "backend$(replica_backend "$@")" "$LAB_BUILD/tests/lab/agent-server" --label "$1" \
		--backend "$(replica_name "$@")" --control "$LAB_DIR/$name.ctl" --listen "tcp:$(replica_port "$@")" --tokens 1 --pause 1
}

replica_await() { # LABEL REPLICA
	lab_until 30 "$(replica_name "$@") to listen" lab_tell "$(replica_server "$@")" stats || fail "$(replica_name "$@") does not listen"
}

replica_start() { # LABEL REPLICA
	replica_spawn "$@"
	replica_await "$@"
}

servers_start() {
	local label j step

	for step in replica_spawn replica_await; do
		for label in "${CHAOS_LABELS[@]}"; do
			for ((j = 0; j < REPLICAS; j++)); do
				"$step" "$label" "$j"
			done
		done
	done
}

# --- rainbowd ----------------------------------------------------------------------------------------------------------------

# rainbowd by a wrapper, for a wall clock of its own.
daemon_wrap() {
	{
		printf '#!/bin/sh\n'
		[[ -z $FAKETIME ]] || printf 'export LD_PRELOAD=%q FAKETIME_TIMESTAMP_FILE=%q FAKETIME_CACHE_DURATION=1 %s\n' \
			"$FAKETIME_LIBRARY" "$LAB_DIR/clock" 'FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=0'
		printf 'exec %q "$@"\n' "$DAEMON"
	} >"$LAB_DIR/rainbowd-run"
	chmod +x "$LAB_DIR/rainbowd-run"
	LAB_RAINBOWD=$LAB_DIR/rainbowd-run
}

mounts_make() {
	mount -t tmpfs -o size=8m,mode=700 "rainbow-$LAB_ID" "$LAB_DIR/state"
	mkdir "$LAB_DIR/bpf" "$LAB_DIR/bpf-kept"
	mount -t bpf "rainbow-$LAB_ID" "$LAB_DIR/bpf-kept"
	mount --bind "$LAB_DIR/bpf-kept" "$LAB_DIR/bpf"
	LAB_PINS=$LAB_DIR/bpf/rainbow
	lab_at_exit mounts_remove
}

mounts_remove() {
	[[ -z ${LAB_PID[rainbowd]:-} ]] || lab_end rainbowd
	_lab_detach
	umount -l "$LAB_DIR/state" "$LAB_DIR/bpf" "$LAB_DIR/bpf-kept" 2>/dev/null || true
}

setup() {
	HOOK=tc
	case ${TOPOLOGY:-routed} in
	routed) lab_up routed --backends "$((REPLICAS > 3 ? REPLICAS : 3))" ;;
	two-sided) HOOK=xdp && lab_up two-sided --offloads off --backends "$((REPLICAS > 3 ? REPLICAS : 3))" ;;
	*) echo "torture: TOPOLOGY=$TOPOLOGY: routed or two-sided" >&2 && exit 2 ;;
	esac
	mounts_make
	if [[ -n $FAKETIME_LIBRARY ]]; then
		FAKETIME=yes
		clock_write
	else
		chaos_tell_once clock 'libfaketime is not installed, and the clock of the machine is not ours to turn'
	fi
	chaos_tell_once cgroup 'memory is limited by prlimit --as, not by a cgroup: those of the machine are not ours'
	daemon_wrap
	weather_prepare
	servers_start
	daemon_start
	ctl service add chat "$LAB_SERVICE4:80"
	oracles_start
	for label in v1 v2 v3; do
		version_add "$label"
	done
	order_wheel set-weight chat v1=50 v2=30 v3
	oracle_all sessions $((SESSIONS / ORACLES))
	lab_until 120 'the sessions to be open' oracles_are_full || fail "not open: $(oracle_tell_all stats)"
	oracle_all rate $((SESSIONS / 20 / ORACLES + 50))
}

# --- the run -----------------------------------------------------------------------------------------------------------------

chaos_step() {
	local event

	if [[ -n $EVENTS ]]; then
		# shellcheck disable=SC2086 # words
		draw_from $EVENTS
	else
		chaos_draw_event
	fi
	event=$DRAWN
	E2E_PART="event $event"
	if "event_$event"; then
		CHAOS_DONE[$event]=$((${CHAOS_DONE[$event]:-0} + 1))
	fi
	draw 500
	pause "$DRAWN"
}

chaos_run() {
	local until=$((SECONDS + TIME_S)) quiet=$((SECONDS + QUIET_EVERY_S))

	while ((SECONDS < until)); do
		chaos_step
		quiet_fail_if_oracle_failed
		((SECONDS >= quiet)) || continue
		quiet_point
		quiet=$((SECONDS + QUIET_EVERY_S))
	done
	quiet_point
}

finish() {
	local i pid=

	part 'the end'
	for ((i = 1; i <= ORACLES; i++)); do
		oracle_tell "$i" sessions 0 >/dev/null
		lab_end "oracle-$i"
	done
	for i in "${!LAB_PID[@]}"; do
		[[ $i != server-* ]] || lab_end "$i"
	done
	wait_until 60 'rainbow to see every session end' is_eq 0 live_count
	leaks_check
	lab_end rainbowd
	lab_in router "$LAB_RAINBOWD" --detach --pin-dir "$LAB_PINS" --state-dir "$LAB_DIR/state" --socket "$LAB_DIR/rainbow.sock" \
		>>"$LAB_DIR/detach.log" 2>&1 || fail "rainbowd --detach: $(cat "$LAB_DIR/detach.log")"
	wait_until 10 'maps, programs and links to be gone' is_eq '' bpf_left "$LAB_DIR/bpf-ids"
	say "$(wc -l <"$LAB_DIR/bpf-ids") maps, programs and links were held, none is left"
}

repeat_tell() { # EXIT-CODE is in $1
	printf 'repeat: make torture SEED=%s TIME=%s SESSIONS=%s TOPOLOGY=%s%s\n' "$SEED" "$TIME" "$SESSIONS" "${TOPOLOGY:-routed}" \
		"${EVENTS:+ EVENTS=\"$EVENTS\"}"
}

repeat_tell
setup
chaos_run
finish
directory=$LAB_DIR
lab_down
[[ -z $(find /run/netns -name "rainbow-$LAB_ID-*" 2>/dev/null) ]] || fail 'namespaces are left'
[[ -n $LAB_KEEP || ! -e $directory ]] || fail "$directory is left"
say "events: $(for event in "${!CHAOS_DONE[@]}"; do printf '%s %d, ' "$event" "${CHAOS_DONE[$event]}"; done)"
say "quiet points: $QUIET_POINTS, each exact"
repeat_tell
