#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Runs the tests: installs what is missing, builds, then unit, bpf, fuzz and e2e programs, some at a time. One line for each; of one
# that failed, the end of its log. Last come those that failed with the sentence that was not true, and the line
# "N passed, N failed, N skipped"; the exit code is 0 if none failed.
#
#   check.sh [-j N] [--list] [PATTERN]...     PATTERN: part of a name, as in e2e/p1 or bpf/; without one, all
#   -j N      how many programs at a time (default: one more than processors)
#   --list    names the programs, runs none
#
# A program passes by exit code 0 and is skipped by 77; it tells what it left out by lines "skipped: WHY". Logs: $BUILD/check/.
# Whatever the exit code, it failed if a sanitizer in any of its processes wrote a report.
set -euo pipefail

cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build}
readonly LOGS=$BUILD/check
readonly LOG_LINES=40
readonly SKIPPED=77

declare -A limit_of=([unit]=240 [bpf]=600 [fuzz]=240 [e2e]=900) # seconds: a machine may be slow
declare -A name_of=() began_of=()                    # by the pid of its `timeout`
tests=() patterns=() failures=()
jobs=$(($(nproc) + 1)) # the e2e tests wait for timers, too
list=no
passed=0 skipped=0

usage() {
	sed -n '8,10s/^# \{0,1\}//p' "$0"
}

parse() {
	while (($# > 0)); do
		case $1 in
		-j) jobs=${2:-} && shift ;;
		-j*) jobs=${1#-j} ;;
		--list) list=yes ;;
		-h | --help) usage && exit 0 ;;
		-*) usage >&2 && exit 2 ;;
		*) patterns+=("$1") ;;
		esac
		shift
	done
	[[ $jobs =~ ^[1-9][0-9]?$ ]] || { printf 'check: -j takes a number from 1 to 99, not "%s"\n' "$jobs" >&2 && exit 2; }
}

