#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Gates whose answer others give: samples that are pushed; a program and a webhook (over TLS, with a token), and what each answer does to
# the rollout. A gate that fails rolls back while paused and while locked, too; locked, nothing goes up; a shadow gate decides nothing;
# gates may change while a rollout runs; a source that says something else each time fills no history; the last step waits for an answer;
# and while the database refuses or is locked, a rollback is in force, refuses no session, and is tried until it is stored, whole.
# Takes 95 s.
source "$(dirname "$0")/lib.sh"

rollout() { # JQ-FILTER
	lab_show r '' ".services[0].rollout | $1" api /v1/status
}

place() {
	rollout '"\(.state) in step \(.step)"'
}

gate_says() { # PLACE-IN-LIST VERDICT REGEX
	[[ $(rollout ".gates[$1].verdict") == "$2" && $(rollout ".gates[$1].reason") =~ $3 ]]
}

is_past() { # NUMBER COMMAND...: for wait_until
	(($("${@:2}") > $1))
}

say_command() { # EXIT-CODE|hang
	echo "$1" >"$LAB_DIR/answer.next" && mv "$LAB_DIR/answer.next" "$LAB_DIR/answer"
}

say_webhook() { # STATUS|hang
	echo "$1" >"$LAB_DIR/status.next" && mv "$LAB_DIR/status.next" "$LAB_DIR/status"
}

gate_command() { # NAME [MORE-MEMBERS]
	printf '{"name":"%s","source":"command","command":"%s","interval":"1s","timeout":"500ms"%s}' "$1" "$LAB_DIR/judge.sh" "${2:-}"
}

gate_webhook() { # NAME [MORE-MEMBERS]
	printf '{"name":"%s","source":"webhook","url":"https://127.0.0.1:9443/","ca_file":"%s","token_file":"%s","interval":"1s",
		"timeout":"500ms"%s}' "$1" "$LAB_DIR/judge.pem" "$LAB_DIR/token" "${2:-}"
}

gates() { # GATE...
	local IFS=,

	printf '{"gates":[%s]}' "$*" >"$LAB_DIR/gates.json"
	expect_code 0 curl -sf --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH -d @"$LAB_DIR/gates.json" http://rainbow/v1/services/chat
}

# v2 may be tried again.
forgive() {
	ctl version unquarantine chat v2
	ctl undrain chat v2
}

start() {
	ctl rollout start chat v2 --steps 20:1s,50:1h,100:1h
}

told() { # REGEX: how often the history has such a sentence
	lab_ctl history chat --limit 1000 -o json | jq "[.history[] | select(.sentence | test(\"$1\"))] | length"
}

expect_stays() { # PLACE SECONDS
	local i

	for ((i = 0; i < $2 * 4; i++)); do
		sleep 0.25 # that nothing happens can only be seen by waiting
		expect_eq 'the rollout, after a while' "$(place)" "$1"
	done
}

expect_rolled_back() { # STEP REGEX
	wait_until 15 'the rollout to be rolled back' is_eq "rolled_back in step $1" place
	expect_match 'why' "$(rollout .reason)" "$2"
	expect_eq 'the weights' "$(version_json chat v1 .weight) $(version_json chat v2 .weight)" '100 0'
	expect_match 'v2' "$(version_json chat v2 '.state + " " + .quarantine')" "^drain.* $2"
	say "$(rollout .reason)"
}

# What each answer does.
answers() { # command|webhook PASS FAIL WAIT
	local source=$1

	part "$source: held while it is not sure, nor answers in time; on when it passes; back when it fails"
	gates "$("gate_$source" judge)"
	"say_$source" "$4"
	start
	wait_until 15 'the rollout to be held' is_eq 'held in step 1' place
	wait_until 15 'its reason' gate_says 0 inconclusive "$4"
	"say_$source" hang
	wait_until 15 'a timeout' gate_says 0 error '500 ms'
	expect_stays 'held in step 1' 2
	expect_eq 'how often the history says that it is held' "$(told "rollout $(rollout .number) of chat to v2 is held")" 1
	expect_match 'why it is held now' "$(rollout .reason)" '500 ms'
	"say_$source" "$2"
	wait_until 15 'step 2' is_eq 'running in step 2' place
	wait_until 15 'a verdict in step 2' gate_says 0 pass .
	"say_$source" "$3"
	expect_rolled_back 2 "judge: .*$3"
	forgive
}

database() { # SQL
	sqlite3 -cmd '.timeout 5000' "$LAB_DIR/state/rainbow.db" "$1"
}

