#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The drain policy of a service, laid down by `rainbowctl apply`: its deadline is that of every drain; the operator and the backends are
# warned once before it, whatever becomes of rainbowd, and never after it; a hook that fails is called again; sessions are closed at its
# pace, by the kernel if need be; a drained version is kept warm, and given up on a known count alone; versions are not too many; and
# when a drain will be over is told from how long sessions last.
# Takes 150 s.
source "$(dirname "$0")/lib.sh"

HOOK='' CALLS=''

# --- words -------------------------------------------------------------------------------------------------------------------

# What the document names of the service, and nothing else of it.
lay_down() { # SERVICE PORT YAML-LINES...
	local service=$1 port=$2

	shift 2
	{
		printf 'rainbow: 1\nservices:\n- name: %s\n  address: %s\n' "$service" "$(at_service 4 "$port")"
		printf '  %s\n' "$@"
	} >"$LAB_DIR/rainbow.yaml"
	ctl apply -f "$LAB_DIR/rainbow.yaml"
}

# A program that notes its calls as hooks.py does those of a URL, and ends with the code that a file names.
make_hook() {
	HOOK=$LAB_DIR/hook CALLS=$LAB_DIR/calls
	: >"$CALLS"
	cat >"$HOOK" <<-END
		#!/bin/sh
		printf '{"at_ms": %s, "path": "%s", "facts": %s}\n' "\$(date +%s%3N)" "\$RAINBOW_EVENT" "\$RAINBOW_JSON" >>$CALLS
		code=\$(cat $LAB_DIR/code 2>/dev/null) || exit 0
		echo "as the test wants it"
		exit "\$code"
	END
	chmod +x "$HOOK"
}

calls() { # JQ-FILTER of the calls, [LOG]: one line
	jq -rsc "$1" "${2:-$CALLS}" 2>/dev/null
}

calls_for() { # LABEL [LOG]: how many
	calls "[.[] | select(.facts.version == \"$1\")] | length" "${2:-}"
}

call_of() { # LABEL N JQ-FILTER [LOG]: of the Nth call for this version
	calls "[.[] | select(.facts.version == \"$1\")][$2] | $3" "${4:-}"
}

now_ms() {
	printf '%s' "$((${EPOCHREALTIME//[.,]/} / 1000))"
}

is_past() { # MS
	(($(now_ms) > $1))
}

wait_past() { # MS
	wait_until 60 "the clock to be past $1" is_past "$1"
}

drain_of() { # SERVICE LABEL JQ-FILTER
	version_json "$1" "$2" ".drain | $3"
}

# In ms, as far as JSON tells it: to the second.
deadline_of() { # SERVICE LABEL
	printf '%s000' "$(drain_of "$1" "$2" '.deadline | fromdate')"
}

seconds_given() { # SERVICE LABEL: from the drain's start to its deadline
	drain_of "$1" "$2" '(.deadline | fromdate) - (.started | fromdate)'
}

told() { # REGEX: how often the history has such a sentence or outcome
	lab_ctl history --limit 1000 -o json | jq -r "[.history[] | select(\"\(.sentence) \(.outcome)\" | test(\"$1\"))] | length"
}

rollout_state() {
	lab_show r '' '.services[] | select(.name == "chat") | .rollout.state' api /v1/status
}

live_at_most() { # LABEL N
	(($(version_count "$1" live) <= $2))
}

# N sessions of the service's one version with a share: they say something every half second.
talk() { # NAME N
	lab_client "$1" --to "$(at_service 4)" --sessions "$2" --interval 500 --timeout 60000
	lab_until_stat "$1" 15 ".live == $2"
}

hold() { # NAME PORT N: idle ones of a service of web servers
	lab_spawn "$1" clients "$E2E_PYTHON" tests/e2e/hooks.py hold "$LAB_SERVICE4" "$2" "$3"
	wait_until 10 "$1 to hold $3 sessions" grep -q "^holds $3" "$LAB_DIR/$1.log"
}

# --- the parts ------------------------------------------------------------------------------------------------------------------

