# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The words that end-to-end tests are written in. A test is a program: it sources this, makes a lab (tests/lab/ns.sh), does
# things, and states what must be. It ends with 0 (all true), 1 (something was not; with the facts around it), or 77 (skipped).
# Nothing waits for a fixed time: wait_until waits for a condition, up to a deadline.
#
# The kernel's counts (version_count, packet_count) are read from the pinned maps, not by way of rainbowd.

set -Eeuo pipefail

# shellcheck source=tests/lab/ns.sh
source "${BASH_SOURCE[0]%/*}/../lab/ns.sh"

# shellcheck disable=SC2034 # for those who source this
readonly E2E_PROGRAMS=$LAB_BUILD/tests/e2e E2E_PYTHON=/usr/bin/python3 # Python: that of Debian, which has the packages
E2E_SEED=${SEED:-$((SRANDOM % 1000000))}
RANDOM=$E2E_SEED
E2E_PART='its beginning'
E2E_BEGAN=$SECONDS
E2E_OUT=''      # what the last command under expect_code said
E2E_SETTINGS='' # what _settings_look saw

# --- telling -----------------------------------------------------------------------------------------------------------------

say() { # WORDS...
	printf '[%3d s] %s\n' $((SECONDS - E2E_BEGAN)) "$*"
}

# Names what comes next; a failure is told with it.
part() { # WORDS...
	E2E_PART=$*
	say "--- $E2E_PART"
}

# Says what the test leaves out. skip: all of it.
skip_part() { # WHY
	printf 'skipped: %s\n' "$*"
}

skip() { # WHY
	skip_part "$*"
	exit 77
}

# Ends the test with the sentence and with what there is to know. In a subshell it ends that, and then the test by `set -e`.
fail() { # WORDS...
	printf 'FAILED in "%s": %s\n' "$E2E_PART" "$*" >&2
	_context 1 >&2
	exit 1
}