samples() { # FIRST LAST [MORE-MEMBERS]
	local i

	for ((i = $1; i <= $2; i++)); do
		printf '{"session": "s%d", "ok": true%s}\n' "$i" "${3:-}"
	done
}

push() { # CODE VERSION REGEX: what is on stdin
	expect_code "$1" lab_ctl gate push chat told "$2" -
	expect_match 'gate push' "$E2E_OUT" "$3"
}

pushed_count() {
	database 'SELECT count(*) FROM sample'
}

# All are counted or none, as far as can be known before; else one is told which are. Why those of no use are of none.
pushes() {
	part 'push: lines on stdin'
	gates '{"name":"told","source":"push"}'
	samples 1 3 | push 0 v2 '3 of no use: no rollout is under way'
	start
	{ samples 1 2500 && echo '{"session": "bad", "ok": 1}'; } | push 2 v2 'line 2501 of stdin: ok: must be true or false; nothing is sent'
	expect_eq 'samples after lines that were not sent' "$(pushed_count)" 0
	{ samples 1 2500 && samples 0 0 ', "at": "2999-01-01T00:00:00Z"'; } |
		push 2 v2 'line 2501 of stdin: .*five minutes ahead.*; lines 1 to 2000 are counted already; pushing them again does no harm'
	expect_eq 'samples of the batches before' "$(pushed_count)" 2000
	samples 1 2500 | push 0 v2 '2500 lines read: 500 accepted, 2000 known, 0 of no use'
	samples 3000 3001 ', "started": "2020-01-01T00:00:00Z"' | push 0 v1 '2 of no use: the sessions began before the rollout.s step'
	ctl version add chat v3 --backend 10.2.9.2:8080
	samples 1 2 | push 0 v3 '2 of no use: it is neither candidate nor baseline of the rollout'
	ctl rollout abort chat
	ctl version rm chat v3
	forgive
}

lab_up routed --backends 2
serve_agents 2
cat >"$LAB_DIR/judge.sh" <<-END
	#!/bin/sh
	read -r code <'$LAB_DIR/answer'
	read -r asked </proc/sys/kernel/random/uuid
	[ "\$code" != hang ] || exec sleep 60
	echo "\$RAINBOW_SERVICE \$RAINBOW_CANDIDATE \$RAINBOW_BASELINE \$RAINBOW_STEP" >>'$LAB_DIR/asked'
	echo "the judge of \$RAINBOW_VERSION says \$code, asked as \$asked"
	exit "\$code"
END
chmod 700 "$LAB_DIR/judge.sh"
(umask 077 && echo open-sesame >"$LAB_DIR/token")
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$LAB_DIR/key.pem" -out "$LAB_DIR/judge.pem" -days 2 \
	-subj /CN=judge -addext subjectAltName=IP:127.0.0.1 2>"$LAB_DIR/openssl.log" || fail "openssl: $(<"$LAB_DIR/openssl.log")"
cat "$LAB_DIR/key.pem" "$LAB_DIR/judge.pem" >"$LAB_DIR/both.pem"
say_webhook 200
lab_spawn judge router "$E2E_PYTHON" "$LAB_ROOT/tests/lab/judge.py" 127.0.0.1 9443 "$LAB_DIR/status" "$LAB_DIR/both.pem" open-sesame
lab_rainbowd_start auto
add_service chat 4 2
lab_client load --to "$(at_service 4)" --sessions 60 --rate 300 --interval 50 --turns 3 --replace --duration 10m
lab_client long --to "$(at_service 4)" --sessions 100 --interval 1000 --duration 10m
lab_until_stat long 20 '.live == 100'

pushes
answers command 0 1 75
expect_eq 'what the program was told' "$(sort -u "$LAB_DIR/asked" | paste -sd,)" 'chat v2 v1 1,chat v2 v1 2'
answers webhook 200 409 425

part 'a webhook: a token that is refused, an answer that means nothing'
gates "$(gate_webhook judge)"
say_webhook 200
echo wrong >"$LAB_DIR/token"
start
wait_until 15 'the refused token' gate_says 0 error 401
echo open-sesame >"$LAB_DIR/token"
wait_until 15 'step 2' is_eq 'running in step 2' place
say_webhook 503
wait_until 15 'an error' gate_says 0 error 503
ctl rollout abort chat
forgive

part 'a gate fails while the rollout is paused'
gates "$(gate_command judge)"
say_command 75
start
ctl rollout pause chat
say_command 0
wait_until 15 'the gate to pass' gate_says 0 pass .
expect_stays 'paused in step 1' 2
say_command 1
expect_rolled_back 1 'judge: .*1'
forgive