deadlines() {
	part 'the deadline is the policy'\''s: drain, a rollout that is complete, one that is rolled back'
	lay_down chat 80 'drain: {deadline: 3h, on_deadline: hold}'
	ctl set-weight chat v1=100
	ctl drain chat v2
	expect_eq 'seconds of a drain' "$(seconds_given chat v2)" 10800
	expect_eq 'at its deadline' "$(drain_of chat v2 .on_deadline)" hold
	ctl undrain chat v2
	ctl drain chat v2 --deadline 20m --on-deadline reset
	expect_eq 'seconds of a drain with a deadline of its own' "$(seconds_given chat v2)" 1200
	expect_eq 'at its own deadline' "$(drain_of chat v2 .on_deadline)" reset
	ctl undrain chat v2

	lay_down chat 80 'drain: {deadline: 2h, on_deadline: reset}'
	ctl rollout start chat v2 --steps 100 --hold 1s --no-gates
	wait_until 20 'the rollout to be complete' is_eq complete rollout_state
	expect_eq 'seconds of the baseline'\''s drain' "$(seconds_given chat v1)" 7200
	expect_eq 'at its deadline' "$(drain_of chat v1 .on_deadline)" reset
	ctl undrain chat v1
	ctl rollout start chat v1 --steps 50,100 --hold 1m --no-gates
	ctl version quarantine chat v1 --reason 'as the test wants it'
	wait_until 20 'the rollout to be rolled back' is_eq rolled_back rollout_state
	expect_eq 'seconds of the target that was rolled back, of its drain' "$(seconds_given chat v1)" 7200
	ctl undrain chat v1
	ctl version unquarantine chat v1
	ctl set-weight chat v1=100
}

# When the kernel closes what is left of the one version that drains with sessions: jiffies.
closes_at() {
	lab_show r '' '[.[].formatted.value | select(.close_after != 0) | .close_after] | unique | join(" ")' map rainbow_backend
}

policy_changes() {
	local slow fast none hz

	part 'a policy that changes while a version drains: its pace is in force at once, its deadline is for the drains to come'
	hz=$(lab_show r '' '.[0].formatted.value.hz' map rainbow_meta)
	lay_down chat 80 'drain: {deadline: 2h, pace: 1/s}'
	talk old 40
	ctl set-weight chat v2=100
	ctl drain chat v1
	slow=$(closes_at)
	lay_down chat 80 'drain: {deadline: 1h, pace: 4/s}'
	fast=$(closes_at)
	lay_down chat 80 'drain: {pace: none}'
	none=$(closes_at)
	expect_between 'ms of 40 sessions, at 1/s more than at 4/s' $(((slow - fast) * 1000 / hz)) 29900 30100
	expect_between 'ms of 40 sessions, at 4/s more than without a pace' $(((fast - none) * 1000 / hz)) 9900 10100
	expect_eq 'seconds of the drain that began before' "$(seconds_given chat v1)" 7200
	ctl undrain chat v1
	expect_eq 'what the kernel closes after undrain' "$(closes_at)" ''
	ctl drain chat v1
	expect_eq 'seconds of a drain that begins now' "$(seconds_given chat v1)" 3600
	ctl undrain chat v1
	ctl set-weight chat v1=100
	expect_whole old
}

# The facts that a hook is told of a version's deadline; and when it was called.
expect_warning() { # LABEL SESSIONS BEFORE-MS LOG PATH
	local log=$4 about at

	expect_eq "calls for $1" "$(calls_for "$1" "$log")" 1
	expect_eq 'path' "$(call_of "$1" 0 .path "$log")" "$5"
	expect_eq 'event, service, sessions, model, try' \
		"$(call_of "$1" 0 '.facts | "\(.event) \(.service) \(.sessions) \(.model) \(.try)"' "$log")" \
		"drain_deadline_near web $2 m-$1 1"
	about=$(call_of "$1" 0 '.facts.id | split("/")[-1]' "$log")
	expect_eq 'its deadline, and that of its id' "$(call_of "$1" 0 '.facts.deadline | fromdate' "$log")" $((about / 1000))
	at=$(call_of "$1" 0 .at_ms "$log")
	expect_between 'ms before the deadline' $((about - at)) 1 "$3"
}