_context() { # FRAMES to skip
	local frame

	[[ -z $LAB_DIR || ! -e $LAB_DIR/failed ]] || return 0
	[[ -z $LAB_DIR ]] || : >"$LAB_DIR/failed"
	for ((frame = $1; frame < ${#FUNCNAME[@]}; frame++)); do
		printf '  at %s:%d, %s\n' "${BASH_SOURCE[frame]##*/}" "${BASH_LINENO[frame - 1]}" "${FUNCNAME[frame]}"
	done
	[[ -n $LAB_DIR ]] || return 0
	printf '%s\n' '--- rainbowctl status' "$(timeout 5 bash -c "RAINBOW_SOCKET='$LAB_DIR/rainbow.sock' \
		'${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl}' status -o json" 2>&1 | head -c 6000)"
	printf '%s\n' '--- kernel: versions' "$(versions 2>&1 | head -c 6000)"
	printf '%s\n' '--- kernel: packets' "$(packets 2>&1 | head -c 3000)"
	lab_logs 15 2>&1
}

_command_failed() { # EXIT-CODE COMMAND
	[[ $BASHPID == "$$" && $- == *e* ]] || return 0 # a subshell: the test itself comes by here, too; no e: cleaning up
	printf 'FAILED in "%s": exit code %d from: %s\n' "$E2E_PART" "$1" "$2" >&2
	_context 1 >&2
}
trap '_command_failed $? "$BASH_COMMAND"' ERR

# --- stating -----------------------------------------------------------------------------------------------------------------

expect_eq() { # WHAT GOT WANTED
	[[ $2 == "$3" ]] || fail "$1: got '$2', wanted '$3'"
}

expect_ne() { # WHAT GOT NOT-WANTED
	[[ $2 != "$3" ]] || fail "$1: got '$2', which it must not be"
}

expect_between() { # WHAT GOT LEAST MOST
	(($2 >= $3 && $2 <= $4)) || fail "$1: got $2, wanted $3 to $4"
}

expect_match() { # WHAT GOT REGEX
	[[ $2 =~ $3 ]] || fail "$1: got '$2', wanted something like '$3'"
}

# Runs a command and leaves its output in E2E_OUT, without a shell in between if there is a lab.
_hear() { # COMMAND...
	local code=0

	if [[ -n $LAB_DIR ]]; then
		"$@" >"$LAB_DIR/heard.$BASHPID" || code=$?
		E2E_OUT=$(<"$LAB_DIR/heard.$BASHPID")
	else
		E2E_OUT=$("$@") || code=$?
	fi
	return "$code"
}

_with_errors() { # COMMAND...
	"$@" 2>&1
}

# Runs a command, which must end with this exit code. Leaves its output in E2E_OUT.
expect_code() { # CODE COMMAND...
	local wanted=$1 code=0

	shift
	_hear _with_errors "$@" || code=$?
	((code == wanted)) || fail "'$*' ended with $code, wanted $wanted, and said: $E2E_OUT"
}

# Repeats a command until it succeeds; past the deadline the test has failed.
wait_until() { # SECONDS WHAT COMMAND...
	lab_until "$@" || fail "after $1 s still not: $2"
}

is_eq() { # WANTED COMMAND...: for wait_until
	local wanted=$1

	shift
	_hear "$@" || true
	[[ $E2E_OUT == "$wanted" ]]
}

# For lab_at_exit: what ended by itself is fine.
kill_if_there() { # PID
	kill "$1" 2>/dev/null || true
}

# --- rainbow -----------------------------------------------------------------------------------------------------------------

ctl() { # RAINBOWCTL-ARGUMENTS...: must succeed
	expect_code 0 lab_ctl "$@"
	[[ -z $E2E_OUT ]] || printf '  rainbowctl %s: %s\n' "$*" "$E2E_OUT"
}

# The command must be refused with this exit code, by a message that has the word in it, and change nothing.
ctl_refused() { # CODE REGEX RAINBOWCTL-ARGUMENTS...
	local code=$1 regex=$2 before

	shift 2
	_settings_look
	before=$E2E_SETTINGS
	expect_code "$code" lab_ctl "$@"
	[[ $E2E_OUT =~ $regex ]] || fail "rainbowctl $*: said '$E2E_OUT', wanted something like '$regex'"
	_settings_look
	expect_eq "settings after the refused 'rainbowctl $*'" "$E2E_SETTINGS" "$before"
}

# Of a read with -o json, which prints the API's answer as it came (cli_output.sh): so what is asked often is asked there.
json() { # JQ-FILTER RAINBOWCTL-ARGUMENTS...
	local filter=$1

	shift
	case $* in
	status) lab_show r '' "$filter" api /v1/status ;;
	'service list') lab_show r '' "$filter" api /v1/services ;;
	*) lab_ctl "$@" -o json | jq -r "$filter" ;;
	esac
}

# Somebody else writes into rainbowd's database, until unlock_database.
lock_database() {
	lab_spawn locker router "$E2E_PYTHON" -c 'import sqlite3, sys, threading
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
threading.Event().wait()' "$LAB_DIR/state/rainbow.db"
	wait_until 10 'the database to be locked' grep -q '^locked' "$LAB_DIR/locker.log"
}

unlock_database() {
	lab_end locker
}

# Everything an operator has set, without what sessions change by themselves. Into E2E_SETTINGS, and printed.
_settings_look() {
	local path filter

	E2E_SETTINGS=''
	for path in services versions steers status; do
		filter='walk(if type == "object" then del(.live, .oldest_seconds) else . end)'
		[[ $path != status ]] || filter='[.services[] | {name, generation, versions: [.versions[] | {"label": .label, state, weight,
			drain: (.drain | if . then {started, deadline, on_deadline} else null end),
			backends: [.backends[] | {address, port, max_sessions}]}]}]'
		lab_look c '' "$filter" api "/v1/$path"
		E2E_SETTINGS+=$LAB_SEEN$'\n'
	done
}

settings() {
	_settings_look
	printf '%s' "$E2E_SETTINGS"
}

version_json() { # SERVICE LABEL JQ-FILTER: of this version in `status`
	lab_show r "$2" ".services[0].versions[] | select(.label == \$name) | $3" api "/v1/status?service=$1"
}

readonly E2E_VERSIONS='.[].formatted.value | select(.state | tostring | . != "0" and . != "RAINBOW_VERSION_NONE")'
readonly E2E_PACKETS='.[].formatted | {key, sum: (reduce (.values[].value | to_entries[]) as $e ({};
	.[$e.key] += $e.value) | with_entries(select(.value > 0)))} | select(.sum != {})'