part 'locked: nothing goes up, and a gate that fails rolls back'
say_command 75
start
ctl lock chat --reason 'the night before a holiday'
say_command 0
wait_until 15 'the rollout to be held by the lock' is_eq true rollout '.state == "held" and (.reason | test("locked"))'
expect_stays 'held in step 1' 2
expect_eq 'the weight of v2' "$(version_json chat v2 .weight)" 20
say_command 1
expect_rolled_back 1 'judge: .*1'
ctl unlock chat
forgive

part 'a shadow gate that fails decides nothing'
gates "$(gate_webhook shadow ', "shadow": true')" "$(gate_command judge)"
say_webhook 409
say_command 0
start
wait_until 15 'step 2' is_eq 'running in step 2' place
wait_until 15 'the shadow to fail' gate_says 0 fail 409
expect_stays 'running in step 2' 2
expect_eq 'it is shown as one' "$(rollout '[.gates[].shadow] | @csv')" true,false

part 'gates that change meanwhile: what failed in the shadow is not the memory of another'
say_webhook 425
gates "$(gate_command judge)" "$(gate_webhook strict)"
wait_until 15 'the one that stayed' gate_says 0 pass .
wait_until 15 'the new one' gate_says 1 inconclusive 425
expect_stays 'running in step 2' 2
say_webhook 200
gates "$(gate_webhook strict)"
wait_until 15 'the one that is left' gate_says 0 pass 200
expect_eq 'the rollout' "$(place)" 'running in step 2'

part 'the database refuses: new sessions go back at once, and the rollback is tried until it is stored'
gates "$(gate_command judge)"
wait_until 15 'the gate to pass' gate_says 0 pass .
database "CREATE TRIGGER full BEFORE INSERT ON service BEGIN SELECT RAISE(ABORT, 'disk full'); END;
	CREATE TRIGGER full_too BEFORE UPDATE ON service BEGIN SELECT RAISE(ABORT, 'disk full'); END;"
say_command 1
wait_until 15 'the gate to fail' gate_says 0 fail .
say_command 0 # what is better now does not undo that it failed
expect_stays 'running in step 2' 3
wait_until 5 'the kernel to be told all the same' is_eq 1000 version_count v1 weight_permille
expect_eq 'how often the log says it' "$(grep -c 'can not be done, is tried again' "$LAB_DIR/rainbowd.log")" 1
expect_eq 'new sessions of v2 meanwhile' "$(before=$(version_count v2 chosen); sleep 1; echo $(($(version_count v2 chosen) - before)))" 0
expect_match 'what it says' "$(grep 'can not be done, is tried again' "$LAB_DIR/rainbowd.log")" 'disk full'
database 'DROP TRIGGER full; DROP TRIGGER full_too'
expect_rolled_back 2 'judge: .*1'
expect_eq 'weights in the kernel' "$(version_count v1 weight_permille) $(version_count v2 weight_permille)" '1000 0'

part 'the same where it is locked: no session is refused meanwhile'
forgive
start
say_command 0
wait_until 15 'step 2' is_eq 'running in step 2' place
lock_database
wait_until 15 'what the gate remembers to be refused' is_past 1 grep -c 'can not be done, is tried again' "$LAB_DIR/rainbowd.log"
say_command 1
wait_until 15 'the kernel to be told' grep -q "rollout $(rollout .number) of chat is rolled back in the kernel" "$LAB_DIR/rainbowd.log"
expect_eq 'new sessions of v2 from then on' "$(before=$(version_count v2 chosen); sleep 4; echo $(($(version_count v2 chosen) - before)))" 0
unlock_database
expect_rolled_back 2 'judge: .*1'
expect_eq 'new sessions that got no version' "$(packet_count refused_no_version)" 0
expect_eq 'sessions lost' "$(lab_stat load '[.moved, .lost, .failed] | @csv')" 0,0,0

part 'the last step waits for who judges himself, and for no one else'
forgive
gates '{"name":"resets","source":"kernel","signal":"resets","margin":2}' "$(gate_command judge)"
say_command 75
ctl rollout start chat v2 --steps 100:1s
wait_until 15 'the rollout to be held' is_eq 'held in step 1' place
wait_until 15 'the gate to wait' gate_says 1 inconclusive 75
expect_stays 'held in step 1' 2
expect_match 'why it is held' "$(rollout .reason)" 'judge: .*75'
say_command 1
expect_rolled_back 1 'judge: .*1'

part 'after a start it is shown as it ended'
lab_rainbowd_kill
lab_rainbowd_start auto
expect_eq 'the rollout' "$(place)" 'rolled_back in step 1'
wait_until 5 'the gate as it was stored' gate_says 1 fail 'judge: .*1'

expect_whole long
expect_no_drift
lab_down
