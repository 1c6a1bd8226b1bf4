#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Compares rainbow with other routers, in one run, in namespaces of its own, between the same clients and servers: plain forwarding
# (direct), rainbow by TC and XDP, nftables, HAProxy, nginx. The results go into the tables of docs/comparison.md, which says how
# they are measured. `make bench-peers` installs and builds what it needs. About 11 minutes; the machine should have nothing else to do.
#
#   bench-peers.sh [--rounds N] [--seconds N] [--contenders "NAME ..."] [--only performance|behaviour] [--quick]
#                  [--output FILE] [--results FILE]
#   --rounds N        rounds of the performance rows, each with every contender (default 7)
#   --seconds N       of each cell of a round (default 1)
#   --contenders ...  of direct rainbow-tc nftables haproxy nginx direct-plain rainbow-xdp (default: all)
#   --quick           one short round with small numbers: checks that all of it works; its figures mean nothing
#   --output FILE     a document with the markers to write between (default docs/comparison.md; --quick: none)
#   --results FILE    keep the raw results, JSON lines
set -Eeuo pipefail
trap '[[ $BASHPID != "$$" ]] || printf "bench-peers: %s: exit code %d from: %s (%s:%d)\n" "$CONTENDER" $? "$BASH_COMMAND" "${BASH_SOURCE[0]##*/}" "$LINENO" >&2' ERR

# shellcheck source=tests/lab/ns.sh
source "$(dirname "$0")/../tests/lab/ns.sh"
# shellcheck source=tests/peers/contenders.sh
source "$LAB_ROOT/tests/peers/contenders.sh"
# shellcheck source=tests/peers/performance.sh
source "$LAB_ROOT/tests/peers/performance.sh"
# shellcheck source=tests/peers/behaviour.sh
source "$LAB_ROOT/tests/peers/behaviour.sh"

ROUNDS=7 CELL_MS=1000 CONNECTIONS=64 BULK=(--time 1)
SESSIONS=1000 COUNTED=2000 IDLE=8000    # idle: a proxy needs two descriptors a session, and may have no more than 20,000
SYNS=100000 SYN_RATE=60000              # a cell's
FLOOD_SYNS=300000                       # the row's: more than the default table of conntrack
PEERS_PROXY_CONNECTIONS=9500
PATIENCE_MS=10000                       # with a session that does not answer
CONTENDERS=("${PEERS_ALL[@]}")
ONLY='' OUTPUT=$LAB_ROOT/docs/comparison.md RESULTS=''
CONTENDER='' ROUND=0 CGROUP='' CGROUP_BEFORE=''

usage() {
	sed -n '8,16s/^# \{0,1\}//p' "$0"
}

quick() {
	ROUNDS=1 CELL_MS=300 CONNECTIONS=16 BULK=(--bytes 20M)
	SESSIONS=100 COUNTED=100 IDLE=100 SYNS=5000 SYN_RATE=25000 FLOOD_SYNS=10000
	OUTPUT=''
	CONTENDERS=(direct rainbow-tc nftables haproxy)
}

number() { # OPTION TEXT
	[[ $2 =~ ^[1-9][0-9]{0,3}$ ]] || { printf 'bench-peers: %s takes a number from 1 to 9999, not "%s"\n' "$1" "$2" >&2 && exit 2; }
	printf '%d' "$2"
}

parse() {
	local name

	[[ " $* " != *' --quick '* ]] || quick # first: the others change single numbers of it
	while (($# > 0)); do
		case $1 in
		--quick) ;;
		--rounds) ROUNDS=$(number "$1" "${2:-}") && shift ;;
		--seconds) CELL_MS=$(number "$1" "${2:-}")000 BULK=(--time "${2:-}") && shift ;;
		--contenders) read -ra CONTENDERS <<<"${2:-}" && shift ;;
		--only) ONLY=${2:-} && shift ;;
		--output) OUTPUT=$(realpath -m "${2:-}") && shift ;;
		--results) RESULTS=$(realpath -m "${2:-}") && shift ;;
		-h | --help) usage && exit 0 ;;
		*) usage >&2 && exit 2 ;;
		esac
		shift
	done
	[[ $ONLY =~ ^(performance|behaviour|)$ ]] ||
		{ printf 'bench-peers: --only takes performance or behaviour, not "%s"\n' "$ONLY" >&2 && exit 2; }
	for name in "${CONTENDERS[@]}"; do
		[[ " ${PEERS_ALL[*]} " == *" $name "* ]] ||
			{ printf 'bench-peers: no contender "%s"; there are %s\n' "$name" "${PEERS_ALL[*]}" >&2 && exit 2; }
	done
}

# Before the run, not behind it.
output_check() {
	[[ -z $OUTPUT ]] || { grep -qs 'bench-peers: begin' "$OUTPUT" && grep -qs 'bench-peers: end' "$OUTPUT"; } ||
		{ printf 'bench-peers: %s has no lines <!-- bench-peers: begin --> and <!-- bench-peers: end --> to write between\n' \
			"$OUTPUT" >&2 && exit 2; }
}

progress() { # WORDS...
	printf '[%4d s] %s\n' "$SECONDS" "$*"
}

