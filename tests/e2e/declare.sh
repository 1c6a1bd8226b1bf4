#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The declarative document: plan says what apply then does, applied again it is nothing, what is exported applies back to nothing; a
# bad one changes nothing, and says where it is bad; versions that it names no more drain with their sessions. EndpointSlices become one.
# Takes 15 s.
source "$(dirname "$0")/lib.sh"

YAML=''

write_document() { # BODY of service chat
	cat >"$YAML" <<-END
		rainbow: 1
		services:
		- name: chat
		  address: $(at_service 4)
		  selection: exact
		$1
	END
}

version_of() { # LABEL N [MODEL]
	printf '  - {label: %s, tuple: {model: %s}, backends: [{address: "%s:8080"}]}\n' "$1" "${3:-m-$1}" "$(lab_backend "$2")"
}

plan() { # EXIT-CODE [REGEX]...: each is found in it
	local code=$1 regex

	shift
	expect_code "$code" lab_ctl plan -f "$YAML"
	for regex in "$@"; do
		expect_match 'the plan' "$E2E_OUT" "$regex"
	done
}

# Applies, and sees that there is nothing more to do, and that the export says the same.
apply() {
	ctl apply -f "$YAML"
	plan 0 'all is as the document wants it'
	round_trip
}

round_trip() {
	local before

	before=$(settings)
	lab_ctl export >"$LAB_DIR/export.yaml"
	expect_code 0 lab_ctl lint -f "$LAB_DIR/export.yaml"
	expect_code 0 lab_ctl plan -f "$LAB_DIR/export.yaml"
	expect_code 0 lab_ctl apply -f "$LAB_DIR/export.yaml"
	expect_match 'the export applied' "$E2E_OUT" 'all is as the document wants it'
	expect_code 0 lab_ctl export -o json
	expect_code 0 lab_ctl plan -f - <<<"$E2E_OUT" # JSON is YAML
	expect_eq 'settings after the export was applied' "$(settings)" "$before"
}

# The document is refused, by lint (offline) too if it can know, and changes nothing.
refused() { # CODE REGEX offline|online
	ctl_refused "$1" "$2" plan -f "$YAML"
	ctl_refused "$1" "$2" apply -f "$YAML"
	ctl_refused "$1" "$2" apply -f "$YAML" --dry-run
	if [[ $3 == offline ]]; then
		expect_code "$1" "${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl}" lint -f "$YAML"
		expect_match 'lint' "$E2E_OUT" "$2"
	else
		expect_code 0 "${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl}" lint -f "$YAML"
	fi
}

from_nothing() {
	part 'from nothing'
	write_document "  drain: {deadline: 12h, pace: 50/s}
  versions:
$(version_of v1 1)
$(version_of v2 2)
  weights: {v1: 95, v2: null}
  steers: [{range: 10.9.0.0/16, version: v2}]"
	plan 10 '\+ service chat on' '~ chat drain.deadline 1d -> 12h' '\+ version v1 of chat' 'weight of v2 0 % -> 5 %' '\+ steer'
	expect_eq 'services after a plan' "$(json '.services | length' 'service list')" 0
	expect_code 0 lab_ctl apply -f "$YAML" --dry-run
	expect_eq 'services after a dry run' "$(json '.services | length' 'service list')" 0
	apply
	expect_eq 'weights' "$(json '[.services[0].versions[] | "\(.label)=\(.weight)"] | join(" ")' status)" 'v1=95 v2=5'
	expect_eq 'the deadline' "$(json '.services[0].settings.drain.deadline' 'service list')" 12h
	expect_eq 'the steer, in the kernel' "$(json '.steers | length' steer list)" 1
}

