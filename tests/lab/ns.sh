# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The lab: clients, a router and backends in network namespaces of this run. A bash library, to be sourced by the demo and
# the e2e tests; works under `set -euo pipefail`. Each run has names, a pin directory, a state directory and a socket of its
# own, so runs may go side by side. When the shell exits (also by INT, TERM, HUP) what the run made, and only that, is gone.
#
#   source tests/lab/ns.sh
#   lab_up two-sided --backends 3 --offloads off
#   lab_server 1 v1 tcp:8080                       # agent-server with label v1 in the namespace of backend 1
#   lab_rainbowd_start xdp                         # attached to the interfaces of the topology; returns when it answers
#   lab_ctl service add chat "$LAB_SERVICE4:80"
#   lab_ctl version add chat v1 --backend "$(lab_backend 1):8080"
#   lab_client load --to "$LAB_SERVICE4:80" --sessions 100
#   lab_tell load stats
#
# Addresses are the same in every topology: clients 10.1.0.2 and fd00:1::2 (and all of 10.1.64.0/18, fd00:1:64::/64); backend
# N 10.2.N.2 and fd00:2::N:2; the service 10.0.0.1 and fd00::1, which only the router leads to. Answers to 10.99.0.0/16 and
# fd00:99::/32 come to the clients and die there: sources for floods.

LAB_ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
LAB_BUILD=$(cd "$LAB_ROOT" && realpath -m "${BUILD:-build}")
printf -v LAB_ID '%d-%06x' $$ $((SRANDOM & 0xffffff))
LAB_DIR=
LAB_IPV6=$([[ ! -d /proc/sys/net/ipv6 ]] || echo yes) # empty on a kernel without it: then the lab is IPv4 only
PATH=$PATH:/usr/sbin:/sbin                            # ip, ethtool, bpftool
LAB_PINS=/sys/fs/bpf/rainbow-$LAB_ID
LAB_NAMESPACES=()
LAB_HOOKS=()    # the router's interfaces that rainbow attaches to
LAB_FAR_ENDS=() # namespace:interface of their peers
LAB_BACKENDS=0
LAB_KEEP=${LAB_KEEP:-} # set: keep the directory with logs and state
# shellcheck disable=SC2034 # for those who source this
{
	LAB_SERVICE4=10.0.0.1
	LAB_SERVICE6=fd00::1
	LAB_CLIENT4=10.1.0.2
	LAB_CLIENT6=fd00:1::2
}
LAB_CLEANUPS=()
LAB_BATCHING=           # set: lab_ip collects, for _lab_batch_run
declare -gA LAB_BATCH=() # by full namespace, and "-" for that of the machine: lines for `ip -batch`

# shellcheck source=tests/lab/programs.sh
source "$LAB_ROOT/tests/lab/programs.sh"
# shellcheck source=tests/lab/look.sh
source "$LAB_ROOT/tests/lab/look.sh"

lab_say() {
	printf 'lab: %s\n' "$*" >&2
}

# --- namespaces and links --------------------------------------------------------------------------------------------------

lab_namespace() { # clients|router|switch|backendN
	printf 'rainbow-%s-%s' "$LAB_ID" "$1"
}

# Runs a command in a namespace. Not by `ip netns exec`: that mounts a fresh /sys, which hides the bpffs.
lab_in() { # NAMESPACE COMMAND...
	local where=$1

	shift
	nsenter --net="/run/netns/rainbow-$LAB_ID-$where" -- "$@"
}

lab_ip() { # NAMESPACE IP-ARGUMENTS...
	local where=rainbow-$LAB_ID-$1

	shift
	if [[ -n $LAB_BATCHING ]]; then
		LAB_BATCH[$where]+=$*$'\n'
	else
		ip -n "$where" "$@"
	fi
}

# What was collected: first the links, then each namespace's own, in the order of the calls.
_lab_batch_run() {
	local namespace

	LAB_BATCHING=''
	ip -batch - <<<"${LAB_BATCH[-]:-}"
	unset 'LAB_BATCH[-]'
	for namespace in "${!LAB_BATCH[@]}"; do
		ip -n "$namespace" -batch - <<<"${LAB_BATCH[$namespace]}"
	done
	LAB_BATCH=()
}

_lab_ip6() { # NAMESPACE IP-ARGUMENTS...: the address tells ip the family
	[[ -z $LAB_IPV6 ]] || lab_ip "$@"
}

lab_backend() { # N [4|6]: the address of backend N; IPv6 in brackets, ready for a port
	if [[ ${2:-4} == 6 ]]; then
		printf '[fd00:2::%x:2]' "$1"
	else
		printf '10.2.%d.2' "$1"
	fi
}

