# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The contenders of the comparison, each behind the same verbs: NAME_up and NAME_down; NAME_weights V1 V2 (percent of new
# sessions), NAME_drain and NAME_undrain (of v1), NAME_reload, NAME_crash (kill -9 and start again), NAME_counts (live sessions of `chat` as it
# tells them, JSON by version; "null": it can not tell), NAME_note (what that is), NAME_release. Sourced by bench-peers.sh.
#
# Each has a service address of its own, since TIME_WAIT sockets that a proxy leaves on an address spoil it for a router. At
# that address there are: load :80 and chat :81, half and half to v1 on backend 1 and v2 on backend 2, and bulk :5201 to v1.

readonly PEERS_ALL=(direct rainbow-tc nftables haproxy nginx direct-plain rainbow-xdp)
readonly PEERS_BACKEND1=10.2.1.2 PEERS_BACKEND2=10.2.2.2

SERVICE=''       # the address of the contender that is up
TARGETS=()       # by peers_targets
RAINBOW_CHAT=()  # further options of rainbow's service `chat`

peers_do() { # VERB [ARGUMENTS...]: of the contender that is up
	local verb=$1

	shift
	"${CONTENDER//-/_}_$verb" "$@"
}

peers_address() { # CONTENDER
	local i

	for i in "${!PEERS_ALL[@]}"; do
		[[ ${PEERS_ALL[i]} != "$1" ]] || printf '10.0.0.%d' $((10 + i))
	done
}

peers_is_direct() {
	[[ $CONTENDER == direct* ]]
}

# Where clients dial: both backends by turns without a router.
# shellcheck disable=SC2034 # TARGETS is for those who source this
peers_targets() { # PORT BACKEND-PORT: --to ... for `load`, in TARGETS
	if peers_is_direct; then
		TARGETS=(--to "$PEERS_BACKEND1:$2" --to "$PEERS_BACKEND2:$2")
	else
		TARGETS=(--to "$SERVICE:$1")
	fi
}

# Ends a program and its children, all by KILL.
peers_kill_family() { # NAME
	local pid=${LAB_PID[$1]} children

	children=$(cat "/proc/$pid/task/$pid/children")
	# shellcheck disable=SC2086 # several
	kill -s KILL "$pid" $children
	lab_end "$1" KILL
	for pid in $children; do
		lab_until 5 "$1's process $pid to end" peers_is_gone "$pid"
	done
}

peers_is_gone() { # PID
	! kill -0 "$1"
}

# The proxies take the service's address for the router's own.
peers_address_take() {
	lab_ip router address add "$SERVICE/32" dev lo
}

peers_address_drop() {
	lab_ip router address delete "$SERVICE/32" dev lo
}

peers_accepts() { # ADDRESS PORT
	lab_in clients timeout 1 bash -c ": </dev/tcp/$1/$2"
}

# --- direct: the router forwards, and that is all -------------------------------------------------------------------------------

direct_up() { :; }
direct_down() { :; }
direct_release() { uname -r; }
direct_plain_up() { :; }
direct_plain_down() { :; }

# --- rainbow ---------------------------------------------------------------------------------------------------------------

rainbow_up() { # KIND
	RAINBOW_KIND=$1
	rm -rf "$LAB_DIR/state"
	mkdir "$LAB_DIR/state"
	lab_rainbowd_start "$1"
	{
		lab_ctl service add load "$SERVICE:80"
		lab_ctl service add bulk "$SERVICE:5201"
		lab_ctl service add chat "$SERVICE:81" "${RAINBOW_CHAT[@]}"
		lab_ctl version add load l1 --backend "$PEERS_BACKEND1:8080"
		lab_ctl version add load l2 --backend "$PEERS_BACKEND2:8080"
		lab_ctl version add bulk b1 --backend "$PEERS_BACKEND1:5201"
		lab_ctl version add chat v1 --backend "$PEERS_BACKEND1:8081"
		lab_ctl version add chat v2 --backend "$PEERS_BACKEND2:8081"
		lab_ctl set-weight load l2=50 l1
	} >>"$LAB_DIR/rainbowctl.log" 2>&1
	rainbow_tc_weights 50 50
}

rainbow_ctl() { # RAINBOWCTL-ARGUMENTS...: quietly
	lab_ctl "$@" >>"$LAB_DIR/rainbowctl.log" 2>&1
}

