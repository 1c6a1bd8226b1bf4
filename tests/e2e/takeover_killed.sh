#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rainbowd is killed at one system call after the other while it carries sessions over into another table: a larger one, or one of
# another schema. The next start finishes it or undoes it, and no session is lost. Some of the calls; others with another seed.
# Takes 60 s.
source "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/traced.sh
source "$(dirname "$0")/traced.sh"
# shellcheck source=tests/schema/lib.sh
source "$LAB_ROOT/tests/schema/lib.sh"

readonly SESSIONS=500 KILLS=4

# rainbowd as the lab starts it, killed as it enters call N of those of that name; or once it answers, if it makes fewer.
killed_at() { # CALL N RAINBOWD-ARGUMENTS...
	local call=$1 n=$2 words pid

	rainbowd_words xdp "${@:3}"
	lab_in router timeout 60 strace -f -qq -o "$LAB_DIR/killed.strace" -e "trace=$call" \
		-e "inject=$call:signal=KILL:when=$n" "$LAB_BUILD/rainbowd" "${words[@]}" >>"$LAB_DIR/killed.log" 2>&1 &
	pid=$!
	wait_until 60 'rainbowd to be killed, or to answer' ended_or_answers "$pid"
	kill -s KILL "$(json .daemon.pid status 2>/dev/null)" 2>/dev/null || true
	wait "$pid" || true
}

ended_or_answers() { # PID
	! kill -0 "$1" 2>/dev/null || lab_ctl status >/dev/null 2>&1
}

line_of() { # REGEX FILE: the first line with it
	grep -n "$1" "$2" | head -n 1 | cut -d: -f1
}

# Numbers from FIRST to LAST in random order.
numbers() { # FIRST LAST
	seq "$1" "$2" | shuf --random-source=<(yes "$E2E_SEED")
}

limit() {
	json '.daemon.pins.limit' status
}

expect_all() { # WHAT
	expect_eq "$1: live sessions" "$(live_count)" "$SESSIONS"
	expect_eq "$1: hold" "$(lab_map rainbow_meta | jq -r '.[0].formatted.value.hold')" RAINBOW_HOLD_NONE
	expect_turns idle 40
}

resize() {
	local n first last room=3000 count=0 kills=()

	part "a larger table, seed $E2E_SEED"
	lab_up two-sided --offloads off
	serve_agents 2
	lab_rainbowd_start xdp --max-sessions 2000
	add_service chat 4 2
	ctl set-weight chat v1=50 v2
	lab_client idle --to "$(at_service 4)" --sessions "$SESSIONS" --rate 2000 --interval 0 --timeout 20000
	lab_until_stat idle 30 ".live == $SESSIONS"
	lab_rainbowd_stop
	trace_start "$LAB_DIR/whole.strace" xdp --max-sessions "$room"
	first=$(line_of 'BPF_OBJ_PIN.*rainbow_next_' "$LAB_DIR/whole.strace")
	last=$(line_of 'rename(' "$LAB_DIR/whole.strace")
	mapfile -t kills < <(numbers "$first" "$((last + 3))" | head -n "$KILLS")
	for n in "${kills[@]}" rename-1 rename-2; do
		room=$((room + 1)) count=$((count + 1))
		if [[ $n == rename-* ]]; then
			killed_at rename "${n#rename-}" --max-sessions "$room"
		else
			killed_at bpf "$n" --max-sessions "$room"
		fi
		lab_rainbowd_start xdp
		# Undone, or finished.
		[[ $(limit) == "$room" ]] || { room=$((room - 1)) && expect_eq "room after a kill at $n" "$(limit)" "$room"; }
		expect_eq 'pins of the new table' "$(find "$LAB_PINS" -name 'rainbow_next_*')" ''
		expect_all "killed at $n"
		lab_rainbowd_stop
	done
	say "killed $count times, of calls $first to $last"
	lab_rainbowd_start xdp
	expect_no_drift
	expect_whole idle
	lab_down
}

migrate() {
	local n=$((40 + E2E_SEED % 10)) count=0

	part "another schema, seed $E2E_SEED"
	lab_up two-sided --offloads off
	serve_agents 2
	old_release same xdp
	lab_client idle --to "$(at_service 4)" --sessions "$SESSIONS" --rate 2000 --interval 0 --timeout 20000
	lab_until_stat idle 30 ".live == $SESSIONS"
	killed_at rename $((1 + RANDOM % 18))
	# Each continues what the one before has left.
	while [[ ! -e $PINS/rainbow_table || -e $PINS/v1/rainbow_meta ]]; do
		count=$((count + 1))
		((count < 60)) || fail "killed $count times and still not through"
		if ((count % 4 == 0)); then
			killed_at unlinkat $((1 + RANDOM % 18))
			continue
		fi
		killed_at bpf "$n"
		n=$((n + 15 + RANDOM % 30))
	done
	say "killed $((count + 1)) times, the last time at call $n"
	lab_rainbowd_start xdp
	expect_all 'after that'
	expect_no_drift
	expect_whole idle
	lab_down
}

have_strace || skip 'no strace here to kill at a system call'
resize
migrate