is_wanted() { # NAME
	local pattern

	((${#patterns[@]} > 0)) || return 0
	for pattern in "${patterns[@]}"; do
		[[ $1 != *"$pattern"* ]] || return 0
	done
	return 1
}

# In the background, so that an interrupt is heard at once, and by the name of its pid, so that it ends with us.
step() { # COMMAND...
	local code=0

	"$@" &
	name_of[$!]=$1
	wait "$!" || code=$?
	unset "name_of[$!]"
	return "$code"
}

build() {
	step scripts/install-deps.sh build test peers || return
	step make -s -j "$(nproc)" BUILD="$BUILD" all test-programs || return
	# Who asks for another part of the tests need not wait for these; and they are built with sanitizers of their own.
	if [[ -z ${SAN:-} ]] && { ((${#patterns[@]} == 0)) || [[ ${patterns[*]} == *fuzz* ]]; }; then
		step make -s -j "$(nproc)" BUILD="$BUILD" fuzzers || return
	fi
	# A rainbowd that calls itself newer, for those that upgrade.
	if is_wanted e2e/p1_one_version || is_wanted e2e/torture || is_wanted e2e/torture_xdp; then
		step make -s -j "$(nproc)" BUILD="$BUILD/next" VERSION=next "$BUILD/next/rainbowd"
	fi
}

# e2e tests begin with those that take longest: each says so in a line "# Takes N s".
list_e2e() {
	local file

	for file in tests/e2e/*.sh; do
		[[ $file != */lib.sh && -x $file ]] || continue
		printf '%s e2e/%s\n' "$(sed -n 's/^# Takes \([0-9]*\) s.*/\1/p;20q' "$file")" "$(basename "$file" .sh)"
	done | sort -rn | cut -d' ' -f2
}

collect() {
	local file name

	for file in "$BUILD"/tests/unit/* "$BUILD"/tests/bpf/* "$BUILD"/tests/fuzz/*; do
		[[ -f $file && -x $file ]] || continue
		name=${file#"$BUILD/tests/"}
		! is_wanted "$name" || tests+=("$name")
	done
	for name in $(list_e2e); do
		! is_wanted "$name" || tests+=("$name")
	done
}

command_of() { # NAME
	case $1 in
	e2e/*) printf 'tests/%s.sh' "$1" ;;
	fuzz/*) printf 'tests/fuzz/run.sh %s' "${1#fuzz/}" ;;
	*) printf '%s/tests/%s' "$BUILD" "$1" ;;
	esac
}

log_of() { # NAME
	printf '%s/%s.log' "$LOGS" "${1//\//-}"
}

report() { # WORD NAME SECONDS [REASON]
	printf '%-8s %-34s %6s s%s\n' "$1" "$2" "$3" "${4:+  ($4)}"
}

# Where sanitizers write what they find in processes of this test: they add the pid to the name.
report_of() { # NAME
	printf '%s/%s.report' "$(realpath "$LOGS")" "${1//\//-}"
}

# In a process group of its own, which `timeout` makes and signals as a whole; so an interrupt reaches it by our hand alone.
start() { # NAME
	local name=$1 command

	if ((EUID != 0)) && [[ $name != unit/* && $name != fuzz/* ]]; then
		report skipped "$name" 0.0 'needs root'
		skipped=$((skipped + 1))
		return
	fi
	read -ra command <<<"$(command_of "$name")"
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:log_path=$(report_of "$name") UBSAN_OPTIONS=${UBSAN_OPTIONS:-}:log_path=$(report_of "$name") \
		timeout -k 30 "${limit_of[${name%%/*}]}" "${command[@]}" >"$(log_of "$name")" 2>&1 </dev/null &
	name_of[$!]=$name
	began_of[$!]=${EPOCHREALTIME/./}
}

report_failure() { # NAME SECONDS REASON [SENTENCE]
	report FAILED "$1" "$2" "$3"
	failures+=("$1: ${4:-$3}")
}

# What the test itself said was not true: by fail of tests/e2e/lib.sh, by cmocka, by an assertion.
sentence_of() { # LOG
	grep -am 1 -E '^FAILED in |^\[  (ERROR|FAILED)  +\]|^[^ ]+: error: |Assertion' "$1" | cut -c1-400 || true
}

# Waits for one of the running programs to end, and tells how it went.
reap() {
	local pid='' code=0 name log took reason

	wait -n -p pid "${!name_of[@]}" || code=$?
	name=${name_of[$pid]}
	log=$(log_of "$name")
	took=$(((${EPOCHREALTIME/./} - began_of[$pid]) / 100000))
	took=$((took / 10)).$((took % 10))
	unset "name_of[$pid]" "began_of[$pid]"
	if compgen -G "$(report_of "$name")*" >/dev/null; then
		report_failure "$name" "$took" 'a sanitizer reports'
		head -n "$LOG_LINES" "$(report_of "$name")"* | sed 's/^/    | /'
	elif ((code == 0)); then
		report ok "$name" "$took"
		passed=$((passed + 1))
	elif ((code != SKIPPED)); then
		reason="exit code $code"
		((code != 124 && code != 137)) || reason="still running after ${limit_of[${name%%/*}]} s"
		report_failure "$name" "$took" "$reason" "$(sentence_of "$log")"
		tail -n "$LOG_LINES" "$log" | sed 's/^/    | /'
		printf '    | (all of it: %s)\n' "$log"
	fi
	while read -r reason; do # each part that was left out
		report skipped "$name" "$took" "${reason#skipped: }"
		skipped=$((skipped + 1))
	done < <(grep -a '^skipped: ' "$log" || { ((code != SKIPPED)) || echo 'no reason given'; })
}

run() {
	local name

	rm -rf "$LOGS"
	mkdir -p "$LOGS"
	for name in "${tests[@]}"; do
		while ((${#name_of[@]} >= jobs)); do
			reap
		done
		start "$name"
	done
	while ((${#name_of[@]} > 0)); do
		reap
	done
}

# Namespaces and pins of labs whose shell is gone; their names begin with rainbow-PID-.
list_left_behind() {
	local thing pid

	for thing in /run/netns/rainbow-* /sys/fs/bpf/rainbow-*; do
		pid=${thing##*/rainbow-}
		pid=${pid%%-*}
		[[ ! -e $thing || -d /proc/$pid ]] || printf '%s\n' "$thing"
	done
}

check_left_behind() { # what was there before
	local left

	left=$(comm -13 <(sort <<<"$1") <(list_left_behind | sort))
	[[ -n $left ]] || return 0
	report_failure cleanup 0.0 'left behind by a test'
	printf '    | %s\n' "$left"
}

stop() { # SIGNAL EXIT-CODE
	trap '' INT TERM HUP
	printf '\ncheck: %s: ending %s\n' "$1" "${name_of[*]}" >&2
	kill -s TERM "${!name_of[@]}" 2>/dev/null || true
	wait "${!name_of[@]}" 2>/dev/null || true
	exit "$2"
}

finish() {
	((${#failures[@]} == 0)) || printf 'failed: %s\n' "${failures[@]}"
	printf '%d passed, %d failed, %d skipped\n' "$passed" "${#failures[@]}" "$skipped"
	((${#failures[@]} == 0))
}

main() {
	local before

	parse "$@"
	trap 'stop interrupted 130' INT
	trap 'stop terminated 143' TERM
	trap 'stop hung-up 129' HUP
	if ! build; then
		report_failure build 0.0 'see above'
		finish
		return
	fi
	collect
	if [[ $list == yes ]]; then
		printf '%s\n' "${tests[@]}"
		return
	fi
	((${#tests[@]} > 0)) || { printf 'check: no test has "%s" in its name\n' "${patterns[*]}" >&2 && exit 2; }
	before=$(list_left_behind)
	run
	check_left_behind "$before"
	finish
}

main "$@"
