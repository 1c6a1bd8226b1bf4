#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What people do while a rollout runs: another target waits, is rejected, or takes its place; weights and drains of its versions are
# refused; rollback ends it; retry after the quarantine; blue-green; and what `wait` returns.
# Takes 20 s.
source "$(dirname "$0")/lib.sh"

rollout() { # JQ-FILTER
	lab_show r '' ".services[0].rollout | $1" api /v1/status
}

place() {
	rollout '"\(.number) to \(.target): \(.state) in step \(.step)"'
}

weights() {
	json '[.services[0].versions[].weight] | join(" ")' status
}

wait_for() { # EXIT-CODE REGEX TIMEOUT
	expect_code "$1" lab_ctl wait chat --for rollout=complete --timeout "$3"
	expect_match "what wait says" "$E2E_OUT" "$2"
}

forgive() { # LABEL
	ctl version unquarantine chat "$1"
	ctl undrain chat "$1"
}

start() { # LABEL [OPTIONS...]
	ctl rollout start chat "$1" --steps 20:1h,100:1h "${@:2}"
}

lab_up routed --backends 4
serve_agents 4
lab_rainbowd_start auto
add_service chat 4 4
lab_client load --to "$(at_service 4)" --sessions 60 --rate 300 --interval 50 --turns 3 --replace --duration 10m
lab_client long --to "$(at_service 4)" --sessions 100 --interval 1000 --duration 10m
lab_until_stat long 20 '.live == 100'

part 'what is refused while it runs'
expect_code 5 lab_ctl wait chat --for rollout=complete --timeout 5s
start v2
ctl_refused 5 'under way' set-weight chat v1=50 v2=50
ctl_refused 5 'under way' drain chat v1
ctl_refused 5 'under way' drain chat v2
ctl_refused 5 'under way' version rm chat v2
ctl_refused 4 'wait for its end' rollout start chat v2
ctl_refused 4 'wait for its end' rollout start chat v3 --on-new-target reject
wait_for 7 '.' 1s
expect_eq 'the rollout' "$(place)" '1 to v2: running in step 1'

part 'a target that waits begins when the one before it has ended; not while the service is locked'
ctl rollout start chat v3 --on-new-target queue --steps 30:1h,60:1h,100
expect_eq 'the rollout' "$(place)" '1 to v2: running in step 1'
expect_eq 'what waits' "$(rollout .queued)" v3
ctl lock chat --reason 'a test'
ctl rollout abort chat --reason 'another one is better'
wait_for 5 'another one is better' 10s
sleep 2 # that nothing happens can only be seen by waiting
expect_eq 'the weights while it is locked' "$(weights)" '100 0 0 0'
expect_eq 'what waits' "$(rollout .queued)" v3
ctl unlock chat
wait_until 10 'v3 to begin' is_eq '2 to v3: running in step 1' place
expect_eq 'its steps are those that it was given' "$(rollout '[.steps[].weight] | join(" ")')" '30 60 100'
expect_eq 'the weights' "$(weights)" '70 0 30 0'
expect_eq 'nothing waits any more' "$(rollout .queued)" null

part 'another takes its place'
start v4
expect_match 'what it says' "$E2E_OUT" 'rollout 2 to v3 is superseded: v3 drains'
expect_eq 'the rollout' "$(place)" '3 to v4: running in step 1'
expect_eq 'the weights' "$(weights)" '80 0 0 20'
wait_until 20 'v3 to be drained' is_eq drained version_json chat v3 .state
expect_eq 'v3 is in no quarantine' "$(version_json chat v3 .quarantine)" null

part 'rollback ends it, and leads to no other place'
ctl_refused 4 'v1 is the baseline of rollout 3.*rollout abort chat' rollout start chat v1
ctl_refused 5 'promote chat --full' rollback chat --to v4
ctl rollback chat --reason 'it is too chatty'
expect_match 'the rollout' "$(place)" '3 to v4: rolled_back'
expect_eq 'the weights' "$(weights)" '100 0 0 0'
expect_match 'the quarantine' "$(version_json chat v4 .quarantine)" 'it is too chatty'
sleep 1 # two looks of the pilot, which must leave it alone
expect_eq 'the weights, later' "$(weights)" '100 0 0 0'

