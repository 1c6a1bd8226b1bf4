#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What rainbowctl shows: status -o json has the shape that is promised, every read has JSON, whois and explain tell the truth,
# completion and help work, a drain can be waited for, and bpftool shows the same without rainbowd.
# Takes 15 s.
source "$(dirname "$0")/lib.sh"

# The promised shape, with the type of each value; `| null` where unknown is possible.
status_shape() {
	"$E2E_PYTHON" - "$LAB_DIR/status.json" <<'END'
import json, re, sys

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
number, text, maybe_number, maybe_text = (int, float), str, (int, float, type(None)), (str, type(None))
SERVICE = dict(name=text, address=text, port=int, protocol=text, mode=text, affinity=text, selection=text,
               generation=int, versions=list)
VERSION = dict(label=text, state=text, weight=number, share_of_new=maybe_number, sessions=dict, oldest_seconds=maybe_number,
               drain=(dict, type(None)), tuple=dict, backends=list)
SESSIONS = dict(live=int, closing=int, opened=int, ended=dict, refused=int)
ENDED = dict(fin=int, reset_client=int, reset_server=int, idle=int, forced=int, vanished=int)
DRAIN = dict(started=text, deadline=maybe_text, on_deadline=text, remaining=int, eta_seconds=maybe_number,
             eta_p90_seconds=maybe_number, eta_basis=text, duties=dict)
TUPLE = dict(code=maybe_text, model=maybe_text, prompts=maybe_text, tools=maybe_text)
BACKEND = dict(address=text, port=int, healthy=(bool, type(None)), live=int, max_sessions=(int, type(None)))

def check(where, value, shape):
    for key, kind in shape.items():
        if key not in value:
            sys.exit(f"{where}: {key} is missing")
        if not isinstance(value[key], kind) or (isinstance(value[key], bool) and kind in (int, number)):
            sys.exit(f"{where}.{key}: {value[key]!r}")
    return value

status = json.load(open(sys.argv[1]))
check("status", status, dict(services=list, count_drift=maybe_number))
for service in status["services"]:
    check("service", service, SERVICE)
    assert service["protocol"] in ("tcp", "udp") and service["mode"] == "nat"
    for version in service["versions"]:
        check("version", version, VERSION)
        assert version["state"] in ("active", "draining", "drained"), version["state"]
        sessions = check("sessions", version["sessions"], SESSIONS)
        ended = check("ended", sessions["ended"], ENDED)
        assert sessions["opened"] == sessions["live"] + sum(ended.values()), sessions
        check("tuple", version["tuple"], TUPLE)
        assert (version["drain"] is not None) == (version["state"] != "active"), version
        if version["drain"]:
            drain = check("drain", version["drain"], DRAIN)
            assert TIME.match(drain["started"]) and (drain["deadline"] is None or TIME.match(drain["deadline"])), drain
            assert drain["on_deadline"] in ("reset", "hold")
        for backend in version["backends"]:
            check("backend", backend, BACKEND)
    assert sum(v["weight"] for v in service["versions"]) in (0, 100)
print(len(status["services"]), "services of the right shape")
END
}

expect_shape() {
	lab_ctl status -o json >"$LAB_DIR/status.json"
	expect_code 0 status_shape
	say "$E2E_OUT"
}

# Here by rainbowctl, always: it is what is tested.
json() { # JQ-FILTER RAINBOWCTL-ARGUMENTS...
	lab_ctl "${@:2}" -o json | jq -r "$1"
}

