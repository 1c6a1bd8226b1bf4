#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A gate on a real Prometheus, laid down by `apply`, beside sessions of the lab's agents. While the query holds the rollout goes on. It
# goes empty: held, never rolled back. Prometheus is stopped, freezes, refuses the query: errors, held, told once. It comes back good:
# on to the next step. The candidate's value gets worse than the margin: rolled back by three bad answers in a row.
# Takes 60 s.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/../lab/prometheus.sh"

# shellcheck disable=SC2016 # $version is rainbowd's to fill in
QUERY='sum(agent_cost{version="$version"})'

rollout() { # JQ-FILTER
	lab_show r '' ".services[0].rollout | $1" api /v1/status
}

gate() { # JQ-FILTER
	rollout ".gates[0] | $1"
}

gate_says() { # VERDICT REGEX
	[[ $(gate .verdict) == "$1" && $(gate .reason) =~ $2 ]]
}

place() {
	rollout '"\(.state) in step \(.step)"'
}

cost() { # OF-V1 [OF-V2]: what is exposed from now on
	lab_expose < <(
		echo "agent_cost{version=\"v1\"} $1"
		[[ -z ${2:-} ]] || echo "agent_cost{version=\"v2\"} $2"
	)
}

write_gate() { # [LINE]: of the document, more of the gate
	cat <<-END
		  gates:
		  - name: cost
		    source: prometheus
		    url: $LAB_PROMETHEUS
		    query: '$QUERY'
		    margin: 10
		    min_samples: 20
		    interval: 1s
		    timeout: 1s
		    ${1:-}
	END
}

apply() { # stdin: what a document says of the service
	{ printf 'rainbow: 1\nservices:\n- name: chat\n  address: %s\n' "$(at_service 4)" && cat; } >"$LAB_DIR/rainbow.yaml"
	ctl apply -f "$LAB_DIR/rainbow.yaml"
}

told() { # REGEX: how often the history says it
	lab_ctl history chat --limit 500 -o json | jq --arg what "$1" '[.. | .sentence? // empty | select(test($what))] | length'
}

# It is held, for the reason, and stays there for some answers more.
expect_held() { # VERDICT REGEX
	local answers

	wait_until 20 "the gate to be $1: $2" gate_says "$1" "$2"
	wait_until 20 'the rollout to be held' is_eq 'held in step 2' place
	for ((answers = 0; answers < 6; answers++)); do
		sleep 0.5 # that nothing happens can only be seen by waiting
		expect_eq "a rollout whose gate is $1" "$(place)" 'held in step 2'
	done
	expect_match 'why it is held' "$(rollout .reason)" "$2"
	expect_eq 'the weight of v2' "$(version_json chat v2 .weight)" 40
	say "held: $(rollout .reason)"
}

lab_up routed --backends 2
serve_agents 2
lab_prometheus_start router
lab_rainbowd_start auto
cost 0.40 0.41
lab_prometheus_until 20 'agent_cost{version="v2"}' 0.41

part 'the document'
apply <<-END
	$(write_gate)
	  versions:
	  - {label: v1, tuple: {model: small-1}, backends: [{address: "$(lab_backend 1):8080"}]}
	  - {label: v2, tuple: {model: small-2}, backends: [{address: "$(lab_backend 2):8080"}]}
	  weights: {v1: 100, v2: 0}
	  rollout: {steps: [{weight: 20, hold: 1s}, {weight: 40, hold: 8s}, {weight: 60, hold: 1h}, {weight: 100, hold: 1h}]}
END
lab_client load --to "$(at_service 4)" --sessions 60 --rate 300 --interval 50 --turns 3 --replace --duration 10m
lab_client long --to "$(at_service 4)" --sessions 100 --interval 1000 --duration 10m
lab_until_stat long 20 '.live == 100'

part 'the query holds'
apply <<<'  rollout: {target: v2}'
expect_eq 'the plan survives a document that names none' "$(rollout '.steps | length')" 4
expect_match 'the layers that differ' "$(rollout .changed)" model
wait_until 20 'step 2' is_eq 2 rollout .step
expect_match 'why it went on' "$(rollout .reason)" 'gates passed'

