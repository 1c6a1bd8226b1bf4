#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Rollouts judge themselves, over real sessions of the lab's agents: a good version gets to 100 %; one that is 30 % slower per turn, one
# that resets 5 % of its sessions, and one whose pushed quality is worse go back by themselves, each for its own reason. Printed: the
# time from the verdict until no new session can get the bad version (one swap; goal: 5 ms at the median).
# Takes 90 s.
source "$(dirname "$0")/lib.sh"

readonly THINK=40 # ms before an answer, give or take a half
took=()           # ms from each verdict to the end of its barrier, as rainbowd says
late=()           # ms from each verdict to the last new session on the bad version, as the kernel's count says; below 0: before it

rollout() { # JQ-FILTER
	lab_show r '' ".services[0].rollout | $1" api /v1/status
}

has_ended() {
	[[ $(rollout .ended) != null ]]
}

tell_gates() {
	rollout '.gates[] | "  gate \(.name): \(.verdict): \(.reason)"'
}

chosen() { # LABEL: how often a new session got it
	version_count "$1" chosen
}

add_version() { # LABEL BACKEND
	ctl version add chat "$1" --backend "$(lab_backend "$2"):8080" --code "$1"
}

start() { # LABEL [OPTIONS...]
	lab_spawn last router "$E2E_PROGRAMS/last_chosen" "$LAB_PINS/rainbow_version" "$1"
	ctl rollout start chat "$1" --steps 20,50,100 --hold 3s "${@:2}"
}

# It ended rolled back, for this reason; nobody gets the version any more, which drains in quarantine.
expect_rolled_back() { # LABEL REASON-REGEX
	local before ms

	wait_until 120 "the rollout to $1 to end" has_ended
	tell_gates
	expect_eq "the rollout to $1" "$(rollout .state)" rolled_back
	expect_match "why the rollout to $1 was rolled back" "$(rollout .reason)" "$2"
	before=$(chosen "$1")
	ms=$(sed -n "s/.* of chat to $1 is rolled back: [^(]* (\([0-9.]*\) ms).*/\1/p" "$LAB_DIR/rainbowd.log" | tail -n 1)
	[[ -n $ms ]] || fail "rainbowd does not say how long the rollback took"
	took+=("$ms")
	expect_last_session "$1" "$ms"
	say "rolled back in $ms ms: $(rollout .reason)"
	expect_eq "weight of v1" "$(version_json chat v1 .weight)" 100
	expect_match "state of $1" "$(version_json chat "$1" .state)" 'drain'
	wait_until 30 "$1 to be drained" is_eq drained version_json chat "$1" .state # which changes what is shown
	ctl_refused 5 "quarantine.*version unquarantine chat $1" rollout start chat "$1"
	wait_until 10 'a hundred new sessions' _new_sessions 100
	expect_eq "new sessions on $1 after the rollback" "$(($(chosen "$1") - before))" 0
}

# The last new session came before the barrier had ended, as seen from outside: by looks at the kernel's count.
expect_last_session() { # LABEL MS of the barrier
	local last slowest ended

	lab_end last
	read -r last slowest < <(tail -n 1 "$LAB_DIR/last.log")
	ended=$(sqlite3 -cmd '.timeout 5000' "$LAB_DIR/state/rainbow.db" "SELECT rollout FROM service" | jq .ended_ms)
	late+=("$(jq -nr "(($last - $ended * 1000) / 100 | round) / 10")")
	say "the last new session on $1: ${late[-1]} ms after the verdict; a look each $slowest us at the worst"
	expect_between 'us from the verdict to the last new session' $((last - ended * 1000)) -10000000 \
		"$(jq -nr "$2 * 1000 + $slowest + 20000 | round")" # judging, until its clock begins, and rounding
}

_new_sessions() { # N since the last call that succeeded
	local now

	now=$(version_count v1 opened)
	: "${opened_before:=$now}"
	((now - opened_before >= $1)) || return 1
	opened_before=''
}

