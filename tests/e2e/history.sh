#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The history: who did what and why is in it, with what it changed, also what was refused and what rainbowd did unasked; what was
# acknowledged is in it exactly once and in order, however rainbowd dies; who listens misses nothing and hears nothing twice over a
# restart. Locks, expected generations, tuples and quarantine, which are for those who read it.
# Takes 75 s.
source "$(dirname "$0")/lib.sh"

readonly KILLS=12

rows() { # JQ-FILTER over all rows, the oldest first
	api_get '/v1/history?limit=1000' | jq -c ".history | reverse | $1"
}

api_get() { # PATH [CURL-OPTIONS...]
	local path=$1

	shift
	curl --silent --fail-with-body --max-time 10 --unix-socket "$LAB_DIR/rainbow.sock" "$@" "http://rainbow$path"
}

last_row() { # JQ-FILTER
	api_get '/v1/history?limit=1' | jq -r ".history[0] | $1"
}

count_rows() {
	rows length
}

# --- what a row says ---------------------------------------------------------------------------------------------------------

commands_leave_rows() {
	local before

	part 'who, what, why, before and after'
	add_service chat 4 2
	ctl set-weight chat v1=90 v2 --reason 'a "canary", 10 %'
	expect_eq 'who' "$(last_row '[.actor, .uid] | join(" ")')" "uid $(id -u) $(id -u)"
	expect_eq 'what' "$(last_row '[.verb, .service, .sentence, .outcome] | join("|")')" \
		'set-weight|chat|new sessions of chat: v1 90 %, v2 10 %|ok'
	expect_eq 'why' "$(last_row .reason)" 'a "canary", 10 %'
	expect_eq 'before' "$(last_row '.before | tojson')" '{"generation":1,"versions":{"v1":{"weight":100},"v2":{"weight":0}}}'
	expect_eq 'after' "$(last_row '.after | tojson')" '{"generation":2,"versions":{"v1":{"weight":90},"v2":{"weight":10}}}'
	expect_match 'how long' "$(last_row .took_ms)" '^[0-9]+\.[0-9]+$'
	expect_eq 'all of the beginning' "$(rows '[.[:4][] | .verb] | join(",")')" \
		'"service add,version add,version add,set-weight"'
	expect_eq 'version of its row' "$(rows '.[1].version')" '"v1"'
	expect_match 'as a table' "$(lab_ctl history chat --limit 1)" "$(id -un) .*v1 90 %, v2 10 %.*canary.* ok"

	part 'a dry run leaves none, nor what could not be read'
	before=$(count_rows)
	ctl set-weight chat v2=100 --dry-run
	ctl_refused 2 'no option|unknown' set-weight chat v2=100 --why x
	expect_code 22 api_get /v1/services/chat/weights -X PUT -d '{"weights":'
	expect_code 22 api_get /v1/services/chat/weights -X PUT -d '{"weights":{"v1":1}}'
	expect_code 22 api_get '/v1/services/chat/weights?reason=%01' -X PUT -d '{"weights":{"v1":100}}'
	expect_code 22 api_get "/v1/services/chat/weights?reason=$(printf 'x%.0s' {1..201})" -X PUT -d '{"weights":{"v1":100}}'
	expect_code 22 api_get '/v1/status?reason=x'
	expect_eq 'rows' "$(count_rows)" "$before"

	part 'what is refused leaves one'
	ctl_refused 5 'drain it first' version rm chat v2 --reason 'cleaning up'
	expect_eq 'rows' "$(count_rows)" $((before + 1))
	expect_match 'outcome' "$(last_row .outcome)" '^precondition: version v2 takes 10 %'
	expect_eq 'what was asked' "$(last_row '[.verb, .sentence, .reason, .before] | tojson')" \
		'["version rm","version rm chat v2","cleaning up",null]'
	ctl_refused 3 'no service nobody' set-weight nobody v1=100
	expect_eq 'row of a service that is not' "$(last_row '[.service, .sentence] | join("|")')" \
		'|set-weight nobody {"weights":{"v1":100}}'
	ctl_refused 5 'no rollout' rollout retry chat
	expect_eq 'row of an order to a rollout' "$(last_row '[.service, .verb, .sentence] | join("|")')" \
		'chat|rollout retry|rollout retry chat'
	lab_ctl export | sed 's/affinity: connection/affinity: client/' >"$LAB_DIR/refused.yaml"
	ctl_refused 4 'is connection, not client' apply -f "$LAB_DIR/refused.yaml"
	expect_eq 'row of a document' "$(last_row '[.verb, .sentence] | join("|")')" 'apply|apply of 1 service (chat)'
}