_lab_namespace_add() { # NAME [forwards]
	local namespace settings

	namespace=rainbow-$LAB_ID-$1
	ip netns add "$namespace"
	LAB_NAMESPACES+=("$namespace")
	# One sysctl call: they are inherited from the machine, so none may be left to chance.
	settings=(net.ipv4.conf.{all,default}.rp_filter=0 net.ipv4.conf.{all,default}.accept_redirects=0
		net.ipv4.conf.{all,default}.send_redirects=0 net.ipv4.ip_local_port_range='1024 65535'
		net.core.somaxconn=8192 net.ipv4.tcp_max_syn_backlog=8192)
	[[ ${2:-} != forwards ]] || settings+=(net.ipv4.ip_forward=1)
	if [[ -n $LAB_IPV6 ]]; then
		settings+=(net.ipv6.conf.{all,default}.disable_ipv6=0 net.ipv6.conf.{all,default}.accept_dad=0
			net.ipv6.conf.{all,default}.accept_ra=0 net.ipv6.conf.{all,default}.accept_redirects=0)
		[[ ${2:-} != forwards ]] || settings+=(net.ipv6.conf.all.forwarding=1)
	fi
	lab_in "$1" sysctl -q -w "${settings[@]}"
	lab_ip "$1" link set lo up
}

# A veth pair, each end made in its namespace: nothing ever appears in the namespace of the machine.
_lab_wire() { # NAMESPACE INTERFACE NAMESPACE INTERFACE
	local words=(link add name "$2" netns "rainbow-$LAB_ID-$1" type veth peer name "$4" netns "rainbow-$LAB_ID-$3")

	if [[ -n $LAB_BATCHING ]]; then
		LAB_BATCH[-]+=${words[*]}$'\n'
	else
		ip "${words[@]}"
	fi
	lab_ip "$1" link set "$2" up
	lab_ip "$3" link set "$4" up
}

_lab_bridge() { # NAMESPACE BRIDGE
	lab_ip "$1" link add "$2" type bridge mcast_snooping 0
	lab_ip "$1" link set "$2" up
}

_lab_address() { # NAMESPACE INTERFACE ADDRESS/LENGTH...
	local where=$1 interface=$2 address nodad

	shift 2
	for address in "$@"; do
		nodad=()
		if [[ $address == *:* ]]; then
			[[ -n $LAB_IPV6 ]] || continue
			nodad=(nodad)
		fi
		lab_ip "$where" address add "$address" dev "$interface" "${nodad[@]}"
	done
}

_lab_clients_configure() {
	_lab_address clients eth0 10.1.0.2/24 fd00:1::2/64
	lab_ip clients route add default via 10.1.0.1
	_lab_ip6 clients route add default via fd00:1::1
	# Any address of these ranges is the client's own: many clients without many addresses.
	lab_ip clients route add local 10.1.64.0/18 dev lo
	_lab_ip6 clients route add local fd00:1:64::/64 dev lo
	[[ -z $LAB_IPV6 ]] || lab_in clients sysctl -q -w net.ipv6.ip_nonlocal_bind=1
}

_lab_router_configure() { # INTERFACE towards the clients
	local range

	_lab_address router "$1" 10.1.0.1/24 fd00:1::1/64
	for range in 10.1.64.0/18 10.99.0.0/16; do
		lab_ip router route add "$range" via 10.1.0.2
	done
	for range in fd00:1:64::/64 fd00:99::/32; do
		_lab_ip6 router route add "$range" via fd00:1::2
	done
}

# A backend on a net that it shares with the others, or (alone) on one of its own with the router.
_lab_backend_configure() { # N shared|alone
	local hex

	printf -v hex %x "$1"
	if [[ $2 == shared ]]; then
		_lab_address "backend$1" eth0 "10.2.$1.2/16" "fd00:2::$hex:2/64"
		lab_ip "backend$1" route add default via 10.2.0.1
		_lab_ip6 "backend$1" route add default via fd00:2::1
	else
		_lab_address "backend$1" eth0 "10.2.$1.2/24" "fd00:2::$hex:2/112"
		_lab_address router "backend$1" "10.2.$1.1/24" "fd00:2::$hex:1/112"
		lab_ip "backend$1" route add default via "10.2.$1.1"
		_lab_ip6 "backend$1" route add default via "fd00:2::$hex:1"
	fi
}