push() { # VERSION OF-100-GOOD FIRST: 400 samples, of sessions FIRST and on
	local i

	for ((i = $3; i < $3 + 400; i++)); do
		printf '{"session":"%s-%d","ok":%s}\n' "$1" "$i" "$( ((i * 37 % 100 < $2)) && echo true || echo false)"
	done | jq -s -c --arg version "$1" '{gate: "accuracy", version: $version, samples: .}' >"$LAB_DIR/samples.json"
	curl -sf --unix-socket "$LAB_DIR/rainbow.sock" -d @"$LAB_DIR/samples.json" http://rainbow/v1/services/chat/samples |
		jq -c '[.accepted, .known]'
}

lab_up routed --backends 5
lab_server 1 v1 tcp:8080 -- --think $THINK --pause 1
lab_server 2 good tcp:8080 -- --think $THINK --pause 1
lab_server 3 slow tcp:8080 -- --think $((THINK * 13 / 10)) --pause 1
lab_server 4 resets tcp:8080 -- --think $THINK --pause 1 --resets 50
lab_server 5 worse tcp:8080 -- --think $THINK --pause 1
lab_rainbowd_start auto
ctl service add chat "$(at_service 4)"
add_version v1 1
lab_client load --to "$(at_service 4)" --sessions 150 --rate 300 --interval 100 --turns 5 --replace --timeout 20000 --duration 10m
lab_client long --to "$(at_service 4)" --sessions 200 --rate 500 --interval 1000 --timeout 20000 --duration 10m
lab_until_stat long 20 '.live == 200'

part 'a version that is 30 % slower per turn'
add_version slow 3
start slow
expect_match 'what a rollout without a quality gate says' "$E2E_OUT" 'no quality gate'
expect_rolled_back slow 'turn_latency'
expect_code 0 lab_ctl explain gate chat turn_latency
say "$E2E_OUT"
expect_match 'the explanation' "$E2E_OUT" 'Mann-Whitney'

part 'a version that resets 5 % of its sessions'
add_version resets 4
start resets
expect_rolled_back resets 'resets'

part 'a version whose pushed quality is worse'
add_version worse 5
cat >"$LAB_DIR/gates.json" <<-END
	{"gates": [{"name": "turn_latency", "source": "kernel", "signal": "turn_latency", "margin": 20},
		{"name": "accuracy", "source": "push", "better": "higher", "margin": 8}]}
END
expect_code 0 curl -sf --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH -d @"$LAB_DIR/gates.json" http://rainbow/v1/services/chat
start worse
expect_eq 'samples of v1' "$(push v1 95 0)" '[400,0]'
push worse 80 0
expect_rolled_back worse 'accuracy'

part 'a good version'
add_version good 2
start good
wait_until 60 'step 1 to begin' is_eq 1 rollout .step
push v1 95 0
expect_eq 'samples told again' "$(push v1 95 0)" '[0,400]'
push good 95 0
wait_until 60 'step 2' is_eq 2 rollout .step
push v1 95 1000 # those of step 1 do not count any more
push good 95 1000
wait_until 120 'the rollout to good to end' has_ended
tell_gates
expect_eq 'the rollout to good' "$(rollout .state)" complete
expect_eq 'weight of good' "$(version_json chat good .weight)" 100
expect_eq 'state of the version before' "$(version_json chat v1 .state)" draining

part 'what it took'
say "from verdict to barrier, in ms: ${took[*]}; median $(printf '%s\n' "${took[@]}" | sort -n | sed -n "$(((${#took[@]} + 1) / 2))p")"
say "from verdict to the last new session: ${late[*]}"
expect_eq 'long sessions moved and lost' "$(lab_stat long '[.moved, .lost] | @csv')" 0,0
expect_eq 'load: sessions moved' "$(lab_stat load .moved)" 0
expect_no_drift
lab_down