names() {
	local word follower

	part 'whose history: of a name that is none there is none'
	for word in history events 'events -f'; do
		# shellcheck disable=SC2086 # words
		expect_code 3 timeout 5 "$LAB_BUILD/rainbowctl" --socket "$LAB_DIR/rainbow.sock" $word nobody
		expect_match "rainbowctl $word" "$E2E_OUT" 'there is no service nobody; there is: chat'
	done
	expect_eq 'listening to it' "$(api_get '/v1/events?service=nobody&after=0' | jq -r .error.code)" not_found
	ctl service add gone "$(at_service 4 82)"
	ctl service rm gone
	expect_eq 'of one that was removed' "$(lab_ctl history gone -o json | jq -r '[.history[].verb] | join(" ")')" 'service rm service add'

	part 'who follows into a file reads at once what there was'
	"$LAB_BUILD/rainbowctl" --socket "$LAB_DIR/rainbow.sock" events gone -f >"$LAB_DIR/gone.log" &
	follower=$!
	lab_at_exit kill_if_there "$follower"
	wait_until 5 'the rows that were there' grep -q 'service gone removed' "$LAB_DIR/gone.log"
	kill "$follower"
}

rainbowd_leaves_rows() {
	part 'what rainbowd does unasked'
	serve_agents 2
	ctl set-weight chat v1=100
	lab_client load --to "$(at_service 4)" --sessions 4
	lab_until_stat load 20 '.live == 4'
	ctl set-weight chat v2=100
	ctl drain chat v1 --deadline 1s
	wait_until 40 'v1 to be drained' is_eq drained version_json chat v1 .state
	wait_until 10 'its row' is_eq drained last_row .verb
	expect_eq 'by whom' "$(last_row '[.actor, .uid] | tojson')" '["rainbowd",null]'
	expect_eq 'the end of a drain' "$(rows '[.[] | select(.actor == "rainbowd") | .sentence]')" \
		'["the deadline of version v1 of chat is over: closing 4 sessions","4 sessions of version v1 of chat closed at the deadline","version v1 of chat is drained"]'
	lab_end load
	ctl undrain chat v1
	ctl evict chat v2
	wait_until 20 'the end of the eviction' is_eq evicted last_row .verb
	expect_eq 'what it says' "$(last_row .sentence)" '0 sessions of version v2 of chat closed'
}

# --- for those who act ---------------------------------------------------------------------------------------------------------

locks_and_generations() {
	local generation

	part 'an expected generation'
	generation=$(json '.services[0].generation' status)
	ctl_refused 4 "at generation $generation, not at 1 .*rainbowctl history chat" set-weight chat v1=50 v2 --if-generation 1
	expect_match 'its row' "$(last_row .outcome)" '^conflict: '
	ctl_refused 4 'generation' drain chat v1 --if-generation $((generation + 1))
	ctl set-weight chat v1=50 v2 --if-generation "$generation"
	expect_code 4 lab_ctl set-weight chat v1=60 v2 --if-generation "$generation"
	ctl_refused 2 'no option of .service add' service add other "$(at_service 4 81)" --if-generation 0

	part 'a lock'
	ctl_refused 2 'reason TEXT is missing' lock chat
	expect_code 22 api_get /v1/services/chat/lock -X POST
	ctl lock chat --reason 'incident 4711'
	ctl_refused 4 "locked already, by uid $(id -u) since 20.*incident 4711" lock chat --reason mine
	expect_match 'status' "$(lab_ctl status)" "locked by $(id -un) since 20.*: incident 4711"
	ctl set-weight chat v1=55 v2
	lab_rainbowd_kill
	lab_rainbowd_start tc
	expect_eq 'after a kill' "$(json '.services[0].lock | [.uid, .reason] | tojson' status)" "[$(id -u),\"incident 4711\"]"
	ctl unlock chat
	expect_eq 'unlocked' "$(json '.services[0].lock' status)" null
	ctl unlock chat
	expect_eq 'again' "$(last_row .sentence)" 'service chat is not locked'
}