rainbow_tc_up() { rainbow_up tc; }
rainbow_tc_down() {
	lab_rainbowd_stop
	_lab_detach
}
rainbow_tc_weights() { rainbow_ctl set-weight chat "v2=$2" v1; }
rainbow_tc_drain() { rainbow_ctl drain chat v1 --deadline 1h; }
rainbow_tc_undrain() { rainbow_ctl undrain chat v1; }
rainbow_tc_reload() {
	lab_rainbowd_stop
	lab_rainbowd_start "$RAINBOW_KIND"
}
rainbow_tc_crash() {
	lab_rainbowd_kill
	lab_rainbowd_start "$RAINBOW_KIND"
}
rainbow_tc_counts() { lab_ctl status chat -o json | jq -c '[.services[0].versions[] | {(.label): .sessions.live}] | add'; }
rainbow_tc_note() { printf 'rainbowctl status'; }
rainbow_tc_release() { "$LAB_BUILD/rainbowd" --version | sed 's/^rainbowd \([^ ]*\).*/\1/'; }

rainbow_xdp_up() { rainbow_up xdp; }
rainbow_xdp_down() { rainbow_tc_down; }
rainbow_xdp_weights() { rainbow_tc_weights "$@"; }
rainbow_xdp_drain() { rainbow_tc_drain; }
rainbow_xdp_undrain() { rainbow_tc_undrain; }
rainbow_xdp_reload() { rainbow_tc_reload; }
rainbow_xdp_crash() { rainbow_tc_crash; }
rainbow_xdp_counts() { rainbow_tc_counts; }
rainbow_xdp_note() { rainbow_tc_note; }

# --- nftables: DNAT by a weighted map -----------------------------------------------------------------------------------------

nftables_rule() { # PORT BACKEND-PORT PERCENT-OF-V1
	local map="0-99 : $PEERS_BACKEND2"

	if (($3 == 100)); then
		map="0-99 : $PEERS_BACKEND1"
	elif (($3 > 0)); then
		map="0-$(($3 - 1)) : $PEERS_BACKEND1, $3-99 : $PEERS_BACKEND2"
	fi
	printf 'ip daddr %s tcp dport %d dnat to numgen random mod 100 map { %s } : %d\n' "$SERVICE" "$1" "$map" "$2"
}

# The whole table, replaced in one transaction.
nftables_load() { # PERCENT-OF-V1
	NFTABLES_SHARE=$1
	{
		printf 'table ip peers\ndelete table ip peers\ntable ip peers {\nchain peers {\n'
		printf 'type nat hook prerouting priority dstnat;\n'
		nftables_rule 80 8080 50
		nftables_rule 81 8081 "$1"
		nftables_rule 5201 5201 100
		printf '}\n}\n'
	} | lab_in router nft -f -
}

nftables_up() { nftables_load 50; }
nftables_down() {
	lab_in router nft delete table ip peers
	lab_in router conntrack -F 2>/dev/null
}
nftables_weights() { nftables_load "$1"; }
nftables_drain() { nftables_load 0; }
nftables_undrain() { nftables_load 50; }
nftables_reload() { nftables_load "$NFTABLES_SHARE"; }
nftables_crash() { # it has no process: the ruleset goes, and comes back
	lab_in router nft flush ruleset
	sleep 0.2
	nftables_load "$NFTABLES_SHARE"
}
nftables_counts() {
	lab_in router conntrack -L -p tcp --orig-dst "$SERVICE" --orig-port-dst 81 --state ESTABLISHED 2>/dev/null |
		awk -v one="src=$PEERS_BACKEND1" '{ $5 = ""; n[index($0, one " ") ? "v1" : "v2"]++ }
			END { printf "{\"v1\":%d,\"v2\":%d}\n", n["v1"], n["v2"] }'
}
nftables_note() { printf 'conntrack -L, counted by hand'; }
nftables_release() { nft --version | sed 's/^nftables v\([^ ]*\).*/\1/'; }

# --- HAProxy, mode tcp -----------------------------------------------------------------------------------------------------

haproxy_listener() { # NAME PORT BACKEND-PORT BOTH
	printf 'listen %s\n\tbind %s:%d backlog 8192\n\tbalance roundrobin\n' "$1" "$SERVICE" "$2"
	printf '\tserver v1 %s:%d weight 50\n' "$PEERS_BACKEND1" "$3"
	[[ $4 == no ]] || printf '\tserver v2 %s:%d weight 50\n' "$PEERS_BACKEND2" "$3"
}

haproxy_start() {
	lab_spawn haproxy router haproxy -W -db -f "$LAB_DIR/haproxy.cfg"
	lab_until 10 'HAProxy to listen' peers_accepts "$SERVICE" 5201
}

haproxy_up() {
	peers_address_take
	{
		printf 'global\n\tmaxconn %d\n' "$PEERS_PROXY_CONNECTIONS"
		printf '\tstats socket %s/haproxy.sock mode 600 level admin expose-fd listeners\n' "$LAB_DIR"
		printf 'defaults\n\tmode tcp\n\ttimeout connect 5s\n\ttimeout client 24h\n\ttimeout server 24h\n'
		printf '\tmaxconn %d\n' "$PEERS_PROXY_CONNECTIONS"
		haproxy_listener load 80 8080 yes
		haproxy_listener chat 81 8081 yes
		haproxy_listener bulk 5201 5201 no
	} >"$LAB_DIR/haproxy.cfg"
	haproxy_start
}

