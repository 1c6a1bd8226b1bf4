#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The kernel's own gates, each on what only it sees: answers of class 5xx, connections that a backend refuses, and a split of sessions
# that the weights do not order. And rollouts of other kinds of service: over IPv6, by client, under XDP.
# Takes 70 s.
source "$(dirname "$0")/lib.sh"

rollout() { # SERVICE JQ-FILTER
	lab_show r "$1" ".services[] | select(.name == \$name) | .rollout | $2" api /v1/status
}

place() { # SERVICE
	rollout "$1" '"\(.state) in step \(.step)"'
}

gates() { # SERVICE SIGNAL:MARGIN...
	local service=$1 signal list=()

	shift
	for signal; do
		list+=("{\"name\":\"${signal%:*}\",\"source\":\"kernel\",\"signal\":\"${signal%:*}\",\"margin\":${signal#*:}}")
	done
	(IFS=, && printf '{"gates":[%s]}' "${list[*]}") >"$LAB_DIR/gates.json"
	expect_code 0 curl -sf --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH -d @"$LAB_DIR/gates.json" "http://rainbow/v1/services/$service"
}

add_versions() { # SERVICE FAMILY PORT: v1, v2 on backends 1, 2
	local i

	for i in 1 2; do
		ctl version add "$1" "$1-v$i" --backend "$(lab_backend $i "$2"):$3"
	done
}

start() { # SERVICE
	ctl rollout start "$1" "$1-v2" --steps 30:2s,100:2s
}

forgive() { # SERVICE
	ctl version unquarantine "$1" "$1-v2"
	ctl undrain "$1" "$1-v2"
}

expect_rolled_back() { # SERVICE REGEX
	wait_until 40 "the rollout of $1 to end" is_eq 'rolled_back in step 1' place "$1"
	expect_match 'why' "$(rollout "$1" .reason)" "$2"
	say "$(rollout "$1" .reason)"
	expect_eq 'the weight' "$(version_json "$1" "$1-v1" .weight)" 100
}

# Connections to the backend are answered by RST, PERCENT of them; 0: none.
refuse() { # BACKEND PORT PERCENT
	lab_in "backend$1" nft -f - <<-END
		table inet lab
		delete table inet lab
		table inet lab {
			chain input {
				type filter hook input priority 0;
				tcp dport $2 tcp flags syn / syn,ack numgen random mod 100 < $3 reject with tcp reset
			}
		}
	END
}

says_split() {
	[[ $(rollout chat .reason) =~ 'connect_failures: the candidate got 0 of '[0-9,]+' new sessions '.*steers ]]
}

http_service() {
	part 'answers of class 5xx'
	lab_spawn http1 backend1 "$E2E_PYTHON" "$LAB_ROOT/tests/lab/http_server.py" 0.0.0.0 8081 0
	lab_spawn http2 backend2 "$E2E_PYTHON" "$LAB_ROOT/tests/lab/http_server.py" 0.0.0.0 8081 10
	ctl service add web "$(at_service 4 81)"
	expect_code 0 curl -sf --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH -d '{"http":true}' http://rainbow/v1/services/web
	add_versions web 4 8081
	lab_spawn surfers clients "$E2E_PYTHON" "$LAB_ROOT/tests/lab/http_client.py" "$LAB_SERVICE4" 81 20
	start web
	expect_eq 'the gates of such a service' "$(rollout web '[.gates[].name] | join(" ")')" \
		'turn_latency resets connect_failures http_errors'
	gates web http_errors:2
	expect_rolled_back web 'http_errors: the candidate is worse'
	forgive web

	part 'connections that are refused'
	gates web connect_failures:2
	refuse 2 8081 15
	start web
	expect_rolled_back web 'connect_failures: the candidate is worse'
	refuse 2 8081 0
	forgive web
	start web
	wait_until 40 'a good one to go on' is_eq 'running in step 2' place web
	ctl rollback web
	lab_end surfers
}

# Sessions of the agents, of which v2 resets 10 %; then it does not, and gets to 100 %.
agents() { # SERVICE FAMILY [CLIENT-ARGUMENTS...]
	local service=$1 family=$2

	shift 2
	lab_client "load-$service" --to "$(at_service "$family" "${PORT[$service]}")" --sessions 60 --rate 300 --interval 20 --turns 3 \
		--replace --duration 10m "$@"
	gates "$service" resets:2 connect_failures:2
	start "$service"
	expect_rolled_back "$service" 'resets: the candidate is worse'
	forgive "$service"
	lab_end server-2-v2
	lab_server 2 v2 tcp:8080 tcp:8090
	start "$service"
	wait_until 40 "the rollout of $service to complete" is_eq 'complete in step 2' place "$service"
	say "$(rollout "$service" .reason)"
	expect_eq 'the weight' "$(version_json "$service" "$service-v2" .weight)" 100
	lab_end server-2-v2
	lab_server 2 v2 tcp:8080 tcp:8090 -- --resets 100
	lab_tell "load-$service" quit >/dev/null
	lab_wait "load-$service" 20 || true # sessions that were reset count as lost
}

declare -A PORT=([chat]=80 [six]=83 [clients]=84)
lab_up routed --backends 2
lab_server 1 v1 tcp:8080 tcp:8090
lab_server 2 v2 tcp:8080 tcp:8090 -- --resets 100
lab_rainbowd_start auto
http_service

part 'a steer gives all clients to one version'
ctl service add chat "$(at_service 4)"
add_versions chat 4 8080
gates chat connect_failures:2
ctl steer add chat 10.1.0.0/16 chat-v1
lab_client load --to "$(at_service 4)" --sessions 60 --rate 300 --interval 20 --turns 3 --replace --duration 10m
start chat
wait_until 20 'the rollout to be held' is_eq 'held in step 1' place chat
wait_until 20 'the split to be told' says_split
say "$(rollout chat .reason)"
expect_code 0 lab_ctl explain gate chat connect_failures
expect_match 'the explanation' "$E2E_OUT" 'steers'
ctl steer rm chat 10.1.0.0/16
ctl rollout abort chat
forgive chat
lab_end load

part 'IPv4'
agents chat 4
part 'IPv6'
ctl service add six "$(at_service 6 83)"
add_versions six 6 8080
agents six 6
part 'by client'
ctl service add clients "$(at_service 4 84)" --affinity client
add_versions clients 4 8090
agents clients 4 --from 10.1.64.1+16000
expect_no_drift
lab_down

part 'under XDP'
lab_up two-sided --backends 2 --offloads off
lab_server 1 v1 tcp:8080 tcp:8090
lab_server 2 v2 tcp:8080 tcp:8090 -- --resets 100
lab_rainbowd_start xdp
ctl service add chat "$(at_service 4)"
add_versions chat 4 8080
agents chat 4
expect_no_drift
lab_down
