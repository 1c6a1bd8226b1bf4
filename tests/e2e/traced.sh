# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rainbowd under strace, for tests that stop it at a system call of theirs. To be sourced behind lib.sh.

# LeakSanitizer ends a process that is traced.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

have_strace() {
	command -v strace >/dev/null
}

# What lab_rainbowd_start gives to rainbowd, into `words`.
rainbowd_words() { # HOOK RAINBOWD-ARGUMENTS...
	local interface

	words=()
	for interface in "${LAB_HOOKS[@]}"; do
		words+=(--interface "$interface:$1")
	done
	words+=(--pin-dir "$LAB_PINS" --state-dir "$LAB_DIR/state" --socket "$LAB_DIR/rainbow.sock" "${@:2}")
}

# The bpf(2) and rename(2) calls of a start, in this file. It is ended once it answers.
trace_start() { # FILE HOOK RAINBOWD-ARGUMENTS...
	local file=$1 words pid

	rainbowd_words "${@:2}"
	lab_in router timeout 60 strace -f -qq -o "$file" -e trace=bpf,rename "$LAB_BUILD/rainbowd" "${words[@]}" \
		>>"$LAB_DIR/traced.log" 2>&1 &
	pid=$!
	wait_until 30 'rainbowd to answer' lab_ctl status
	kill -s TERM "$(json .daemon.pid status)"
	wait "$pid" || true
}