# XDP needs complete checksums and frames no longer than the MTU; all others are as the machine is. direct-plain is the floor
# under the conditions of XDP.
offloads() {
	local wanted=on

	[[ $CONTENDER != direct-plain && $CONTENDER != rainbow-xdp ]] || wanted=off
	[[ $OFFLOADS == "$wanted" ]] || lab_offloads "$wanted"
	OFFLOADS=$wanted
}

contender_up() { # NAME
	CONTENDER=$1
	SERVICE=$(peers_address "$1")
	offloads
	peers_do up
}

# All processes of this run are in a cgroup, which counts their CPU time.
cgroup_enter() {
	local root

	root=$(findmnt -n -o TARGET -t cgroup2 | head -n 1) || root=
	CGROUP=$root/rainbow-peers-$LAB_ID
	CGROUP_BEFORE=$root$(sed -n 's/^0:://p' /proc/self/cgroup)
	[[ -n $root ]] && mkdir "$CGROUP" 2>/dev/null ||
		{ echo 'skipped: there is no cgroup2 that can be written to: CPU time can not be measured' && exit 77; }
	lab_at_exit cgroup_leave
	echo $$ >"$CGROUP/cgroup.procs"
}

# What still runs goes back, too; the lab ends it.
cgroup_leave() {
	lab_until 5 'the cgroup to be empty' cgroup_empty
}

cgroup_empty() {
	local pid

	while read -r pid; do
		echo "$pid" >"$CGROUP_BEFORE/cgroup.procs"
	done <"$CGROUP/cgroup.procs"
	rmdir "$CGROUP"
}

# Every contender in turn; every second round in the opposite order.
order_of_round() {
	printf '%s\n' "${CONTENDERS[@]}" | if ((ROUND % 2)); then cat; else tac; fi
}

performance() {
	local name names

	serve_start
	lab_spawn iperf3 backend1 iperf3 -s -p 5201
	lab_until 5 'iperf3 to listen' peers_accepts "$PEERS_BACKEND1" 5201
	for ((ROUND = 1; ROUND <= ROUNDS; ROUND++)); do
		mapfile -t names < <(order_of_round)
		for name in "${names[@]}"; do
			progress "round $ROUND of $ROUNDS: $name"
			contender_up "$name"
			cell_requests
			cell_connects
			cell_bulk
			cell_syns
			peers_do down
		done
	done
	lab_end iperf3
	lab_end serve1
	lab_end serve2
}

behaviour() {
	local name

	for name in "${CONTENDERS[@]}"; do
		[[ $name != direct* ]] || continue
		progress "behaviour and memory: $name"
		contender_up "$name"
		row_memory
		behaviour_rows
		peers_do down
	done
}

# The machine and the releases, for the head of the tables.
describe() {
	local name

	for name in "${CONTENDERS[@]}"; do
		case $name in
		rainbow-xdp | direct*) ;;
		*) printf '%s %s\n' "$name" "$("${name//-/_}_release")" ;;
		esac
	done | jq -Rn --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" --argjson cores "$(nproc)" \
		--arg kernel "$(uname -r)" --argjson rounds "$ROUNDS" --argjson ms "$CELL_MS" --argjson connections "$CONNECTIONS" \
		--argjson sessions "$SESSIONS" --argjson flood "$FLOOD_SYNS" --argjson counted "$COUNTED" --argjson syn_rate "$SYN_RATE" \
		--arg virtual "$(systemd-detect-virt 2>/dev/null || true)" \
		'{row: "machine", $cpu, $cores, $kernel, $virtual, $rounds, $ms, $connections, $sessions, $flood, $counted, $syn_rate,
		  releases: [inputs | split(" ") | {(.[0]): .[1]}] | add}' -c >>"$RESULTS"
}

main() {
	parse "$@"
	output_check
	((EUID == 0)) || { echo 'skipped: needs root: network namespaces, BPF' && exit 77; }
	ulimit -n "$(ulimit -Hn)"
	lab_up two-sided --backends 2
	OFFLOADS=on
	cgroup_enter
	RESULTS=${RESULTS:-$LAB_DIR/results.jsonl}
	: >"$RESULTS"
	for name in clients router backend1 backend2; do
		# One answer more to a SYN from nowhere, not five: what a flood leaves behind must not reach into the next cell.
		lab_in "$name" sysctl -q -w net.ipv4.tcp_synack_retries=1 net.ipv4.tcp_tw_reuse=1
	done
	lab_in switch sysctl -q -w net.bridge.bridge-nf-call-{iptables,ip6tables,arptables}=0 # a switch looks at no IP header
	lab_ip router route add blackhole 10.0.1.1
	! lab_ctl service add --help | grep -q -e --probe-idle || RAINBOW_CHAT=(--probe-idle 5s)
	describe
	[[ $ONLY == behaviour ]] || performance
	[[ $ONLY == performance ]] || behaviour
	progress 'done'
	if [[ -n $OUTPUT ]]; then
		"$LAB_ROOT/tests/peers/table.py" "$RESULTS" "$OUTPUT"
	else
		"$LAB_ROOT/tests/peers/table.py" "$RESULTS"
	fi
}

main "$@"