part 'it goes empty'
cost 0.40
expect_held inconclusive 'no series'
expect_eq 'errors told' "$(told 'gate cost of chat is in error')" 0

part 'Prometheus is stopped, comes back frozen'
lab_prometheus_stop
expect_held error 'refused|connect'
expect_code 0 lab_ctl explain gate chat cost
expect_match 'the explanation' "$E2E_OUT" 'error'
lab_prometheus_start router
wait_until 20 'an answer' gate_says inconclusive 'no series'
expect_eq 'that it answers again, told' "$(told 'gate cost of chat answers again')" 1
lab_prometheus_freeze
wait_until 20 'a timeout' gate_says error 'no answer within'
lab_prometheus_thaw
wait_until 20 'an answer' gate_says inconclusive 'no series'
expect_eq 'errors told: once each time' "$(told 'gate cost of chat is in error')" 2

part 'a query that Prometheus refuses, and a token that is not there'
apply < <(QUERY=${QUERY%)} write_gate)
expect_held error 'Prometheus answers 400, bad_data'
apply < <(write_gate "token_file: $LAB_DIR/token")
wait_until 20 'an error that names the file' gate_says error "$LAB_DIR/token"
(umask 077 && echo secret >"$LAB_DIR/token")
wait_until 20 'an answer' gate_says inconclusive 'no series'
expect_eq 'the rollout' "$(place)" 'held in step 2'

part 'it comes back good'
cost 0.40 0.42
wait_until 20 'step 3' is_eq 'running in step 3' place
expect_eq 'the weight of v2' "$(version_json chat v2 .weight)" 60

part 'an answer is judged once, whatever gates come and go'
cost 0.40 0.45
apply < <(for i in {1..16}; do
	((i > 1)) || echo '  gates:'
	write_gate "shadow: true" | sed -n "/- name/,\$p" | sed "s/name: cost/name: cost$i/; s/interval: 1s/interval: 1h/"
done)
wait_until 20 'one bad answer' is_eq 16 rollout '[.gates[] | select(.reason | test("1 of 3 such"))] | length'
apply < <(write_gate | sed 's/name: cost/name: other/; s/interval: 1s/interval: 1h/'
	write_gate "shadow: true" | sed -n "/- name/,\$p" | sed 's/name: cost/name: cost7/; s/interval: 1s/interval: 1h/')
wait_until 20 'one bad answer of the new one' gate_says inconclusive '1 of 3 such'
for ((i = 0; i < 8; i++)); do
	sleep 0.5 # that nothing happens can only be seen by waiting
	expect_eq 'bad answers' "$(rollout '[.gates[] | select(.reason | test("1 of 3 such"))] | length')" 2
done
cost 0.40 0.42
lab_prometheus_until 20 'agent_cost{version="v2"}' 0.42
apply < <(write_gate)

part 'worse than the margin'
wait_until 20 'the gate to pass' gate_says pass .
cost 0.40 0.45
# In one look: the third may come right after the second.
wait_until 20 'a bad answer that does not suffice' is_eq true rollout '.state == "running" and .step == 3 and
	(.gates[0] | .verdict == "inconclusive" and (.reason | test("candidate is worse.*[12] of 3 such answers")))'
wait_until 20 'the rollout to be rolled back' is_eq 'rolled_back in step 3' place
say "$(rollout .reason)"
expect_match 'why' "$(rollout .reason)" 'rolled back in step 3 of 4 \(60 %\): cost: the candidate is worse: 0\.45 against 0\.4, allowed 0\.44'
expect_eq 'the weights' "$(version_json chat v1 .weight) $(version_json chat v2 .weight)" '100 0'
expect_eq 'the gate, shown after the end' "$(gate .verdict)" fail
expect_match 'the quarantine' "$(version_json chat v2 '.quarantine')" 'cost'
expect_whole long
expect_no_drift
lab_down
