#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Turns under TLS, by OpenSSL at both ends: whatever the handshake, none is counted that the backend did not work for. The first two
# requests of a session may not be counted; each later one is.
# Takes 5 s.
source "$(dirname "$0")/lib.sh"

readonly WORK=100 SESSIONS=10 # ms of a request; sessions to each service
readonly KINDS=(1.3 1.3+waits 1.3+resumes 1.3+again 1.2 1.2+resumes 1.2+waits) # tests/lab/tls.py says what they are
readonly REQUESTS=(1 2 4)                                                      # of a session

PLACES=() # of each service: PORT:KIND:REQUESTS

# tls8001, tls8002, ... on those ports, and so are their backends.
add_services() {
	local kind requests port=8001

	printf '%s\n' 'rainbow: 1' services: >"$LAB_DIR/services.yaml"
	for kind in "${KINDS[@]}"; do
		for requests in "${REQUESTS[@]}"; do
			printf '%s\n' "- {name: tls$port, address: \"$(at_service 4 "$port")\"," \
				"   versions: [{label: v1, backends: [{address: \"$(lab_backend 1):$port\"}]}]}" >>"$LAB_DIR/services.yaml"
			PLACES+=("$port:$kind:$requests")
			port=$((port + 1))
		done
	done
	ctl apply -f "$LAB_DIR/services.yaml"
}

listeners() {
	lab_in backend1 ss -Hltn | wc -l
}

# A turn that is counted and should not be is one too many, or it is the one that shows: of sessions with two requests one at most counts.
expect_true_turns() { # PLACE
	local port=${1%%:*} what=${1#*:} requests=${1##*:} sessions=$SESSIONS turns

	[[ $1 != *resumes* ]] || sessions=$((2 * SESSIONS)) # the one before, too
	expect_eq "$what: sessions" "$(version_json "tls$port" v1 .sessions.opened)" "$sessions"
	turns=$(version_json "tls$port" v1 .signals.turns)
	say "$what: $turns turns"
	expect_between "$what: turns" "$turns" $((requests > 2 ? sessions * (requests - 2) : 0)) $((sessions * (requests - 1)))
	if ((turns > 0)); then
		expect_eq "$what: half of them take $WORK ms" \
			"$(version_json "tls$port" v1 ".signals.turn_seconds.p50 * 1000 >= $WORK * 0.94")" true
	fi
}

lab_up routed --backends 1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$LAB_DIR/key.pem" -out "$LAB_DIR/tls.pem" -days 2 \
	-subj /CN=tls -addext subjectAltName=DNS:tls 2>"$LAB_DIR/openssl.log" || fail "openssl: $(<"$LAB_DIR/openssl.log")"
lab_rainbowd_start auto
add_services
lab_spawn tls backend1 "$E2E_PYTHON" "$LAB_ROOT/tests/lab/tls.py" serve "$LAB_DIR/tls.pem" "$LAB_DIR/key.pem" "$WORK" "${PLACES[@]}"
wait_until 10 'the server to listen everywhere' is_eq ${#PLACES[@]} listeners
lab_spawn clients clients "$E2E_PYTHON" "$LAB_ROOT/tests/lab/tls.py" talk "$LAB_DIR/tls.pem" "$LAB_SERVICE4" "$SESSIONS" "$WORK" "${PLACES[@]}"
lab_wait clients 60 || fail 'the clients did not get their answers'
for place in "${PLACES[@]}"; do
	expect_true_turns "$place"
done
expect_no_drift
lab_down
