#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A rollout survives kill -9 of rainbowd in each of its states: it goes on in the same step, with the weights of that step and without
# beginning anew, and what had ended stays ended. Then: rainbowd is killed at random moments while rollouts run; weights, step and
# state fit each other after every start. Three versions under 2,000 live sessions, of which none is moved.
# Takes 120 s.
source "$(dirname "$0")/lib.sh"

readonly SESSIONS=2000

rollout() { # JQ-FILTER
	lab_show r '' ".services[0].rollout | $1" api /v1/status
}

facts() { # what must be the same before and after; a drain may end meanwhile
	lab_show c '' '.services[0] | [.rollout.number, .rollout.state, .rollout.target, .rollout.baseline, .rollout.step,
		.rollout.began, .rollout.ended, (.versions | map([.label, .weight, .state == "active"]))]' api /v1/status
}

restart() {
	lab_rainbowd_kill
	lab_rainbowd_start auto
}

survives() { # STATE
	local before

	expect_eq 'the state' "$(rollout .state)" "$1"
	before=$(facts)
	restart
	expect_eq "a rollout that is $1, after kill -9" "$(facts)" "$before"
	say "$1 survives: $before"
}

# Step and weights belong together, whenever it was killed.
fits() {
	lab_show r '' '.services[0] | . as $s | .rollout | if .ended then
			(if .state == "complete" then .target else .baseline end) as $all |
			$s.versions | map(select(.weight > 0)) | length == 1 and .[0].label == $all
		else .weight as $w | .target as $t | .baseline as $b |
			($s.versions | map(select(.label == $t)) | .[0].weight == $w) and
			($s.versions | map(select(.label == $b)) | .[0].weight == 100 - $w) end' api /v1/status
}

lab_up routed --backends 4
serve_agents 4
lab_rainbowd_start auto
add_service chat 4 3
lab_client long --to "$(at_service 4)" --sessions $SESSIONS --rate 2000 --interval 2000 --timeout 20000 --duration 10m
lab_until_stat long 30 ".live == $SESSIONS"
lab_client load --to "$(at_service 4)" --sessions 60 --rate 300 --interval 50 --turns 3 --replace --timeout 20000 --duration 10m

part 'running'
ctl rollout start chat v2 --steps 30,60,100 --hold 1h
survives running
part 'paused'
ctl rollout pause chat
survives paused
ctl rollout resume chat
part 'another step'
ctl rollout promote chat --from-step 1
ctl_refused 5 'in step 2' rollout promote chat --from-step 1
survives running
expect_eq 'the step' "$(rollout .step)" 2
part 'rolled back'
ctl rollout abort chat --reason 'a test'
survives rolled_back
expect_match 'the reason' "$(rollout .reason)" 'a test'
part 'complete'
ctl version unquarantine chat v2
ctl undrain chat v2
ctl rollout retry chat
ctl rollout promote chat --full
wait_until 5 'step 3' is_eq 3 rollout .step
ctl rollout promote chat
survives complete

part 'held: the gates are inconclusive'
ctl undrain chat v1
cat >"$LAB_DIR/gates.json" <<-END
	{"gates": [{"name": "accuracy", "source": "push", "better": "higher", "margin": 2}]}
END
expect_code 0 curl -sf --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH -d @"$LAB_DIR/gates.json" http://rainbow/v1/services/chat
ctl rollout start chat v3 --steps 25,100 --hold 1s
wait_until 10 'the rollout to hold' is_eq held rollout .state
survives held

part 'superseded'
ctl rollout start chat v1 --steps 10,100 --hold 1h
expect_eq 'the target' "$(rollout '[.target, .baseline] | @csv')" '"v1","v2"'
expect_eq 'state of the version that gave way' "$(version_json chat v3 .state)" draining
survives running
ctl rollout abort chat

part 'killed at random moments of rollouts'
expect_code 0 curl -sf --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH -d '{"gates": "default"}' http://rainbow/v1/services/chat
for ((i = 0; i < 12; i++)); do
	label=v$((i % 2 ? 1 : 3))
	lab_ctl version unquarantine chat "$label" >/dev/null 2>&1 || true
	lab_ctl undrain chat "$label" >/dev/null
	lab_ctl rollout start chat "$label" --baseline v2 --no-gates --steps 20,40,60,80,100 --hold 300ms >/dev/null
	sleep "0.$((RANDOM % 10))"
	lab_ctl rollout abort chat >/dev/null 2>&1 & # it may be answered, or cut off
	abort=$!
	((i % 3 == 0)) || kill_if_there $abort
	restart
	wait $abort 2>/dev/null || true
	expect_eq "weights fit the rollout: $(facts)" "$(fits)" true
	lab_ctl rollout abort chat >/dev/null 2>&1 || true
	[[ $(rollout .state) == rolled_back ]] || lab_ctl rollback chat --to v2 >/dev/null
done

part 'the sessions'
expect_eq 'long sessions moved and lost' "$(lab_stat long '[.live, .moved, .lost] | @csv')" "$SESSIONS,0,0"
expect_turns long
expect_eq 'load: sessions moved and lost' "$(lab_stat load '[.moved, .lost] | @csv')" 0,0
expect_no_drift
lab_down