tuples() {
	local label=odd

	part 'the tuple of a version'
	ctl version add chat v3 --backend 10.2.9.2:8080 --code c1 --model m1 --prompts 'p "1" $HOME, a=b'
	ctl_refused 4 'exists already, with this very tuple' version add chat v3 --backend 10.2.9.3:8080 --code c1 --model m1 \
		--prompts 'p "1" $HOME, a=b'
	ctl_refused 4 'exists with another tuple \(model, prompts\); a version is immutable' version add chat v3 \
		--backend 10.2.9.3:8080 --code c1 --model m2
	ctl version add chat "$label" --backend 10.2.9.3:8080 --code c1 --model m2
	expect_match 'diff' "$(lab_ctl version diff chat v3 $label)" 'model +m1 +m2.*model and prompts differ'
	expect_eq 'diff as JSON' "$(lab_ctl version diff chat v3 $label -o json | jq -r .changed)" 'model, prompts'
	expect_match 'no diff' "$(lab_ctl version diff chat v1 v2)" 'no layer differs'
	expect_eq 'environment' "$(
		set -a
		eval "$(lab_ctl version env chat v3)"
		printenv RAINBOW_VERSION RAINBOW_TUPLE_PROMPTS OTEL_RESOURCE_ATTRIBUTES
	)" "v3
p \"1\" \$HOME, a=b
service.name=chat,service.version=v3,rainbow.version.code=c1,rainbow.version.model=m1,rainbow.version.prompts=p%20%221%22%20%24HOME%2C%20a%3Db"

	part 'quarantine'
	ctl version quarantine chat v3 --reason 'it loops'
	ctl_refused 4 'in quarantine already \(it loops\)' version quarantine chat v3 --reason again
	expect_match 'status' "$(lab_ctl status)" 'v3 is in quarantine: it loops'
	expect_eq 'versions' "$(json '.versions[] | select(.label == "v3") | .quarantine' version list chat)" 'it loops'
	ctl version unquarantine chat v3
	expect_eq 'and out' "$(version_json chat v3 .quarantine)" null
}

waiting() {
	part 'waiting'
	expect_code 5 lab_ctl wait chat --for rollout=complete
	expect_match 'what it says' "$E2E_OUT" 'no rollout'
	expect_code 5 lab_ctl wait chat --for drained=v3
	expect_match 'what it says' "$E2E_OUT" 'does not drain'
	expect_code 3 lab_ctl wait nobody --for drained=v3
	expect_code 3 lab_ctl wait chat --for drained=nope
	expect_match 'what it says' "$E2E_OUT" 'service chat has no version nope; it has: v1, v2, v3, odd'
	ctl drain chat v3
	expect_code 0 lab_ctl wait chat --for drained=v3 --timeout 30s
	ctl drain chat v1
	lab_client held --to "$(at_service 4)" --sessions 1
	lab_until_stat held 20 '.live == 1'
	ctl undrain chat v1
	ctl set-weight chat v1=100
	ctl drain chat v2 --deadline 1h
	expect_code 7 lab_ctl wait chat --for drained=v2 --timeout 1s
	lab_end held
	wait_until 30 'v2 to be drained' is_eq drained version_json chat v2 .state
	ctl undrain chat v2
}

