# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Looking at agents, at rainbowd and at the kernel's maps without a process each time: one of the lab's own (eye.c) looks and filters
# for all of a test. Here a fork costs more than what is looked at. Sourced by ns.sh.

LAB_EYE=''     # its pid
LAB_SEEN=''    # what the last lab_look saw
LAB_LOOKS=0    # to number the questions
LAB_QUESTIONS='' LAB_ANSWERS='' # descriptors: FIFOs, whose names are gone
LAB_SILENCE='' # a FIFO that nobody writes to: to wait without a process

_lab_eye_open() {
	local dir

	[[ -z $LAB_EYE ]] || return 0
	[[ -x $LAB_BUILD/tests/lab/eye ]] || { lab_say "$LAB_BUILD/tests/lab/eye is missing: make test-programs" && return 1; }
	dir=$(mktemp -d "${TMPDIR:-/tmp}/rainbow-eye.XXXXXX")
	mkfifo "$dir/questions" "$dir/answers" "$dir/silence"
	"$LAB_BUILD/tests/lab/eye" "$dir/questions" "$dir/answers" </dev/null >/dev/null &
	LAB_EYE=$!
	disown "$LAB_EYE" # a bare `wait` is for the test's own
	exec {LAB_QUESTIONS}>"$dir/questions" {LAB_ANSWERS}<"$dir/answers" {LAB_SILENCE}<>"$dir/silence"
	rm -rf -- "$dir"
}

_lab_eye_close() {
	[[ -n $LAB_EYE ]] || return 0
	kill "$LAB_EYE" 2>/dev/null || true
	exec {LAB_QUESTIONS}>&- {LAB_ANSWERS}<&- {LAB_SILENCE}<&-
	LAB_EYE='' LAB_SILENCE=''
}

# Waits a moment between two tries.
lab_pause() {
	if [[ -n $LAB_SILENCE ]]; then
		read -r -t 0.02 -u "$LAB_SILENCE" || true
	else
		sleep 0.02
	fi
}

# Puts into LAB_SEEN what `jq -r FILTER` (c: -c, e: -e, and nothing is seen) makes of what is at a place; the filter knows $name as
# NAME. Returns 0; 1 if e finds it false or the agent refuses; 2 if nothing is there, and says why. For one shell at a time: one in
# the background that looks, too, must have closed this eye.
#   agent NAME COMMAND       what an agent answers
#   api PATH                 what rainbowd answers to GET
#   map MAP                  a pinned map as bpftool dumps it; of an array without the elements that are all zeros
lab_look() { # r|c|e NAME FILTER PLACE WORD...
	local id=$BASHPID.$((++LAB_LOOKS)) us=$'\x1f' answer='' code where=$5 what=${*:6}

	case $4 in
	agent) where=$LAB_DIR/$5.ctl ;;
	api) where=$LAB_DIR/rainbow.sock what=$5 ;;
	map) where=$LAB_PINS/$5 ;;
	esac
	printf '%s\n' "$id$us$1$us$2$us${3//[$'\n\t']/ }$us$4$us$where$us$what" >&"$LAB_QUESTIONS"
	until [[ $answer == "$id "* ]]; do # what another shell, since ended, has not waited for is skipped
		IFS= read -r -d '' -t 60 -u "$LAB_ANSWERS" answer || { lab_say 'the eye does not answer' && return 3; }
	done
	answer=${answer#* }
	code=${answer%% *}
	LAB_SEEN=${answer#* }
	LAB_SEEN=${LAB_SEEN%$'\n'}
	((code != 2)) || { printf '%s\n' "$LAB_SEEN" >&2 && LAB_SEEN=''; }
	return "$code"
}

# The same, printed.
lab_show() { # r|c|e NAME FILTER PLACE WORD...
	local code=0

	lab_look "$@" || code=$?
	[[ -z $LAB_SEEN ]] || printf '%s\n' "$LAB_SEEN"
	return "$code"
}