part 'retry, after the quarantine'
wait_until 20 'v4 to be drained' is_eq drained version_json chat v4 .state
ctl_refused 5 'quarantine' rollout retry chat
ctl version unquarantine chat v4
ctl rollout retry chat
expect_eq 'the rollout' "$(place)" '4 to v4: running in step 1'
expect_eq 'the weights' "$(weights)" '80 0 0 20'
ctl version quarantine chat v4 --reason 'leaks, ticket 123'
expect_match 'what it says' "$E2E_OUT" 'rollout 4 to it is rolled back'
expect_match 'the rollout, at once' "$(place) $(rollout .reason)" '4 to v4: rolled_back.*ticket 123'
expect_eq 'the weights' "$(weights)" '100 0 0 0'
expect_eq 'the quarantine' "$(version_json chat v4 .quarantine)" 'leaks, ticket 123'
wait_until 20 'v4 to be drained' is_eq drained version_json chat v4 .state
ctl_refused 5 'in quarantine, which would go with it' version rm chat v4

part 'retry, when another version has taken over meanwhile'
ctl version unquarantine chat v4
forgive v2
ctl set-weight chat v1=0 v2=100
wait_until 20 'v4 to be drained' is_eq drained version_json chat v4 .state
ctl_refused 5 'v1' rollout retry chat
ctl drain chat v1
expect_code 5 lab_ctl rollout retry chat
expect_match 'why there is no retry' "$E2E_OUT" 'v1 is drain'
ctl undrain chat v1
ctl set-weight chat v1=100 v2=0

part 'blue-green, and wait'
ctl rollout start chat v2 --steps 100 --hold 10s
expect_eq 'the weights' "$(weights)" '0 100 0 0'
lab_ctl wait chat --for rollout=complete --timeout 30s >"$LAB_DIR/wait.log" 2>&1 &
waiter=$!
lab_at_exit kill_if_there $waiter
expect_eq 'it lasts its hold' "$(rollout .state)" running
expect_eq 'the baseline is kept for the way back' "$(version_json chat v1 .state)" active
wait_for 0 'complete' 30s
wait $waiter || fail "the other wait ended with $?: $(<"$LAB_DIR/wait.log")"
expect_match 'the baseline' "$(version_json chat v1 .state)" drain
expect_eq 'the weights' "$(weights)" '0 100 0 0'

part 'what a person took back no document brings again'
document() { # TARGET
	printf 'rainbow: 1\nservices:\n- name: chat\n  address: %s\n  rollout: {steps: [{weight: 100, hold: 1h}], target: %s}\n' \
		"$(at_service 4)" "$1" >"$LAB_DIR/rainbow.yaml"
}
document v2
ctl rollback chat --reason 'wrong answers'
expect_match 'what it says' "$E2E_OUT" 'v2 is in quarantine'
ctl_refused 5 'rainbow.yaml:[0-9]+:[0-9]+: .*v2 of chat is in quarantine: rollout 5: complete, then rolled back by hand: wrong answers' \
	apply -f "$LAB_DIR/rainbow.yaml"
ctl version unquarantine chat v2
ctl set-weight chat v2=100

part 'a target that drains, and nobody has judged, begins again; the way back from it is a refusal with its place'
ctl drain chat v1
document v1
ctl apply -f "$LAB_DIR/rainbow.yaml"
expect_eq 'the rollout' "$(place)" '6 to v1: running in step 1'
document v2
ctl_refused 4 'rainbow.yaml:[0-9]+:[0-9]+: .*rollout abort chat' apply -f "$LAB_DIR/rainbow.yaml"
ctl rollout abort chat
ctl version unquarantine chat v1

part 'blue-green with a way back'
ctl undrain chat v1
ctl rollout start chat v1 --steps 100 --hold 1h
ctl_refused 5 'under way' backend rm chat v2 "$(lab_backend 2):8080"
ctl rollback chat
expect_eq 'the weights' "$(weights)" '0 100 0 0'
expect_match 'the rollout' "$(rollout .state)" 'rolled_back'

expect_whole long
expect_eq 'load: sessions moved and lost' "$(lab_stat load '[.moved, .lost] | @csv')" 0,0
expect_no_drift
lab_down