# --- a stream of commands, a rainbowd that is killed -------------------------------------------------------------------------------

# Until rainbowd is dead (6): each command has its own reason; it is noted before it is sent, and again when it is acknowledged.
commands_send() {
	local code=0 n

	while ((code == 0)); do
		n=$(($(<"$LAB_DIR/number") + 1))
		echo "$n" >"$LAB_DIR/number"
		lab_ctl set-weight chat "v1=$((n % 99 + 1))" v2 --reason "command $n" >/dev/null 2>"$LAB_DIR/order.log" || code=$?
		((code != 0)) || echo "command $n" >>"$LAB_DIR/acknowledged"
	done
	((code == 6)) || fail "command $n: exit code $code: $(<"$LAB_DIR/order.log")"
}

told() { # the reasons of such commands in the history, in its order
	rows '.[] | select(.reason // "" | startswith("command ")) | .reason' | jq -r .
}

heard() { # the ids that `events -f` has printed
	jq -r .id "$LAB_DIR/events.log"
}

is_heard() { # ID
	[[ $(tail -n 1 "$LAB_DIR/events.log" | jq -r .id) == "$1" ]]
}

killed_in_a_stream() {
	local first i follower

	part "kill -9 in a stream of commands, $KILLS times, seed $E2E_SEED"
	echo 0 >"$LAB_DIR/number"
	: >"$LAB_DIR/acknowledged"
	first=$(last_row .id)
	RAINBOW_SOCKET=$LAB_DIR/rainbow.sock "$LAB_BUILD/rainbowctl" events -f -o json >"$LAB_DIR/events.log" 2>"$LAB_DIR/events.errors" &
	follower=$!
	lab_at_exit kill_if_there "$follower"
	wait_until 5 'the first rows' test -s "$LAB_DIR/events.log"
	for ((i = 0; i < KILLS; i++)); do
		commands_send &
		sleep "0.$((RANDOM % 6 + 3))$((RANDOM % 10))" # a random moment, not a wait
		kill -STOP "$follower" # so that something happens before it is back
		lab_rainbowd_kill
		wait "$!"
		lab_rainbowd_start tc
		expect_code 0 lab_ctl version quarantine chat odd --reason 'while nobody listens'
		expect_code 0 lab_ctl version unquarantine chat odd
		kill -CONT "$follower"
		# Acknowledged: all of it, each once, in order. Not acknowledged: at most the one that was under way, and then in force.
		expect_eq 'told twice' "$(told | sort | uniq -d)" ''
		expect_eq 'order' "$(told)" "$(told | sort -k 2 -n)"
		expect_eq 'acknowledged but not told' "$(comm -23 <(sort "$LAB_DIR/acknowledged") <(told | sort))" ''
		expect_between 'told but not acknowledged' "$(comm -13 <(sort "$LAB_DIR/acknowledged") <(told | sort) | wc -l)" 0 $((i + 1))
		expect_eq 'the last one told is in force' "$(rows '[.[] | select(.reason // "" | startswith("command "))][-1].after.versions.v1.weight')" \
			"$(version_json chat v1 .weight)"
	done
	say "$(wc -l <"$LAB_DIR/acknowledged") commands acknowledged, $(told | wc -l) told"
	expect_between 'commands' "$(wc -l <"$LAB_DIR/acknowledged")" 10 100000

	part 'who listened has heard all of it, once, in order'
	wait_until 10 'the last row to be heard' is_heard "$(last_row .id)"
	expect_eq 'heard' "$(heard | awk -v first="$first" '$1 > first')" "$(rows ".[] | select(.id > $first) | .id")"
	expect_eq 'its complaints' "$(sort -u "$LAB_DIR/events.errors" | wc -l)" 2
	kill "$follower"

	part 'from any place on, as a browser asks'
	expect_eq 'rows' "$(listen "after=$((first + 1))" | grep -c '^id: ')" "$(rows "[.[] | select(.id > $first + 1)] | length")"
	expect_eq 'resumed' "$(listen '' -H "Last-Event-ID: $(($(last_row .id) - 2))" | grep '^id: ' | tr '\n' ' ')" \
		"id: $(($(last_row .id) - 1)) id: $(last_row .id) "
	expect_eq 'of another service' "$(listen 'after=0&service=gone' | grep -c '^id: ' || true)" 2
	expect_match 'an id that never was' "$(listen 'after=99999999')" 'event: gap'
}