listens() { # BACKEND PORT
	lab_in "backend$1" ss -Htln "sport = :$2" | grep -q .
}

warnings() {
	local i deadline

	part 'the operator and each backend are warned once'
	for i in 1 2; do
		lab_spawn "web$i" "backend$i" "$E2E_PYTHON" tests/e2e/hooks.py serve 0.0.0.0 8101-8104 "$LAB_DIR/web$i.calls"
		wait_until 10 "web$i to listen" listens "$i" 8104
	done
	ctl service add web "$(at_service 4 81)" --selection exact
	for i in 1 2 3 4; do
		ctl version add web "w$i" --model "m-w$i" --backend "$(lab_backend 1):810$i" --backend "$(lab_backend 2):810$i"
	done
	lay_down web 81 "drain: {deadline: 5s, warn_before: 3s, on_warn: $HOOK, warn_backends: /checkpoint}"
	ctl set-weight web w1=100
	hold idle1 81 6
	ctl set-weight web w2=100
	ctl drain web w1
	expect_eq 'calls before the time' "$(calls_for w1)" 0
	wait_until 10 'the warning' is_eq 1 calls_for w1
	wait_until 10 'w1 to be drained' is_eq drained version_json web w1 .state
	expect_warning w1 6 3000 "$CALLS" drain_deadline_near
	expect_between 'ms from when it is due to the call' \
		$((3000 - ($(call_of w1 0 '.facts.id | split("/")[-1]') - $(call_of w1 0 .at_ms)))) 0 1500
	for i in 1 2; do
		expect_warning w1 6 3000 "$LAB_DIR/web$i.calls" /checkpoint
	done
	expect_eq 'in the history' "$(told 'on_warn for version w1 of web is done .try 1.') $(told 'warn_backends for version w1 of web is done')" '1 1'

	part 'rainbowd was killed over that instant, and again after the call'
	hold idle2 81 3
	ctl set-weight web w3=100
	lay_down web 81 'drain: {deadline: 9s, warn_before: 6s}'
	ctl drain web w2
	deadline=$(deadline_of web w2)
	lab_rainbowd_kill
	wait_past $((deadline - 4500))
	expect_eq 'calls while nobody is there' "$(calls_for w2)" 0
	lab_rainbowd_start tc
	wait_until 5 'the warning' is_eq 1 calls_for w2
	wait_until 5 'the warning to be done' is_eq 'done' drain_of web w2 .duties.on_warn.outcome
	wait_until 5 'the backends to be warned' is_eq 'done' drain_of web w2 .duties.warn_backends.outcome
	lab_rainbowd_kill
	lab_rainbowd_start tc
	wait_until 30 'w2 to be drained' is_eq drained version_json web w2 .state
	expect_warning w2 3 6000 "$CALLS" drain_deadline_near
	expect_warning w2 3 6000 "$LAB_DIR/web1.calls" /checkpoint

	part 'never after the deadline'
	hold idle3 81 3
	ctl set-weight web w4=100
	lay_down web 81 'drain: {deadline: 4s, warn_before: 2s}'
	ctl drain web w3
	deadline=$(deadline_of web w3)
	lab_rainbowd_kill
	wait_past $((deadline + 1000))
	lab_rainbowd_start tc
	wait_until 30 'w3 to be drained' is_eq drained version_json web w3 .state
	expect_eq 'calls for w3' "$(calls_for w3) $(calls_for w3 "$LAB_DIR/web1.calls")" '0 0'
}

