# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The performance rows of the comparison, for the contender that is up. Each cell appends lines to the results:
# {"contender", "round", "row", "value"}. Sourced by bench-peers.sh.

result() { # ROW VALUE
	jq -cn --arg contender "$CONTENDER" --argjson round "$ROUND" --arg row "$1" --argjson value "$2" \
		'{$contender, $round, $row, $value}' >>"$RESULTS"
}

# `load` in the clients' namespace, its answer in LOADED; every answer must be right, and come from both versions.
load() { # requests|connects CONNECTIONS MS [ARGUMENTS...]
	local kind=$1 connections=$2 ms=$3

	shift 3
	peers_targets 80 8080
	LOADED=$(lab_in clients "$LAB_BUILD/tests/peers/load" "$kind" "${TARGETS[@]}" --connections "$connections" \
		--ms "$ms" --cgroup "$CGROUP" "$@") || { lab_say "$CONTENDER: $kind: not every answer was right: $LOADED" && return 1; }
	((connections < 8)) || jq -e '.labels | keys == ["v1", "v2"]' >/dev/null <<<"$LOADED" ||
		{ lab_say "$CONTENDER: $kind: answers of one version only: $LOADED" && return 1; }
}

loaded() { # JQ-FILTER
	jq "$1" <<<"$LOADED"
}

cell_requests() {
	load requests "$CONNECTIONS" "$CELL_MS"
	result requests "$(loaded '.done / .seconds')"
	result request_cpu "$(loaded '.cpu_us / .done')"
	result request_p50 "$(loaded .p50_us)"
	result request_p99 "$(loaded .p99_us)"
	load requests 1 $((CELL_MS / 2))
	result alone_p50 "$(loaded .p50_us)"
	result alone_p99 "$(loaded .p99_us)"
}

# From 250 addresses: ports of closed connections rest in TIME_WAIT.
cell_connects() {
	load connects "$CONNECTIONS" "$CELL_MS" --from 10.1.64.1+250
	result connects "$(loaded '.done / .seconds')"
	result connect_cpu "$(loaded '.cpu_us / .done')"
}

bulk() { # ROW [IPERF3-ARGUMENTS...]
	local row=$1 to=$SERVICE answer

	shift
	! peers_is_direct || to=$PEERS_BACKEND1
	answer=$(lab_in clients timeout 60 iperf3 -c "$to" -p 5201 "${BULK[@]}" -J "$@") ||
		{ lab_say "$CONTENDER: iperf3: $(jq -r .error <<<"$answer")" && return 1; }
	result "$row" "$(jq '.end.sum_received.bits_per_second / 1e9' <<<"$answer")"
}

cell_bulk() {
	bulk up
	bulk down --reverse
}

# CPU microseconds of this run so far.
cpu_us() {
	"$LAB_BUILD/tests/peers/load" cpu --cgroup "$CGROUP"
}

# Spoofed SYNs; SENT says how many, fewer than ordered if the machine is too slow for the rate.
flood() { # ADDRESS:PORT COUNT
	lab_in clients "$LAB_BUILD/tests/lab/flood" --interface eth0 --from 10.99.0.0/16 --to "$1" --count "$2" \
		--rate "$SYN_RATE" --duration 30s >"$LAB_DIR/flood.json" || true
	SENT=$(jq .sent "$LAB_DIR/flood.json")
	((SENT > 0))
}

# TCP segments that came to a socket of the router or of a backend.
segments() {
	local name

	for name in router backend1 backend2; do
		lab_in "$name" awk '$1 == "Tcp:" && $11 ~ /^[0-9]+$/ { print $11 }' /proc/net/snmp
	done | awk '{ sum += $1 } END { print sum }'
}

syns() { # ROW ADDRESS:PORT: the CPU microseconds that each took; leaves the part of them that arrived in ARRIVED
	local before came

	came=$(segments)
	before=$(cpu_us)
	flood "$2" "$SYNS"
	result "$1" "$(awk -v cpu=$(($(cpu_us) - before)) -v count="$SENT" 'BEGIN { print cpu / count }')"
	ARRIVED=$(awk -v came=$(($(segments) - came)) -v count="$SENT" 'BEGIN { print came / count }')
}

# SYNs from nowhere; for the floor also to an address that the router throws away: what it takes to make and bring them.
cell_syns() {
	local to=$SERVICE:80

	if peers_is_direct; then
		to=$PEERS_BACKEND1:8080
		syns syn_sunk_cpu 10.0.1.1:80
	fi
	syns syn_cpu "$to"
	result syn_arrived "$ARRIVED"
	serve_again
}

serve_start() {
	lab_spawn serve1 backend1 "$LAB_BUILD/tests/peers/serve" v1 8080
	lab_spawn serve2 backend2 "$LAB_BUILD/tests/peers/serve" v2 8080
	lab_until 5 'the servers to listen' peers_accepts "$PEERS_BACKEND1" 8080
	lab_until 5 'the servers to listen' peers_accepts "$PEERS_BACKEND2" 8080
}

# The half-open connections of a flood end with the sockets that listen.
serve_again() {
	lab_end serve1 KILL
	lab_end serve2 KILL
	serve_start
}