# What comes within a second.
listen() { # QUERY [CURL-OPTIONS...]
	local query=$1

	shift
	api_get "/v1/events?$query" --no-buffer --max-time 1 "$@" || true
}

trimmed() {
	part 'only so many rows are kept'
	lab_rainbowd_stop
	lab_rainbowd_start tc --history 20
	ctl set-weight chat v1=1 v2
	expect_eq 'rows' "$(count_rows)" 20
	expect_match 'a listener of before' "$(listen after=1)" '"from":2,"to":[0-9]+'
}

# All that a listener has not read yet is in the database, not in rainbowd.
slow_listener() {
	part 'a listener that reads nothing for a while'
	lab_rainbowd_stop
	"$E2E_PYTHON" - "$LAB_DIR/state/rainbow.db" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.executemany("INSERT INTO history (at_ms, service, version, actor, uid, pid, verb, sentence, reason, outcome, took_us)"
		               " VALUES (1, 'chat', '', 'uid 0', 0, 1, 'x', ?, '', 'ok', 1)", [('s' * 500,)] * 9000)
		db.commit()
	END
	lab_rainbowd_start tc
	"$E2E_PYTHON" - "$LAB_DIR/rainbow.sock" "$(json .daemon.pid status)" <<-'END' || fail 'see above'
		import re, socket, sys, time
		def resident():
		    return int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{sys.argv[2]}/status').read()).group(1))
		before, ids, rest, most = resident(), [], b'', 0
		listener = socket.socket(socket.AF_UNIX)
		listener.connect(sys.argv[1])
		listener.sendall(b'GET /v1/events?after=0 HTTP/1.1\r\nHost: rainbow\r\n\r\n')
		listener.settimeout(10)
		time.sleep(1)
		while len(ids) < 9000:
		    *lines, rest = (rest + listener.recv(65536)).split(b'\n')
		    ids += [int(line[4:]) for line in lines if line.startswith(b'id: ')]
		    most = max(most, resident() - before)
		if ids != list(range(ids[0], ids[0] + len(ids))):
		    sys.exit('not each row once, in order')
		if most > 4096:
		    sys.exit(f'rainbowd grew by {most} kB')
	END
}

too_many_listeners() {
	local i pids=()

	part 'as many listeners as may be, and a stop under them'
	for ((i = 0; i < 64; i++)); do
		api_get /v1/events --no-buffer --max-time 60 >"$LAB_DIR/listener.$i" &
		pids+=("$!")
	done
	for ((i = 0; i < 64; i++)); do
		wait_until 20 "listener $i to be taken" grep -q '^retry: ' "$LAB_DIR/listener.$i"
	done
	expect_eq 'one more' "$(api_get /v1/events --max-time 1 | jq -r .error.code)" precondition
	ctl set-weight chat v1=2 v2
	for ((i = 0; i < 64; i++)); do
		wait_until 10 "listener $i" grep -q '^id: ' "$LAB_DIR/listener.$i"
	done
	lab_rainbowd_stop
	for ((i = 0; i < 64; i++)); do
		wait "${pids[i]}" || fail "listener $i: its stream was cut off, not ended: curl says $?"
	done
}

lab_up routed --offloads on
lab_rainbowd_start tc
commands_leave_rows
names
rainbowd_leaves_rows
locks_and_generations
tuples
waiting
killed_in_a_stream
trimmed
slow_listener
too_many_listeners
lab_down
