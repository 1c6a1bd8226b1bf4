#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Real software: nginx and curl move bodies small and large, up and down, and every byte arrives; iperf3 streams in both
# directions over TCP and UDP; WebSockets stay on their version while weights change and it drains.
# Takes 35 s.
source "$(dirname "$0")/lib.sh"

readonly LARGE=$((32 * 1024 * 1024))

# --- nginx and curl ----------------------------------------------------------------------------------------------------------

nginx_start() { # N
	local dir=$LAB_DIR/nginx$1

	mkdir -p "$dir/files" "$dir/tmp"
	cp "$LAB_DIR"/body-* "$dir/files"
	cat >"$dir/nginx.conf" <<-END
		daemon off;
		master_process off;
		user root;
		pid $dir/nginx.pid;
		error_log $dir/error.log;
		events { worker_connections 1024; }
		http {
			access_log off;
			client_max_body_size 100m;
			client_body_temp_path $dir/tmp;
			server {
				listen 8080;
				listen [::]:8080;
				root $dir/files;
				dav_methods PUT;
				add_header X-Version v$1 always;
			}
		}
	END
	lab_spawn "nginx$1" "backend$1" nginx -c "$dir/nginx.conf" -p "$dir"
	wait_until 10 "nginx $1 to serve" lab_in "backend$1" curl -sf -o /dev/null http://127.0.0.1:8080/body-1
}

bodies_make() {
	local size

	for size in 1 1000 1461 65536 "$LARGE"; do
		head -c "$size" /dev/urandom >"$LAB_DIR/body-$size"
	done
}

curl_in() { # CURL-ARGUMENTS...
	lab_in clients curl -gsS --fail --max-time 60 "$@"
}