haproxy_down() {
	peers_kill_family haproxy
	peers_address_drop
}

haproxy_say() { # COMMAND: to the stats socket; several with ; between
	socat -t 5 - "UNIX-CONNECT:$LAB_DIR/haproxy.sock" <<<"$1"
}

haproxy_weights() {
	haproxy_say "set server chat/v1 weight $1; set server chat/v2 weight $2" >/dev/null
}
haproxy_drain() { haproxy_say 'set server chat/v1 state drain' >/dev/null; }
haproxy_undrain() { haproxy_say 'set server chat/v1 state ready' >/dev/null; }
haproxy_worker() { haproxy_say 'show info' 2>/dev/null | sed -n 's/^Pid: //p'; }
haproxy_is_reloaded() { [[ $(haproxy_worker) != "$1" ]]; }
haproxy_reload() {
	local worker

	worker=$(haproxy_worker)
	kill -s USR2 "${LAB_PID[haproxy]}"
	lab_until 10 'HAProxy to reload' haproxy_is_reloaded "$worker"
}
haproxy_crash() {
	peers_kill_family haproxy
	haproxy_start
}
haproxy_counts() {
	haproxy_say 'show stat' | awk -F, '$1 == "chat" && $2 ~ /^v/ { n[$2] = $5 }
		END { printf "{\"v1\":%d,\"v2\":%d}\n", n["v1"], n["v2"] }'
}
haproxy_note() { printf 'show stat: scur'; }
haproxy_release() { haproxy -v | sed -n '1s/^HAProxy version \([^- ]*\).*/\1/p'; }

# --- nginx, stream ---------------------------------------------------------------------------------------------------------

nginx_upstream() { # NAME BACKEND-PORT PERCENT-OF-V1
	printf 'upstream %s {\n' "$1"
	(($3 == 0)) || printf '\tserver %s:%d weight=%d;\n' "$PEERS_BACKEND1" "$2" "$3"
	(($3 == 100)) || printf '\tserver %s:%d weight=%d;\n' "$PEERS_BACKEND2" "$2" $((100 - $3))
	printf '}\n'
}

nginx_configure() { # PERCENT-OF-V1
	{
		printf 'load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nuser root;\nworker_processes auto;\n'
		printf 'pid %s/nginx.pid;\nerror_log %s/nginx.log warn;\n' "$LAB_DIR" "$LAB_DIR"
		printf 'worker_rlimit_nofile %d;\nevents {\n\tworker_connections %d;\n}\nstream {\n' \
			"$(ulimit -Hn)" "$((2 * PEERS_PROXY_CONNECTIONS))"
		nginx_upstream load 8080 50
		nginx_upstream chat 8081 "$1"
		nginx_upstream bulk 5201 100
		printf 'proxy_timeout 24h;\nproxy_connect_timeout 5s;\n'
		printf 'server {\n\tlisten %s:80 backlog=8192;\n\tproxy_pass load;\n}\n' "$SERVICE"
		printf 'server {\n\tlisten %s:81 backlog=8192;\n\tproxy_pass chat;\n}\n' "$SERVICE"
		printf 'server {\n\tlisten %s:5201 backlog=8192;\n\tproxy_pass bulk;\n}\n' "$SERVICE"
		printf '}\n'
	} >"$LAB_DIR/nginx.conf"
}

nginx_start() {
	rm -f "$LAB_DIR/nginx.pid"
	lab_spawn nginx router nginx -c "$LAB_DIR/nginx.conf" -g 'daemon off;'
	lab_until 10 'nginx to listen' peers_accepts "$SERVICE" 5201
}

nginx_up() {
	peers_address_take
	nginx_configure 50
	nginx_start
}
nginx_down() {
	peers_kill_family nginx
	peers_address_drop
}
nginx_workers() { cat "/proc/${LAB_PID[nginx]}/task/${LAB_PID[nginx]}/children"; }
# New workers come beside the old, which keep their sessions.
nginx_has_news() { [[ -n $(comm -13 <(tr ' ' '\n' <<<"$1" | sort) <(nginx_workers | tr ' ' '\n' | sort)) ]]; }
nginx_reload() {
	local workers

	workers=$(nginx_workers)
	kill -s HUP "${LAB_PID[nginx]}"
	lab_until 10 'nginx to reload' nginx_has_news "$workers"
}
nginx_weights() {
	nginx_configure "$1"
	nginx_reload
}
nginx_drain() { nginx_weights 0; }
nginx_undrain() { nginx_weights 50; }
nginx_crash() {
	peers_kill_family nginx
	nginx_start
}
nginx_counts() { printf 'null\n'; }
nginx_note() { printf 'not told'; }
nginx_release() { nginx -v 2>&1 | sed 's,.*/,,'; }