# Local containers: rainbow sees the client-facing interface only, the stack routes to each backend's own link.
#   clients eth0 --- client0 [router] backend1 --- eth0 backend1 ...
_lab_build_routed() {
	local n

	_lab_wire clients eth0 router client0
	_lab_router_configure client0
	for ((n = 1; n <= LAB_BACKENDS; n++)); do
		_lab_wire "backend$n" eth0 router "backend$n"
		_lab_backend_configure "$n" alone
	done
	LAB_HOOKS=(client0)
	LAB_FAR_ENDS=(clients:eth0)
}

# The same with all backends on one bridge of the router, as container engines do it.
_lab_build_bridged() {
	local n

	_lab_wire clients eth0 router client0
	_lab_router_configure client0
	_lab_bridge router bridge0
	_lab_address router bridge0 10.2.0.1/16 fd00:2::1/64
	for ((n = 1; n <= LAB_BACKENDS; n++)); do
		_lab_wire "backend$n" eth0 router "backend$n"
		lab_ip router link set "backend$n" master bridge0
		_lab_backend_configure "$n" shared
	done
	LAB_HOOKS=(client0)
	LAB_FAR_ENDS=(clients:eth0)
}

_lab_switch_backends() {
	local n

	for ((n = 1; n <= LAB_BACKENDS; n++)); do
		_lab_wire "backend$n" eth0 switch "backend$n"
		lab_ip switch link set "backend$n" master switch0
		_lab_backend_configure "$n" shared
	done
}

# A router with two NICs, both attached.
#   clients eth0 --- client0 [router] lan0 --- switch --- eth0 backend1 ...
_lab_build_two_sided() {
	_lab_namespace_add switch
	_lab_bridge switch switch0
	_lab_wire clients eth0 router client0
	_lab_router_configure client0
	_lab_wire router lan0 switch router
	lab_ip switch link set router master switch0
	_lab_address router lan0 10.2.0.1/16 fd00:2::1/64
	_lab_switch_backends
	LAB_HOOKS=(client0 lan0)
	LAB_FAR_ENDS=(clients:eth0 switch:router)
}

# Everything on one switch: a packet leaves the router by the NIC it came in by.
#   clients eth0 --- switch --- lan0 [router]
#   backends eth0 ---/
_lab_build_one_armed() {
	_lab_namespace_add switch
	_lab_bridge switch switch0
	_lab_wire clients eth0 switch clients
	_lab_wire router lan0 switch router
	lab_ip switch link set clients master switch0
	lab_ip switch link set router master switch0
	_lab_router_configure lan0
	_lab_address router lan0 10.2.0.1/16 fd00:2::1/64
	_lab_switch_backends
	LAB_HOOKS=(lan0)
	LAB_FAR_ENDS=(switch:router)
}

_lab_veths() { # FULL-NAMESPACE: the names of its veth links
	ip -n "$1" -o link show type veth | sed 's/^[0-9]*: \([^@:]*\).*/\1/'
}

# Offloads of every link. off: frames carry complete checksums and are no longer than the MTU, as on a wire, which XDP
# needs. GRO is on in both cases: with it a veth has NAPI, and without NAPI it takes no frame that XDP redirects. The far
# ends of the router's links get a program that passes all, without which they take no frame by XDP_TX (see pass.bpf.c).
# By one small shell, which forks cheaply.
lab_offloads() { # on|off
	local interface

	sh -s "$1" "${LAB_NAMESPACES[@]}" >/dev/null <<-'END'
		set -e
		wanted=$1
		shift
		for namespace in "$@"; do
			for interface in $(ip -n "$namespace" -o link show type veth | sed 's/^[0-9]*: \([^@:]*\).*/\1/'); do
				nsenter --net="/run/netns/$namespace" -- ethtool -K "$interface" gro on tx "$wanted" tso "$wanted" gso "$wanted"
			done
		done
	END
	for interface in "${LAB_FAR_ENDS[@]}"; do
		if [[ $1 == off ]]; then
			lab_ip "${interface%:*}" link set dev "${interface#*:}" xdp object \
				"$LAB_BUILD/tests/lab/pass.bpf.o" section xdp
		else
			lab_ip "${interface%:*}" link set dev "${interface#*:}" xdp off
		fi
	done
}