# Each file down and up again, from one version; compares what arrived.
bodies_move() { # 4|6
	local file name version url

	url=http://$(at_service "$1")
	for file in "$LAB_DIR"/body-*; do
		name=${file##*/}
		curl_in -o "$LAB_DIR/got" "$url/$name"
		cmp "$file" "$LAB_DIR/got" || fail "$name came down changed"
		version=$(curl_in -o /dev/null -D - -T "$file" "$url/up-$name" | tr -d '\r' | sed -n 's/^X-Version: v//p')
		cmp "$file" "$LAB_DIR/nginx$version/files/up-$name" || fail "$name came up changed"
	done
}

curl_config() { # COUNT FILE URL: that many downloads, to FILE1 and so on
	local i

	for ((i = 1; i <= $1; i++)); do
		printf 'url = "%s?%d"\noutput = "%s%d"\n' "$3" "$i" "$2" "$i"
	done
}

# Some at once, and many requests on one connection, which is one session and so one version.
bodies_move_at_once() { # 4|6
	local url sum versions

	url=http://$(at_service "$1")
	sum=$(md5sum <"$LAB_DIR/body-65536")
	curl_config 100 "$LAB_DIR/got-" "$url/body-65536" | curl_in -K - -Z --parallel-max 20 2>/dev/null
	expect_eq 'downloads at once that are right' "$(md5sum "$LAB_DIR"/got-* | grep -c "^${sum%% *} ")" 100
	versions=$(curl_config 200 "$LAB_DIR/got-" "$url/body-1" | curl_in -K - -D - | tr -d '\r' | grep ^X-Version: | sort | uniq -c)
	expect_match 'versions that served one connection' "$versions" '^ *200 X-Version: v[12]$'
	rm -f "$LAB_DIR"/got*
}

web() { # TOPOLOGY HOOK OFFLOADS
	local n family

	part "nginx and curl: $1, $2"
	lab_up "$1" --offloads "$3"
	bodies_make
	for n in 1 2; do
		nginx_start "$n"
	done
	lab_rainbowd_start "$2"
	for family in 4 6; do
		ctl service add "web$family" "$(at_service "$family")" --selection exact
		ctl version add "web$family" "web$family-v1" --backend "$(lab_backend 1 "$family"):8080"
		ctl version add "web$family" "web$family-v2" --backend "$(lab_backend 2 "$family"):8080"
		ctl set-weight "web$family" "web$family-v1=50" "web$family-v2"
		bodies_move "$family"
		bodies_move_at_once "$family"
		expect_ne "sessions of v2 over IPv$family" "$(version_count "web$family-v2" opened)" 0
	done
	wait_until 10 'all sessions to end' is_eq 0 live_count
	expect_eq 'sessions that did not end by FIN' \
		"$(versions | jq -s 'map(.ended_reset_client + .ended_reset_server + .ended_idle + .ended_forced + .ended_vanished + .refused) | add')" 0
	lab_down
}

# A link that is narrower than the ends believe: the router has to tell them (ICMP), in words that they understand.
narrow() { # TOPOLOGY HOOK OFFLOADS NAMESPACE:INTERFACE... (of both ends of each narrow link)
	local end

	part "nginx and curl over narrow links: $1, $2"
	lab_up "$1" --backends 1 --offloads "$3"
	bodies_make
	nginx_start 1
	for end in "${@:4}"; do
		lab_ip "${end%:*}" link set "${end#*:}" mtu 1320
	done
	# The ends' stacks know of a narrow link of their own; they are to offer each other more.
	lab_ip clients route change default via 10.1.0.1 advmss 1460
	lab_ip clients -6 route change default via fd00:1::1 advmss 1440
	lab_ip backend1 route change default via "$(lab_ip backend1 route show default | awk '{print $3}')" advmss 1460
	lab_ip backend1 -6 route change default via "$(lab_ip backend1 -6 route show default | awk '{print $3}')" advmss 1440
	lab_rainbowd_start "$2"
	for end in 4 6; do
		ctl service add "web$end" "$(at_service "$end")"
		ctl version add "web$end" "web$end-v1" --backend "$(lab_backend 1 "$end"):8080"
		bodies_move "$end"
	done
	lab_down
}

# --- iperf3: its connections of one client must meet one server ---------------------------------------------------------------

stream() { # WHAT IPERF3-OPTIONS...
	local what=$1 report

	shift
	report=$(lab_in clients timeout 30 iperf3 -J -t 1 "$@") || fail "$what: $(jq -r .error <<<"$report")"
	say "$what: $(jq -r '.end | (.sum_received // .sum).bits_per_second / 1e6 | round' <<<"$report") Mbit/s"
	jq -e '.end | (.sum_received // .sum).bytes > 1000000' <<<"$report" >/dev/null || fail "$what: moved nothing"
}

streams() { # TOPOLOGY HOOK OFFLOADS
	local n family

	part "iperf3: $1, $2"
	lab_up "$1" --offloads "$3"
	lab_rainbowd_start "$2"
	for n in 1 2; do
		lab_spawn "iperf$n" "backend$n" iperf3 -s -p 5201
	done
	for family in 4 6; do
		ctl service add "tcp$family" "$(at_service "$family" 5201)" --affinity client
		ctl service add "udp$family" "$(at_service "$family" 5201)/udp" --affinity client
		for n in 1 2; do
			ctl version add "tcp$family" "tcp$family-v$n" --backend "$(lab_backend "$n" "$family"):5201"
		done
		ctl set-weight "tcp$family" "tcp$family-v1=50" "tcp$family-v2"
	done
	stream 'TCP up' -c "$LAB_SERVICE4" -P 2
	stream 'TCP down' -c "$LAB_SERVICE4" -R
	stream 'TCP over IPv6, both ways' -c "$LAB_SERVICE6" --bidir
	# The client and its server agree on the version over TCP; the datagrams must find the same one.
	for family in 4 6; do
		n=$(json '.services[].versions[] | select(.sessions.live > 0) | .label' status "tcp$family")
		ctl version add "udp$family" "udp$family-v" --backend "$(lab_backend "${n##*v}" "$family"):5201"
	done
	stream 'UDP up' -c "$LAB_SERVICE4" -u -b 50M
	stream 'UDP down over IPv6' -c "$LAB_SERVICE6" -u -b 50M -R
	lab_down
}

# --- WebSockets --------------------------------------------------------------------------------------------------------------

websocket_round() {
	local answer

	echo turn >&"${TALK[1]}"
	read -r -t 30 -u "${TALK[0]}" answer || fail "the WebSocket client ended: $(tail -n 3 "$LAB_DIR/talk.log")"
	expect_eq 'a round of messages' "$answer" 'all as before'
}

websockets() { # TOPOLOGY HOOK OFFLOADS
	local n answer pid

	part "WebSockets: $1, $2"
	"$E2E_PYTHON" -c 'import websockets' 2>/dev/null || { skip_part 'WebSockets: python3-websockets is not installed' && return; }
	lab_up "$1" --offloads "$3"
	for n in 1 2; do
		lab_spawn "websocket$n" "backend$n" "$E2E_PYTHON" "$LAB_ROOT/tests/e2e/websocket.py" serve "v$n" 8080
		wait_until 10 "WebSocket server $n" grep -q listening "$LAB_DIR/websocket$n.log"
	done
	lab_rainbowd_start "$2"
	add_service chat 4 2 --selection exact
	ctl set-weight chat v1=50 v2
	coproc TALK {
		lab_in clients "$E2E_PYTHON" "$LAB_ROOT/tests/e2e/websocket.py" talk "ws://$(at_service 4)/" 20 2>"$LAB_DIR/talk.log"
	}
	pid=$TALK_PID
	lab_at_exit kill_if_there "$pid"
	read -r -t 20 -u "${TALK[0]}" answer || fail "the WebSocket client did not begin: $(tail -n 3 "$LAB_DIR/talk.log")"
	expect_eq 'who greeted' "$answer" 'v1:10 v2:10'
	for n in 5 95 0; do
		ctl set-weight chat "v1=$n" v2
		websocket_round
	done
	ctl drain chat v1 --deadline 1h
	websocket_round
	lab_rainbowd_kill
	websocket_round
	lab_rainbowd_start "$2"
	websocket_round
	echo end >&"${TALK[1]}"
	wait "$pid" || fail "the WebSocket client: $(tail -n 3 "$LAB_DIR/talk.log")"
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
	lab_down
}

web routed tc on
web two-sided xdp off
narrow routed tc on clients:eth0 router:client0
narrow routed tc off router:backend1 backend1:eth0
narrow routed xdp off router:backend1 backend1:eth0
narrow two-sided xdp off clients:eth0 router:client0
streams routed tc on
streams one-armed xdp off
websockets routed tc on
