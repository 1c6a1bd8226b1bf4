#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rainbowd under valgrind: steered through its API with real sessions under way, refused things included, ended by TERM, started
# again on what it left, and detached. No error, no definite leak. `make check-valgrind` runs it.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/../e2e/lib.sh"

readonly SESSIONS=20
readonly SUPPRESSIONS=$LAB_ROOT/tests/memcheck/valgrind.supp

# What the lab starts as rainbowd, also to detach. One log a process, beside the lab's, where lab_logs finds it.
wrap() {
	cat >"$LAB_DIR/rainbowd-memcheck" <<-END
		#!/bin/bash
		export LD_PRELOAD=$LAB_BUILD/tests/memcheck/kernel_wrote.so
		exec valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite \\
			--suppressions=$SUPPRESSIONS --child-silent-after-fork=yes --log-file=$LAB_DIR/memcheck-%p.log $LAB_BUILD/rainbowd "\$@"
	END
	chmod +x "$LAB_DIR/rainbowd-memcheck"
	LAB_RAINBOWD=$LAB_DIR/rainbowd-memcheck
}

# The lab's deadlines are for a native daemon; this one starts many times slower.
start() {
	lab_rainbowd_start tc --max-sessions 4096 || true
	wait_until 40 'rainbowd to answer' lab_ctl status -o json
}

stop() {
	kill -s TERM "${LAB_PID[rainbowd]}"
	lab_wait rainbowd 30 || fail "rainbowd under valgrind ended with $?: $(cat "$LAB_DIR"/memcheck-*.log)"
}

expect_clean() { # WHEN
	local log

	for log in "$LAB_DIR"/memcheck-*.log; do
		# A command of bpf(2) that valgrind does not know is passed on unchecked, with this warning.
		! grep -qv 'WARNING: unhandled eBPF command' "$log" || fail "$1: valgrind reports: $(head -c 6000 "$log")"
	done
}

steer() {
	add_service chat 4 2
	ctl version add chat v3 --backend "$(lab_backend 1):8083" --backend "$(lab_backend 2):8083"
	ctl service add echo "$LAB_SERVICE4:99/udp" --affinity client
	ctl set-weight chat v1=60 v2=40
	serve_agents 2
	lab_client load --to "$(at_service 4)" --sessions "$SESSIONS"
	wait_until 20 'all sessions to be live' is_eq "$SESSIONS" live_count
	ctl steer add chat 10.1.64.0/24 v2
	ctl steer rm chat 10.1.64.0/24
	ctl_refused 4 '' service add chat "$LAB_SERVICE4:81"
	ctl_refused 3 '' set-weight nochat v1=100
	ctl_refused 2 '' set-weight chat v1=999
	ctl sessions chat -o json
	ctl status
	lab_ctl doctor >/dev/null || true # traps of the lab are no matter here
	ctl rollback chat
}

end_sessions() {
	ctl set-weight chat v2=100
	ctl evict chat v1
	ctl drain chat v1 --deadline 1s
	wait_until 20 'v1 to have no live session' is_eq 0 version_count v1 live
	ctl undrain chat v1
	ctl version rm chat v3
	ctl service rm echo
}

main() {
	lab_up two-sided --backends 2
	wrap
	part 'a new start'
	start
	part 'steering'
	steer
	part 'ending sessions'
	end_sessions
	part 'an orderly end, and a start on what it left'
	stop
	expect_clean 'first end'
	start
	expect_no_drift
	stop
	part 'detaching'
	lab_in router "$LAB_RAINBOWD" --detach --pin-dir "$LAB_PINS" --state-dir "$LAB_DIR/state" --socket "$LAB_DIR/rainbow.sock"
	expect_clean 'detach'
	printf '1 passed, 0 failed\n'
}

main "$@"