# Makes the namespaces. --service-address local assigns the service's addresses to the router itself (not the default: the
# router then takes what rainbow passes).
lab_up() { # routed|bridged|two-sided|one-armed [--backends N] [--service-address none|local] [--offloads on|off] [--mtu N]
	local topology=$1 service=none offloads=on mtu='' n

	LAB_BACKENDS=2
	shift
	while (($# > 1)); do
		case $1 in
		--backends) LAB_BACKENDS=$2 ;;
		--service-address) service=$2 ;;
		--offloads) offloads=$2 ;;
		--mtu) mtu=$2 ;;
		*) lab_say "lab_up: no option $1" && return 2 ;;
		esac
		shift 2
	done
	((EUID == 0)) || { lab_say 'needs root: network namespaces' && return 1; }
	((LAB_BACKENDS >= 1 && LAB_BACKENDS <= 200)) || { lab_say "1 to 200 backends, not $LAB_BACKENDS" && return 2; }
	_lab_prepare
	_lab_namespace_add clients
	_lab_namespace_add router forwards
	for ((n = 1; n <= LAB_BACKENDS; n++)); do
		_lab_namespace_add "backend$n"
	done
	LAB_BATCHING=yes
	case $topology in
	routed) _lab_build_routed ;;
	bridged) _lab_build_bridged ;;
	two-sided) _lab_build_two_sided ;;
	one-armed) _lab_build_one_armed ;;
	*) LAB_BATCHING='' && lab_say "lab_up: no topology $topology" && return 2 ;;
	esac
	_lab_clients_configure
	[[ $service == none ]] || _lab_address router lo "$LAB_SERVICE4/32" "$LAB_SERVICE6/128"
	_lab_batch_run
	[[ -z $mtu ]] || _lab_mtu "$mtu"
	lab_offloads "$offloads"
}

_lab_mtu() { # BYTES, on every link
	local namespace interface

	for namespace in "${LAB_NAMESPACES[@]}"; do
		for interface in $(_lab_veths "$namespace"); do
			ip -n "$namespace" link set "$interface" mtu "$1"
		done
	done
}

# --- the end ---------------------------------------------------------------------------------------------------------------

# A command to be run first in the cleanup.
lab_at_exit() { # COMMAND...
	LAB_CLEANUPS+=("$(printf '%q ' "$@")")
}

_lab_prepare() {
	LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/rainbow-lab.XXXXXX")
	mkdir "$LAB_DIR/state"
	_lab_eye_open
	trap '_lab_exit $?' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

_lab_exit() { # EXIT-CODE
	local code=$1

	trap '' HUP INT TERM
	trap - EXIT
	set +e
	lab_down
	_lab_eye_close
	exit "$code"
}

# Removes rainbow from the kernel: by rainbowd itself, and whatever that left by its name.
_lab_detach() {
	[[ -d $LAB_PINS ]] || return 0
	if [[ -x ${LAB_RAINBOWD:-$LAB_BUILD/rainbowd} ]]; then
		lab_in router timeout -k 1 10 "${LAB_RAINBOWD:-$LAB_BUILD/rainbowd}" --detach --pin-dir "$LAB_PINS" \
			--state-dir "$LAB_DIR/state" --socket "$LAB_DIR/rainbow.sock" >>"$LAB_DIR/detach.log" 2>&1 || true
	fi
	[[ ! -d $LAB_PINS ]] || rm -rf -- "$LAB_PINS"
}

# Whatever runs inside was started by this run: a process and a namespace are of the same file.
_lab_namespaces_delete() {
	local ours=' ' inode file

	while read -r inode file; do
		case $file in
		/run/netns/*) ours+="$inode " ;;
		*) [[ $ours != *" $inode "* ]] || { file=${file#/proc/} && kill -s KILL "${file%%/*}" 2>/dev/null || true; } ;;
		esac
	done < <(stat -Lc '%i %n' "${LAB_NAMESPACES[@]/#//run/netns/}" /proc/[0-9]*/ns/net 2>/dev/null)
	printf 'netns delete %s\n' "${LAB_NAMESPACES[@]}" | ip -force -batch - 2>/dev/null || true
}

# Removes all that this run made. Called by the trap; calling it by hand, to build another lab, is fine.
lab_down() {
	local command name

	for command in "${LAB_CLEANUPS[@]}"; do
		eval "$command" || true
	done
	LAB_CLEANUPS=()
	for name in "${!LAB_PID[@]}"; do
		kill -s TERM "${LAB_PID[$name]}" 2>/dev/null || true
	done
	for name in "${!LAB_PID[@]}"; do
		lab_end "$name" 0 # a second TERM would cut short what it does at its end: the leak check of a sanitizer
	done
	((${#LAB_NAMESPACES[@]} == 0)) || _lab_detach
	((${#LAB_NAMESPACES[@]} == 0)) || _lab_namespaces_delete
	LAB_NAMESPACES=()
	LAB_HOOKS=()
	LAB_FAR_ENDS=()
	if [[ -n $LAB_KEEP ]]; then
		lab_say "kept: $LAB_DIR"
	elif [[ -n $LAB_DIR ]]; then
		rm -rf -- "$LAB_DIR"
	fi
	LAB_DIR=
}
