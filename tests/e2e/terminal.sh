#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rainbowctl at a terminal: `status -w` redraws in place, says since when rainbowd is silent, and gives the terminal back on Ctrl-C;
# `drain --wait` shows its progress and may be left; detach asks first.
# Takes 15 s.
source "$(dirname "$0")/lib.sh"

KEYS='' # descriptor: what is typed

# Runs rainbowctl at a terminal of its own, what it shows into $LAB_DIR/screen.
at_terminal() { # RAINBOWCTL-ARGUMENTS...
	rm -f "$LAB_DIR/keys" "$LAB_DIR/screen"
	mkfifo "$LAB_DIR/keys"
	RAINBOW_SOCKET=$LAB_DIR/rainbow.sock COLUMNS=120 TERM=xterm script -qefc "${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl} $*" \
		"$LAB_DIR/screen" <"$LAB_DIR/keys" >/dev/null 2>&1 &
	LAB_PID[terminal]=$!
	exec {KEYS}>"$LAB_DIR/keys"
}

type_keys() { # TEXT
	printf '%b' "$1" >&"$KEYS"
}

shows() { # REGEX: since it began
	grep -qaE "$1" "$LAB_DIR/screen"
}

wait_shown() { # REGEX
	lab_until 10 "the terminal to show $1" shows "$1" || fail "the terminal does not show '$1' but: $(tail -c 600 "$LAB_DIR/screen" | cat -v)"
}

expect_end() { # EXIT-CODE
	local code=0

	lab_wait terminal 10 || code=$?
	exec {KEYS}>&-
	expect_eq "exit code at the terminal, which shows $(tail -c 300 "$LAB_DIR/screen" | cat -v)" "$code" "$1"
}

readonly ENTERED=$'\033\\[\\?1049h' LEFT=$'\033\\[\\?1049l'

watches() {
	part 'status -w, until its service is gone'
	at_terminal status chat -w
	wait_shown "$ENTERED"
	wait_shown 'each second, Ctrl-C ends'
	wait_shown 'v1.* 100 %'
	ctl set-weight chat v1=25 v2
	wait_shown 'v2.* 75 %'
	lab_rainbowd_stop
	wait_shown 'rainbowd does not answer since .*last picture'
	! shows "$LEFT" || fail 'it has left the screen before its end'
	lab_rainbowd_start tc
	ctl set-weight chat v1=40 v2
	wait_shown 'v2.* 60 %'
	ctl service rm chat
	expect_end 3
	shows "$LEFT" || fail 'the terminal was not given back'

	part 'status -w, left by Ctrl-C'
	add_service chat 4 2
	at_terminal status -w
	wait_shown 'v1.* 100 %'
	type_keys '\003'
	expect_end 130
	shows "$LEFT" || fail 'the terminal was not given back'

	part 'status -w into a pipe: one picture after the other, plain'
	(trap '' PIPE && lab_ctl status -w) | head -n 12 >"$LAB_DIR/plain" || true # it ends by the pipe that is gone
	expect_match 'what it shows' "$(<"$LAB_DIR/plain")" 'v1 .*v1 ' # at least two
	! grep -q $'\033' "$LAB_DIR/plain" || fail 'escape codes in a pipe'
}

waits() {
	part 'drain --wait, left by Ctrl-C'
	lab_client some --to "$(at_service 4)" --sessions 10 --interval 0
	lab_until_stat some 10 '.live == 10'
	ctl set-weight chat v2=100
	lab_client stays --to "$(at_service 4)" --sessions 1 --interval 0
	at_terminal drain chat v1 --deadline 1h --wait
	wait_shown '10 of 10 live'
	type_keys '\003'
	expect_end 130
	expect_eq 'state of v1' "$(version_json chat v1 .state)" draining
	part 'drain --wait, to the end'
	at_terminal drain chat v1 --deadline 1h --wait
	wait_shown '10 of 10 live'
	lab_tell some end 5 >/dev/null
	wait_shown ' 5 of 10 live'
	lab_tell some end all >/dev/null
	expect_end 0
	shows 'v1 is drained: 10 sessions ended' || fail "it does not say that v1 is drained: $(tail -c 300 "$LAB_DIR/screen")"
	expect_eq 'state of v1' "$(version_json chat v1 .state)" drained
}

detaches() {
	part 'detach asks'
	at_terminal detach
	wait_shown 'Go on\? \[y/N\]'
	type_keys 'n\n'
	expect_end 5
	shows 'not confirmed: nothing is changed' || fail 'it does not say that nothing is changed'
	lab_runs rainbowd || fail 'rainbowd has ended'
	at_terminal detach
	wait_shown '1 live sessions? lose'
	type_keys 'yes\n'
	expect_end 0
	lab_wait rainbowd 10 || fail 'rainbowd did not end well'
}

lab_up routed
serve_agents 2
lab_rainbowd_start tc
add_service chat 4 2
watches
waits
detaches