# The kernel's versions in use, one line of JSON each.
versions() {
	lab_show c '' "$E2E_VERSIONS" map rainbow_version
}

version_count() { # LABEL FIELD: live, closing, opened, ended_fin, ...; labels must be unique in the lab
	lab_show r "$1" "$E2E_VERSIONS | select(.label == \$name) | .$2" map rainbow_version
}

# The packet counters that are not 0, by service id (0: of no service), summed over CPUs.
packets() {
	lab_show c '' "$E2E_PACKETS" map rainbow_packets
}

packet_count() { # FIELD: over all services
	lab_show r '' "[$E2E_PACKETS | .sum.$1 // 0] | add // 0" map rainbow_packets
}

live_count() { # over all versions
	lab_show r '' "[$E2E_VERSIONS | .live] | add // 0" map rainbow_version
}

# Both the kernel's counters and rainbowd's recount agree, as seen by a sweep that is later than this call.
expect_no_drift() {
	wait_until 20 'a recount without drift' is_eq 0 json .count_drift status
}

# --- services ----------------------------------------------------------------------------------------------------------------

at_service() { # 4|6 [PORT]: where clients dial
	if [[ $1 == 6 ]]; then
		printf '[%s]:%d' "$LAB_SERVICE6" "${2:-80}"
	else
		printf '%s:%d' "$LAB_SERVICE4" "${2:-80}"
	fi
}

# Service NAME with versions v1 to vN, version i on backend i at port 8080. Further arguments go to `service add`.
add_service() { # NAME 4|6 N [SERVICE-ADD-OPTIONS...]
	local name=$1 family=$2 count=$3 i

	shift 3
	ctl service add "$name" "$(at_service "$family")" "$@"
	for ((i = 1; i <= count; i++)); do
		ctl version add "$name" "v$i" --backend "$(lab_backend "$i" "$family"):8080"
	done
}

# The options that tell churn, race and forced (ends.h) of such a service. One word a line, for mapfile.
ends_options() { # 4|6 N
	local i

	printf '%s\n' --clients "$(lab_namespace clients)" --service "$(at_service "$1")"
	for ((i = 1; i <= $2; i++)); do
		printf '%s\n' --version "v$i,$(lab_namespace "backend$i"),$(lab_backend "$i" "$1"):8080"
	done
}

# Version i of such a service is an agent-server on backend i; its stats are those of server-I-vI.
serve_agents() { # N
	local i

	for ((i = 1; i <= $1; i++)); do
		lab_server "$i" "v$i" tcp:8080 udp:8080
	done
}

# Every session of the agent-client takes a turn now, and meets its own server, version and conversation.
expect_turns() { # CLIENT [SECONDS]
	lab_turn_all "$1" "${2:-20}" || fail "$1: not every session got its answer"
}

# Quits the agent-client: nothing may have been moved or lost.
expect_whole() { # CLIENT
	expect_eq "$1: sessions moved and lost" "$(lab_stat "$1" '[.moved, .lost] | @csv')" 0,0
	lab_tell "$1" quit >/dev/null
	lab_wait "$1" 20 || fail "$1: ended with a moved or lost session: $(tail -n 3 "$LAB_DIR/$1.log")"
	say "$1: $(tail -n 1 "$LAB_DIR/$1.log")"
}

# --- a reboot, as far as the kernel's state goes: no hook, no map. What runs in user space goes on ---------------------------

snapshot_path() {
	printf '%s' "$LAB_DIR/state/pins.snapshot"
}

forget_kernel_state() {
	rm -rf -- "$LAB_PINS"
	wait_until 5 'no program of rainbow to be left' _no_programs
}

_no_programs() {
	local interface

	for interface in "${LAB_HOOKS[@]}"; do
		! lab_in router tc filter show dev "$interface" ingress | grep -q . || return 1
	done
	! lab_in router ip -d link show | grep -q 'prog/xdp'
}

# A snapshot is there that began after this call.
wait_for_snapshot() {
	local i

	for i in 1 2; do
		touch "$LAB_DIR/now"
		wait_until 10 'a younger snapshot' _snapshot_is_newer
	done
}

_snapshot_is_newer() {
	[[ $(snapshot_path) -nt $LAB_DIR/now ]]
}