bad_documents() {
	part 'bad documents'
	write_document '  drain: {dedline: 5h}'
	refused 2 'document.yaml:6:11: services\[0\].drain.dedline: unknown key; did you mean deadline\?' offline
	write_document $'  drain: {dedline: 5h}\n  htp: true'
	expect_code 2 "${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl}" lint -f "$YAML"
	expect_eq 'unknown keys are told together' "$(cut -d: -f2,3 <<<"$E2E_OUT" | paste -sd' ')" '7:3 6:11'
	write_document $'  drain:\n\tdeadline: 5h'
	refused 2 'document.yaml:7:1: a tab' offline
	write_document $'  weights: {v1: 95}\n  http: true'
	refused 2 'document.yaml:6:3: services\[0\].weights: the sum is 95, not 100' offline
	write_document $'  http: true\n  http: true'
	refused 2 'document.yaml:7:3: the key http is there twice, first in line 6' offline
	write_document "  versions:
$(version_of v1 1 other)
$(version_of v2 2)"
	refused 4 'document.yaml:7:17: services\[0\].versions\[0\].tuple: version v1 .* another tuple: model' online
	write_document '  affinity: client'
	refused 4 'document.yaml:6:3: services\[0\].affinity: .* is connection, not client' online
	write_document '  weights: {v1: 0, v7: 100}'
	refused 3 'services\[0\].weights: .*no version v7' online
	write_document $'  drain: {deadline: none}\n- name: other\n  address: '"$(lab_backend 1):8080"
	refused 4 'services\[1\].address: .* is a backend of version v1' online # and chat keeps its deadline: refused whole
	write_document $'  max_versions: 1'
	refused 5 'document.yaml:6:3: services\[0\].max_versions: service chat has 2 active versions' online
	write_document '  versions: [{label: v1, backends: []}]'
	refused 2 'document.yaml:6:26: services\[0\].versions\[0\].backends: is empty' offline
	ctl lock chat --reason 'incident 7'
	write_document '  http: true'
	refused 4 'document.yaml:3:3: services\[0\]: service chat is locked' online
	ctl unlock chat
	printf '{"rainbow":1,"services":[{"name":"chat"}]}' >"$LAB_DIR/body"
	expect_eq 'the daemon looks itself' "$(curl -s --unix-socket "$LAB_DIR/rainbow.sock" -X POST --data-binary @"$LAB_DIR/body" \
		http://rainbow/v1/apply | jq -r .error.field)" 'services[0].address'
}

under_sessions() {
	part 'a version is named no more'
	lab_client old --to "$(at_service 4)" --sessions 40 --interval 0
	lab_until_stat old 10 '.live == 40'
	expect_eq 'sessions on v2: exact, 5 % of 40' "$(lab_stat old .versions.v2.live)" 2
	write_document "  versions:
$(version_of v2 2)
$(version_of v3 3)
  weights: {v2: 50, v3: 50}
  steers: []"
	plan 10 '\+ version v3' 'version v1 of chat active -> draining: 38 live sessions, deadline 12h' '- steer 10.9.0.0/16'
	apply
	expect_eq 'v1' "$(version_json chat v1 .state)" draining
	lab_client new --to "$(at_service 4)" --sessions 20 --interval 0
	lab_until_stat new 10 '.live == 20'
	expect_eq 'new sessions' "$(lab_stat new '[.versions.v1.live // 0, .versions.v2.live, .versions.v3.live] | @csv')" 0,10,10
	expect_turns old
	expect_whole old
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
	plan 10 '^- version v1 of chat'
	apply
	expect_eq 'versions' "$(json '[.services[0].versions[].label] | join(" ")' status)" 'v2 v3'
	expect_turns new
	expect_whole new
	expect_no_drift
}

database() { # SQL
	sqlite3 "$LAB_DIR/state/rainbow.db" "$1"
}

# The second service of the document is refused by a database that is "full", when the first is in force.
failure_in_the_middle() {

	part 'a failure in the middle'
	lab_client held --to "$(at_service 4)" --sessions 10 --interval 0
	lab_until_stat held 10 '.live == 10'
	ctl version add chat v4 --backend "$(lab_backend 1):8080"
	ctl backend add chat v2 "$(lab_backend 1):8081"
	lab_ctl export >"$LAB_DIR/before.yaml"
	write_document "  drain: {deadline: 1h}
  versions:
$(version_of v2 2)
$(version_of v3 3)
$(version_of v5 1 | sed 's/:8080/:8082/')
  weights: {v2: 10, v3: 80, v5: 10}
- name: other
  address: 10.0.0.9:80"
	plan 10 '- version v4' '\+ version v5' '- backend 10.2.1.2:8081' '\+ service other'
	database "CREATE TRIGGER full BEFORE INSERT ON service WHEN NEW.name = 'other' BEGIN SELECT RAISE(ABORT, 'disk full'); END"
	expect_code 1 lab_ctl apply -f "$YAML"
	expect_match 'its error' "$E2E_OUT" 'service other: .*; nothing of it is in force; put back as they were: chat'
	expect_code 0 lab_ctl plan -f "$LAB_DIR/before.yaml"
	expect_eq 'what is, beside what was' "$(lab_ctl export)" "$(<"$LAB_DIR/before.yaml")"
	expect_turns held
	database 'DROP TRIGGER full'
	apply
	expect_turns held
	expect_whole held
	ctl service rm other
	expect_no_drift
}