failing_hook() {
	local log=$LAB_DIR/url.calls times

	part 'a hook that fails is called again after 1 and 5 seconds'
	lab_spawn url router "$E2E_PYTHON" tests/e2e/hooks.py serve 127.0.0.1 8090-8090 "$log" "$LAB_DIR/url.status"
	echo 503 >"$LAB_DIR/url.status"
	lay_down chat 80 "drain: {deadline: 30s, warn_before: 29s, on_warn: 'http://127.0.0.1:8090/warn'}"
	talk old 5
	ctl set-weight chat v2=100
	ctl drain chat v1
	wait_until 10 'the second try to fail' is_eq 2 drain_of chat v1 .duties.on_warn.tries
	expect_eq 'outcome' "$(drain_of chat v1 .duties.on_warn.outcome)" open
	expect_match 'why' "$(drain_of chat v1 .duties.on_warn.why)" 503
	expect_code 0 lab_ctl status chat
	expect_match 'what status says' "$E2E_OUT" 'v1: on_warn failed \(try 2\): .*503.*; it is called again'
	rm "$LAB_DIR/url.status"
	wait_until 15 'the third try to go well' is_eq 'done' drain_of chat v1 .duties.on_warn.outcome
	times=$(calls '[.[].at_ms] | "\(.[1] - .[0]) \(.[2] - .[1]) \(length)"' "$log")
	say "ms between the tries, and how many: $times"
	expect_between 'ms from the first to the second' "${times%% *}" 1000 3000
	times=${times#* }
	expect_between 'ms from the second to the third' "${times%% *}" 5000 8000
	expect_eq 'tries' "${times#* }" 3
	expect_eq 'their ids' "$(calls '[.[].facts.id] | unique | length' "$log")" 1
	expect_eq 'their numbers' "$(calls '[.[].facts.try] | join(" ")' "$log")" '1 2 3'
	expect_eq 'in the history: failed, done' "$(told 'on_warn for version v1 .*tried again .*failed: .*503') $(told \
		'on_warn for version v1 .* is done .try 3.')" '2 1'
	ctl undrain chat v1
	ctl set-weight chat v1=100
	expect_whole old
}

# Else it would be called again with each tick.
not_stored() {
	part 'a hook whose outcome can not be stored is called once'
	lay_down chat 80 "drain: {deadline: 30s, warn_before: 27s, on_warn: $HOOK}"
	talk old 5
	ctl set-weight chat v2=100
	ctl drain chat v1
	: >"$CALLS"
	lock_database
	wait_until 15 'the storing to fail' grep -q '^ERROR duties' "$LAB_DIR/rainbowd.log"
	wait_past $(($(now_ms) + 2500))
	expect_eq 'calls' "$(calls_for v1)" 1
	unlock_database
	wait_until 20 'the outcome to be stored' is_eq 'done' drain_of chat v1 .duties.on_warn.outcome
	expect_eq 'calls, and what status says' "$(calls_for v1) $(drain_of chat v1 .duties.on_warn.tries)" '1 1'
	ctl undrain chat v1
	ctl set-weight chat v1=100
	expect_whole old
}

pace() {
	local began took

	part 'at the deadline sessions are closed at the pace'
	lay_down chat 80 "drain: {deadline: 1s, warn_before: none, on_warn: none, pace: 10/s}"
	talk old 70
	lab_tell old expect-forced v1 >/dev/null
	ctl set-weight chat v2=100
	ctl drain chat v1
	wait_until 10 'the first to be closed' live_at_most v1 65
	began=$(now_ms)
	wait_until 20 'fifty more to be closed' live_at_most v1 15
	took=$(($(now_ms) - began))
	say "fifty sessions were closed in $took ms"
	expect_between 'ms for fifty at 10/s' "$took" 4000 9000
	wait_until 20 'v1 to be drained' is_eq drained version_json chat v1 .state
	expect_eq 'ended by force' "$(version_count v1 ended_forced)" 70
	lab_until_stat old 10 '.forced == 70'
	expect_whole old

	part 'a pace that is raised in between is in force at once'
	lay_down chat 80 "drain: {pace: 1/s}"
	talk slow 60
	lab_tell slow expect-forced v2 >/dev/null
	ctl undrain chat v1
	ctl set-weight chat v1=100
	ctl drain chat v2
	wait_until 20 'the first to be closed' live_at_most v2 58
	expect_eq 'most live still' "$(live_at_most v2 40 && echo no || echo yes)" yes
	lay_down chat 80 "drain: {pace: 100/s}"
	wait_until 10 'the rest to be closed' live_at_most v2 0
	lab_until_stat slow 10 '.forced == 60'
	expect_whole slow
	wait_until 10 'v2 to be drained' is_eq drained version_json chat v2 .state

	part 'rainbowd dies while it closes: the kernel closes the rest'
	lay_down chat 80 "drain: {pace: 10/s}"
	talk dead 40
	lab_tell dead expect-forced v1 >/dev/null
	ctl undrain chat v2
	ctl set-weight chat v2=100
	began=$(now_ms)
	ctl drain chat v1
	wait_until 10 'some to be closed' live_at_most v1 35
	lab_rainbowd_kill
	wait_until 40 'the kernel to close the rest' live_at_most v1 0
	took=$(($(now_ms) - began))
	say "the kernel had closed all $took ms after the drain began"
	expect_between 'ms: the deadline, the pace, ten seconds' "$took" 14500 22000
	lab_rainbowd_start tc
	lab_until_stat dead 20 '.forced == 40'
	expect_whole dead
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
}

# Empty, so drained at once: announced when it was kept warm.
kept_warm() {
	local drained

	part 'a drained version is kept warm, and given up once'
	lay_down chat 80 "drain: {deadline: 1h, pace: none, keep_warm: 3s, on_drained: $HOOK}"
	ctl version add chat v3 --backend "$(lab_backend 1):8083"
	ctl version add chat v4 --backend "$(lab_backend 1):8084"
	: >"$CALLS"
	ctl drain chat v3
	wait_until 15 'v3 to be drained' is_eq drained version_json chat v3 .state
	drained=$(now_ms)
	expect_eq 'calls at once' "$(calls_for v3)" 0
	wait_past $((drained + 1500))
	expect_eq 'calls while it is warm' "$(calls_for v3)" 0
	ctl undrain chat v3
	drained=$(now_ms)
	ctl drain chat v3
	wait_until 15 'v3 to be drained again' is_eq drained version_json chat v3 .state
	wait_until 15 'v3 to be given up' is_eq 1 calls_for v3
	expect_between 'ms from the second drain to the call' $(($(call_of v3 0 .at_ms) - drained)) 3000 8000
	expect_eq 'what is told' "$(call_of v3 0 '.facts | "\(.event) \(.service) \(.version) \(.sessions)"')" 'drained chat v3 0'
	wait_until 5 'the outcome' is_eq 'done' drain_of chat v3 .duties.on_drained.outcome

	part 'rolled back to while it is warm: it is not given up'
	ctl drain chat v4
	wait_until 15 'v4 to be drained' is_eq drained version_json chat v4 .state
	ctl rollback chat --to v4 --sessions keep
	drained=$(now_ms)
	wait_past $((drained + 4000))
	expect_eq 'calls for v4' "$(calls_for v4)" 0
	ctl set-weight chat v2=100
}

# P9. rainbowd can not count: it was killed while the version was warm, and its sweeps fail.
unknown_count() {
	local drained

	part 'nothing is given up on an unknown count'
	ctl drain chat v4
	wait_until 15 'v4 to be drained' is_eq drained version_json chat v4 .state
	drained=$(now_ms)
	wait_past $((drained + 500)) # since when is stored
	lab_rainbowd_kill
	touch "$LAB_DIR/no_sweep"
	cat >"$LAB_DIR/blind" <<-END
		#!/bin/sh
		exec env NO_SWEEP=$LAB_DIR/no_sweep LD_PRELOAD=$LAB_BUILD/tests/e2e/no_sweep.so $LAB_BUILD/rainbowd "\$@"
	END
	chmod +x "$LAB_DIR/blind"
	LAB_RAINBOWD=$LAB_DIR/blind lab_rainbowd_start tc
	wait_until 10 'the sweep to fail' grep -q 'counts of it are unknown' "$LAB_DIR/rainbowd.log"
	wait_past $((drained + 5000))
	expect_eq 'calls while the count is unknown' "$(calls_for v4)" 0
	rm "$LAB_DIR/no_sweep"
	wait_until 10 'v4 to be given up, once it is counted' is_eq 1 calls_for v4
}

max_versions() {
	part 'no more versions than the policy allows: reject'
	ctl service add few "$(at_service 4 82)"
	lay_down few 82 'max_versions: 3' 'drain: {deadline: 1h}'
	lab_server 1 f1 tcp:8091
	lab_server 2 f2 tcp:8091
	ctl version add few f1 --backend "$(lab_backend 1):8091"
	ctl set-weight few f1=100
	lab_client few --to "$(at_service 4 82)" --sessions 4 --interval 500 --timeout 60000
	lab_until_stat few 10 '.live == 4'
	ctl version add few f2 --backend "$(lab_backend 2):8091"
	ctl set-weight few f2=100
	ctl drain few f1
	lab_client more --to "$(at_service 4 82)" --sessions 2 --interval 500 --timeout 60000
	lab_until_stat more 10 '.live == 2'
	ctl version add few f3 --backend "$(lab_backend 1):8093"
	ctl_refused 5 'max_versions is 3; draining: f1 \(4 live\); .*rainbowctl evict few' version add few f4 --backend "$(lab_backend 1):8085"

	part 'force_oldest'
	lay_down few 82 'on_max_versions: force_oldest'
	lab_tell few expect-forced f1 >/dev/null
	ctl version add few f4 --backend "$(lab_backend 1):8085"
	expect_between 'seconds of the forced drain' "$(seconds_given few f1)" 0 20
	wait_until 20 'f1 to have no session' live_at_most f1 0
	expect_eq 'ended by force' "$(version_count f1 ended_forced) $(version_count f2 ended_forced)" '4 0'
	lab_until_stat few 10 '.forced == 4'
	expect_whole few
	expect_whole more
	wait_until 15 'f1 to be drained' is_eq drained version_json few f1 .state
}

# From 40 sessions that end by themselves after some seven seconds.
eta() {
	local even most began age

	part 'when a drain will be over'
	lab_server 1 s1 tcp:8092
	lab_server 2 s2 tcp:8092
	ctl service add soon "$(at_service 4 83)"
	ctl version add soon s1 --backend "$(lab_backend 1):8092"
	ctl version add soon s2 --backend "$(lab_backend 2):8092"
	ctl set-weight soon s1=100
	lab_client first --to "$(at_service 4 83)" --sessions 3 --interval 0
	lab_until_stat first 10 '.live == 3'
	ctl set-weight soon s2=100
	ctl drain soon s1
	wait_until 5 'the ages to be known' is_eq few_ends drain_of soon s1 .eta_basis
	expect_eq 'before 30 have ended' "$(drain_of soon s1 '[.eta_seconds, .eta_p90_seconds] | @csv')" ,
	lab_client short --to "$(at_service 4 83)" --sessions 40 --turns 5 --interval 1500
	lab_until_stat short 30 '.live == 0'
	wait_until 10 'the ends to be told' is_eq too_old drain_of soon s1 .eta_basis
	ctl undrain soon s1
	expect_whole first
	began=$SECONDS
	lab_client second --to "$(at_service 4 83)" --sessions 5 --interval 0
	lab_until_stat second 10 '.live == 5'
	ctl set-weight soon s1=100
	ctl drain soon s2
	wait_until 20 'a sweep that has seen these five' is_eq durations drain_of soon s2 .eta_basis
	read -r even most <<<"$(drain_of soon s2 '"\(.eta_seconds) \(.eta_p90_seconds)"')"
	age=$((SECONDS - began))
	say "all will have ended in $even s, 9 in 10: $most s"
	expect_between 'seconds from their start, with even odds' $((even + age)) 5 40
	expect_between 'seconds, 9 in 10' "$most" "$even" 40
	expect_whole second
	wait_until 10 's2 to be drained' is_eq drained version_json soon s2 .state
	expect_eq 'the ETA of what is over' "$(drain_of soon s2 '[.eta_seconds, .eta_p90_seconds] | @csv')" 0,0
}

lab_up two-sided
serve_agents 2
lab_rainbowd_start tc
add_service chat 4 2 --selection exact
make_hook
deadlines
policy_changes
warnings
failing_hook
not_stored
pace
kept_warm
unknown_count
max_versions
eta
expect_no_drift
lab_down