prepare() {
	serve_agents 3
	ctl service add empty 10.0.0.8:80/udp
	add_service chat 4 2 --selection exact
	ctl version add chat v3 --backend "$(lab_backend 3):8080,max=7" --code 3f9c2ab --model sonnet --prompts p9 --tools t1
	ctl set-weight chat v1=50 v2
	ctl steer add chat 10.1.65.0/24 v3
	# P9: what is not known is null, not 0.
	expect_eq 'what is unknown before any session' \
		"$(version_json chat v1 '[.share_of_new, .oldest_seconds, .backends[0].healthy] | @json')" '[null,null,null]'
	lab_client some --to "$(at_service 4)" --sessions 6 --interval 0 --from 10.1.64.7 --ports 5000-5005
	lab_until_stat some 10 '.live == 6'
	lab_client tester --to "$(at_service 4)" --sessions 1 --interval 0 --from 10.1.65.7 --ports 6000-6000
	lab_until_stat tester 10 '.live == 1'
}

reads() {
	local words port server

	part 'shapes'
	expect_shape
	for words in 'service list' 'version list' 'version list chat' 'steer list' 'status chat' 'sessions chat' \
		'whois 10.1.64.7:5000' 'explain chat 10.1.64.7:5000' doctor; do
		# shellcheck disable=SC2086 # words
		lab_ctl $words -o json 2>"$LAB_DIR/read.log" | jq -e 'type == "object"' >/dev/null || [[ $words == doctor ]] ||
			fail "rainbowctl $words -o json: $(cat "$LAB_DIR/read.log")"
		# shellcheck disable=SC2086
		[[ $words == doctor ]] || expect_code 0 lab_ctl $words
	done
	expect_eq 'status without a word' "$(lab_ctl -o json | jq '.services | map(.name)')" "$(json '.services | map(.name)' status)"
	expect_match 'doctor' "$(lab_ctl doctor -o json | jq -r '.checks | map(.verdict) | unique | join(" ")')" 'ok'
	expect_eq 'tuple of v3' "$(version_json chat v3 '.tuple | "\(.code) \(.model) \(.prompts) \(.tools)"')" '3f9c2ab sonnet p9 t1'

	part 'whois and sessions tell the truth'
	expect_eq 'sessions' "$(json .total sessions chat)" 7
	expect_eq 'sessions of v3' "$(json '.sessions[] | "\(.client) \(.version) \(.state)"' sessions chat --version v3)" \
		'10.1.65.7:6000 v3 live'
	expect_eq 'sessions at most' "$(json '.sessions | length' sessions chat --limit 2)" 2
	for port in {5000..5005}; do
		server=$(json '.sessions[0] | "\(.version) \(.backend)"' whois "10.1.64.7:$port")
		expect_eq "the server that has 10.1.64.7:$port" "$(server_of "$port")" "$server"
	done
}

# Whose stack has a connection of this client port: "LABEL BACKEND".
server_of() { # PORT
	local n

	for n in 1 2 3; do
		[[ -z $(lab_in "backend$n" ss -Htn state established "dport = :$1") ]] || printf 'v%d %s:8080' "$n" "$(lab_backend "$n")"
	done
}

explains() {
	local port foretold

	part 'explain foretells'
	expect_match 'a steered client' "$(json '"\(.version) \(.rule)"' explain chat 10.1.65.9:1000)" '^v3 steer'
	expect_match 'a client of before' "$(json '.rule' explain chat 10.1.64.7:5000)" '^session'
	ctl service add hashed "$(at_service 4 81)" --selection hash
	ctl version add hashed h1 --backend "$(lab_backend 1):8081"
	ctl version add hashed h2 --backend "$(lab_backend 2):8081"
	ctl set-weight hashed h1=50 h2
	for port in {7000..7019}; do
		foretold=$(json .version explain hashed "10.1.64.8:$port")
		timeout 5 nsenter --net="/run/netns/$(lab_namespace clients)" curl -s --interface 10.1.64.8 --local-port "$port" \
			"http://$(at_service 4 81)/" || fail "no answer to port $port"
		echo " $foretold"
	done >"$LAB_DIR/foretold"
	expect_eq 'sessions that did not go where explain said' "$(grep -cvE '^h1 h1$|^h2 h2$' "$LAB_DIR/foretold" || true)" 0
	expect_eq 'versions met' "$(cut -d' ' -f1 "$LAB_DIR/foretold" | sort -u | wc -l)" 2
}