rollout_target() {
	part 'a rollout, as far as it is planned'
	# Two versions take new sessions, and it is not for rainbow to say which is the baseline: told by the plan already.
	write_document $'  rollout: {target: v3}'
	expect_code 5 lab_ctl plan -f "$LAB_DIR/document.yaml"
	expect_match 'what the plan says' "$E2E_OUT" 'document.yaml:6:3: services\[0\].rollout.baseline: .*say which one v3 is compared with'
	write_document $'  rollout: {target: v3, baseline: v9}'
	refused 3 'document.yaml:6:25: services\[0\].rollout.baseline: service chat has no version v9' online
	write_document $'  gates: []\n  rollout: {target: v3, baseline: v2}'
	refused 5 'document.yaml:6:3: services\[0\].gates: service chat has no gate' online
	write_document $'  rollout: {target: v3, baseline: v2, steps: [{weight: 5, hold: 1m}, {weight: 100, hold: 1m}]}'
	plan 10 'start a rollout of chat to v3' 'rollout.steps 5:10m,25:10m,50:10m,100:10m -> 5:1m,100:1m'
	write_document $'  rollout: {target: v3}\n  weights: {v3: 100}'
	refused 2 'services\[0\].weights: a rollout .*sets the weights itself' offline
}

settings_by_patch() {
	part 'settings by PATCH'
	printf '{"drain":{"deadline":"none"},"max_versions":4}' >"$LAB_DIR/body"
	expect_eq 'its answer' "$(curl -s --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH --data-binary @"$LAB_DIR/body" \
		http://rainbow/v1/services/chat | jq -r '[.changes[].change] | join(", ")')" \
		'~ chat drain.deadline 1h -> none, ~ chat max_versions 8 -> 4'
	expect_eq 'what is shown' "$(json '.services[0].settings | "\(.drain.deadline) \(.max_versions)"' 'service list')" 'none 4'
	round_trip
	printf '{"drain":{"warn_before":"5m"}}' >"$LAB_DIR/body"
	expect_eq 'a bad one' "$(curl -s --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH --data-binary @"$LAB_DIR/body" \
		http://rainbow/v1/services/chat | jq -r .error.field)" 'drain.warn_before'
	printf '{"max_versions":2}' >"$LAB_DIR/body"
	expect_match 'one below what is active' "$(curl -s --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH --data-binary @"$LAB_DIR/body" \
		http://rainbow/v1/services/chat | jq -r '.error | "\(.field): \(.message)"')" 'max_versions: service chat has 3 active versions'
}

# With more versions than max_versions, since a drained one does not count there.
to_a_fresh_host() {
	part 'an export on a host that has nothing'
	ctl set-weight chat v3=100
	ctl drain chat v2
	ctl drain chat v5
	wait_until 10 'v2 to be drained' is_eq drained version_json chat v2 .state
	wait_until 10 'v5 to be drained' is_eq drained version_json chat v5 .state
	printf '{"max_versions":1}' >"$LAB_DIR/body"
	curl -sf --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH --data-binary @"$LAB_DIR/body" http://rainbow/v1/services/chat >"$LAB_DIR/reply"
	lab_ctl export >"$LAB_DIR/export.yaml"
	round_trip
	expect_code 0 lab_ctl lint -f "$LAB_DIR/export.yaml"
	ctl service rm chat
	expect_code 0 lab_ctl apply -f "$LAB_DIR/export.yaml"
	round_trip
}

from_kubernetes() {
	local ctl=${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl} slices

	part 'EndpointSlices'
	ctl service rm chat
	slices=$(cd "$(dirname "$0")" && pwd)/endpointslices.json
	expect_code 2 "$ctl" import endpointslices -f "$slices"
	expect_match 'which port' "$E2E_OUT" 'several ports: agent, metrics'
	"$ctl" import endpointslices -f "$slices" --service-port agent --address "$(at_service 4)" >"$YAML" 2>"$LAB_DIR/left-out"
	expect_match 'left out' "$(<"$LAB_DIR/left-out")" '1 endpoints that are not ready, 1 that terminate'
	lab_ctl apply -f - <"$YAML" >/dev/null
	expect_eq 'versions and backends' "$(json '[.services[0].versions[] | "\(.label) \(.weight) \(.backends[].address):\(.backends[].port)"] |
		join(", ")' status)" 'v1 100 10.2.1.2:8080, v2 0 10.2.2.2:8080'
	plan 0
	round_trip
}

# The example of the documentation is one.
documented() {
	sed -n '/^```yaml$/,/^```$/p' "$LAB_ROOT/docs/rollouts.md" | grep -v '^```' >"$YAML"
	expect_code 0 lab_ctl lint -f "$YAML"
	plan 10 'version v2 of chat' 'gates default -> 7 of its own'
}

lab_up routed --backends 3
YAML=$LAB_DIR/document.yaml
serve_agents 3
lab_rainbowd_start tc
documented
from_nothing
bad_documents
under_sessions
failure_in_the_middle
rollout_target
settings_by_patch
to_a_fresh_host
from_kubernetes
