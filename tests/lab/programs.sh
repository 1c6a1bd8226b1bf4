# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The programs of the lab: waiting for conditions with a deadline (never for a fixed time), starting and ending by pid,
# rainbowd, rainbowctl, the agents. Sourced by ns.sh.

declare -gA LAB_PID=() # name of a spawned program -> pid

# --- waiting ---------------------------------------------------------------------------------------------------------------

# Repeats a command, silently, until it succeeds; at the deadline says what it waited for and fails. LAB_PATIENCE makes every
# deadline so many times as long, for machines that are slow (those of make check-kernels).
lab_until() { # SECONDS DESCRIPTION COMMAND...
	local deadline=$((${EPOCHREALTIME//[.,]/} + $1 * ${LAB_PATIENCE:-1} * 1000000)) what=$2
	local limit=$(($1 * ${LAB_PATIENCE:-1}))

	shift 2
	until "$@" >/dev/null 2>&1; do
		if ((${EPOCHREALTIME//[.,]/} > deadline)); then
			lab_say "gave up after $limit s: $what"
			return 1
		fi
		lab_pause
	done
}

# --- programs --------------------------------------------------------------------------------------------------------------

# Starts a program in the background. Its output goes to $LAB_DIR/NAME.log. Not from a subshell: the pid would be lost.
lab_spawn() { # NAME NAMESPACE COMMAND...
	local name=$1 where=$2

	shift 2
	nsenter --net="/run/netns/rainbow-$LAB_ID-$where" -- "$@" >>"$LAB_DIR/$name.log" 2>&1 </dev/null &
	LAB_PID[$name]=$!
}

lab_runs() { # NAME
	[[ -n ${LAB_PID[$1]:-} ]] && kill -0 "${LAB_PID[$1]}" 2>/dev/null
}

# Waits for a spawned program to end by itself and returns its exit code.
lab_wait() { # NAME SECONDS
	local pid=${LAB_PID[$1]} code=0

	lab_until "$2" "$1 to end" _lab_is_gone "$1" || return 124
	wait "$pid" 2>/dev/null || code=$?
	unset "LAB_PID[$1]"
	return "$code"
}

_lab_is_gone() { # NAME
	! lab_runs "$1"
}

# Ends a spawned program: by the signal, and by KILL if that did not do within five seconds.
lab_end() { # NAME [SIGNAL]
	local pid=${LAB_PID[$1]:-}

	[[ -n $pid ]] || return 0
	# Without stderr: bash tells there of each job that a signal ended.
	{
		kill -s "${2:-TERM}" "$pid"
		lab_until 5 "$1 to end" _lab_is_gone "$1" || kill -s KILL "$pid"
		wait "$pid"
	} 2>/dev/null || true
	unset "LAB_PID[$1]"
}

# Attaches rainbowd to the interfaces of the topology and waits until it answers. The kind goes for each of them; further
# arguments to rainbowd itself. Starting it again after lab_rainbowd_kill finds the same pins, state and socket.
lab_rainbowd_start() { # [auto|xdp|xdp-generic|tc] [RAINBOWD-ARGUMENTS...]
	local kind=${1:-auto} interface interfaces=()

	(($# == 0)) || shift
	for interface in "${LAB_HOOKS[@]}"; do
		interfaces+=(--interface "$interface:$kind")
	done
	lab_spawn rainbowd router "${LAB_RAINBOWD:-$LAB_BUILD/rainbowd}" "${interfaces[@]}" --pin-dir "$LAB_PINS" \
		--state-dir "$LAB_DIR/state" --socket "$LAB_DIR/rainbow.sock" "$@"
	lab_until 60 'rainbowd to answer' _lab_rainbowd_answers_or_died || return
	lab_runs rainbowd || { lab_say "rainbowd did not start: $(tail -n 3 "$LAB_DIR/rainbowd.log")" && return 1; }
}

_lab_rainbowd_answers_or_died() {
	lab_look e '' true api /v1/status || ! lab_runs rainbowd
}

lab_rainbowd_kill() { # kill -9: the datapath goes on
	lab_end rainbowd KILL
}

lab_rainbowd_stop() {
	lab_end rainbowd TERM
}

lab_ctl() { # RAINBOWCTL-ARGUMENTS...
	RAINBOW_SOCKET=$LAB_DIR/rainbow.sock "${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl}" "$@"
}

# What is in the pinned map, as JSON: of an array without the elements that are all zeros. True also without rainbowd.
lab_map() { # MAP
	lab_show c '' . map "$1"
}

# agent-server as a backend. Its control socket is $LAB_DIR/server-N-LABEL.ctl; waits until it listens. Several versions may
# share the namespace of a backend, on other ports.
lab_server() { # N LABEL tcp:PORT|udp:PORT... [-- AGENT-SERVER-ARGUMENTS...]
	local name=server-$1-$2 n=$1 label=$2 listen=()

	shift 2
	while (($# > 0)) && [[ $1 != -- ]]; do
		listen+=(--listen "$1")
		shift
	done
	(($# == 0)) || shift
	lab_spawn "$name" "backend$n" "$LAB_BUILD/tests/lab/agent-server" --label "$label" --backend "backend$n" \
		--control "$LAB_DIR/$name.ctl" "${listen[@]}" "$@"
	lab_until 10 "$name to listen" lab_tell "$name" stats
}

# agent-client in the clients' namespace; its control socket is $LAB_DIR/NAME.ctl.
lab_client() { # NAME AGENT-CLIENT-ARGUMENTS...
	local name=$1

	shift
	lab_spawn "$name" clients "$LAB_BUILD/tests/lab/agent-client" --control "$LAB_DIR/$name.ctl" "$@"
	lab_until 10 "$name to start" lab_tell "$name" stats
}

# One command to an agent; prints its answer, one line.
lab_tell() { # NAME COMMAND...
	local name=$1

	shift
	lab_show c '' . agent "$name" "$*"
}

lab_stat() { # NAME JQ-FILTER: something of an agent's stats
	lab_show r '' "$2" agent "$1" stats
}

_lab_stat_holds() { # NAME JQ-CONDITION
	lab_look e '' "$2" agent "$1" stats
}

# Waits until a condition holds on an agent's stats: lab_until_stat load 5 '.live == 100'
lab_until_stat() { # NAME SECONDS JQ-CONDITION
	lab_until "$2" "$1: $3" _lab_stat_holds "$1" "$3" ||
		{ lab_say "$1: $(lab_tell "$1" stats)" && return 1; }
}

# Every session of a client takes one turn: fails unless each finds its own server, version and conversation.
lab_turn_all() { # NAME SECONDS
	lab_tell "$1" turn all >/dev/null
	lab_until_stat "$1" "$2" '.waiting == 0'
	_lab_stat_holds "$1" '.moved == 0 and .lost == 0' >/dev/null ||
		{ lab_say "$1: $(lab_tell "$1" stats)" && return 1; }
}

# The last lines of every log, for a test that failed.
lab_logs() { # [LINES]
	local log

	for log in "$LAB_DIR"/*.log; do
		[[ -s $log ]] || continue
		printf -- '--- %s\n' "${log##*/}"
		tail -n "${1:-20}" "$log"
	done >&2
}