# A server that answers with its label, for curl.
label_server() { # N LABEL
	mkdir -p "$LAB_DIR/$2"
	printf '%s' "$2" >"$LAB_DIR/$2/index.html"
	lab_spawn "$2" "backend$1" "$E2E_PYTHON" -m http.server -d "$LAB_DIR/$2" 8081
	wait_until 10 "$2 to serve" lab_in "backend$1" curl -sf -o /dev/null http://127.0.0.1:8081/
}

bpftool_shows() {
	local dump

	part 'bpftool, also without rainbowd'
	ctl drain chat v3 --deadline 2h
	lab_rainbowd_stop # in order, so that a build that counts lines has what was asked of it
	dump=$(bpftool map dump pinned "$LAB_PINS/rainbow_version")
	expect_match 'label' "$dump" '"label": "v3"'
	expect_match 'state by name' "$dump" '"state": "RAINBOW_VERSION_DRAINING"'
	expect_eq 'v1' "$(version_count v1 live) $(version_count v1 weight_permille) $(version_count v1 opened)" '3 500 3'
	expect_between 'deadline of v3' "$(version_count v3 deadline)" $(($(date +%s) + 7000)) $(($(date +%s) + 7260))
	lab_tell tester end all >/dev/null
	wait_until 5 'bpftool to show the end' is_eq '0 1' v3_counts
	lab_rainbowd_start tc
	wait_until 10 'v3 to be drained' is_eq drained version_json chat v3 .state
	expect_shape
}

v3_counts() {
	printf '%s %s' "$(version_count v3 live)" "$(version_count v3 ended_fin)"
}

waits() {
	local code=0

	part 'drain --wait'
	expect_code 0 lab_ctl drain chat v3 --wait
	lab_ctl drain chat v2 --deadline 1h --wait >"$LAB_DIR/wait.log" 2>&1 &
	wait_until 5 'v2 to drain' is_eq draining version_json chat v2 .state
	kill -0 $! || fail "drain --wait ended with 3 sessions left: $(cat "$LAB_DIR/wait.log")"
	lab_tell some end all v2 >/dev/null
	wait $! || code=$?
	expect_eq "exit code of drain --wait, which said $(cat "$LAB_DIR/wait.log")" "$code" 0
	expect_eq 'state of v2' "$(version_json chat v2 .state)" drained
}

completes() { # WORDS SO FAR, the last one unfinished
	PATH=$(dirname "${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl}"):$PATH RAINBOW_SOCKET=$LAB_DIR/rainbow.sock bash -c '
		source <(rainbowctl completion bash)
		COMP_WORDS=(rainbowctl "$@") COMP_CWORD=$# COMP_LINE="rainbowctl $*" COMP_POINT=${#COMP_LINE} COMPREPLY=()
		"$(complete -p rainbowctl | sed "s/.*-F \([^ ]*\).*/\1/")" rainbowctl "${!#}" "${COMP_WORDS[COMP_CWORD-1]}"
		printf "%s " "${COMPREPLY[@]}"' completion "$@"
}

helps() {
	local words

	part 'completion and help'
	expect_match 'commands' "$(completes set)" 'set-weight'
	expect_match 'services' "$(completes set-weight ch)" 'chat'
	expect_match 'labels' "$(completes drain chat v)" 'v1.*v2.*v3'
	expect_match 'options' "$(completes drain chat v1 --on)" '--on-deadline'
	expect_match 'subcommands' "$(completes service l)" 'list'
	for words in --help 'help' 'help drain' 'set-weight --help' 'service --help' 'service add --help' 'detach --help'; do
		# shellcheck disable=SC2086 # words
		expect_code 0 lab_ctl $words
		expect_match "$words" "$E2E_OUT" '(usage|USAGE|Usage)'
	done
}

lab_up routed --backends 3
lab_rainbowd_start tc
prepare
reads
label_server 1 h1
label_server 2 h2
explains
bpftool_shows
waits
helps
