#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Bad input for every command: the exit code says of what kind it is, the message names the object and the fix, and nothing has
# changed. --dry-run says the effect and changes nothing.
# Takes 20 s.
source "$(dirname "$0")/lib.sh"

prepare() {
	ctl service add chat 10.0.0.1:80
	ctl version add chat v1 --backend 10.2.1.2:8080
	ctl version add chat v2 --backend 10.2.2.2:8080 --model m2
	ctl version add chat old --backend 10.2.3.2:8080
	ctl drain chat old --deadline 1h
	ctl service add chat6 '[fd00::1]:80'
	ctl steer add chat 10.7.0.0/16 v2
	wait_until 10 'old to be drained' is_eq drained version_json chat old .state
}

# Lines of: exit code, regular expression that the message matches, arguments of rainbowctl.
refuse_all() {
	local code regex words

	while IFS='|' read -r code regex words; do
		[[ -n $code && $code != '#'* ]] || continue
		eval "ctl_refused $code ${regex@Q} $words"
	done
}

refusals() {
	part 'words and options'
	refuse_all <<'END'
2|unknown command .statsu.*did you mean .status|statsu
2|needs one of: add, set, rm, list|service
2|did you mean .service add|service addd
2|unknown option .--bogus|service add x 10.0.0.3:80 --bogus
2|did you mean --deadline|drain chat v1 --deadlin 1h
2|given twice|drain chat v1 --deadline 1h --deadline 2h
2|value is missing|drain chat v1 --deadline
2|takes no value|drain chat v1 --wait=1
2|none of table, json|status -o yaml
2|unexpected word .and|status chat and more
2|one for bash|completion zsh
6|there is no socket /nowhere|status --socket /nowhere
END
	part 'services'
	refuse_all <<'END'
2|NAME is missing|service add
2|ADDR:PORT.*missing|service add x
2|character 2|service add 'a b' 10.0.0.3:80
2|at most 31|service add aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 10.0.0.3:80
2|the port is missing|service add x 10.0.0.3
2|not a port|service add x 10.0.0.3:0
2|not a port|service add x 10.0.0.3:65536
2|not an IP address|service add x 10.0.0.300:80
2|not an IP address|service add x example.org:80
2|none of tcp, udp|service add x 10.0.0.3:80/sctp
2|loopback|service add x 127.0.0.1:80
2|loopback|service add x '[::1]:80'
2|unspecified|service add x 0.0.0.0:80
2|multicast|service add x 224.0.0.1:80
2|link-local|service add x '[fe80::1]:80'
2|none of connection, client|service add x 10.0.0.3:80 --affinity me
2|none of hash, exact|service add x 10.0.0.3:80 --selection best
2|none of reset, drop, pass|service add x 10.0.0.3:80 --stray eat
2|needs a unit|service add x 10.0.0.3:80 --idle-timeout 30
2|at most 14d|service add x 10.0.0.3:80 --idle-timeout 30d
4|chat exists already|service add chat 10.0.0.3:80
4|address of service chat already|service add x 10.0.0.1:80
4|is a backend of version v1 of service chat|service add x 10.2.1.2:8080
3|no service nope.*chat|service rm nope
END
	part 'versions and backends'
	refuse_all <<'END'
2|--backend.*missing|version add chat v3
2|must begin with a letter or digit|version add chat '!' --backend 10.2.9.2:80
3|no service nope|version add nope v3 --backend 10.2.9.2:80
4|v1 of service chat exists|version add chat v1 --backend 10.2.9.2:80
4|belongs to version v1|version add chat v3 --backend 10.2.1.2:8080
2|given twice|version add chat v3 --backend 10.2.9.2:80 --backend 10.2.9.2:80
4|address of service chat itself|version add chat v3 --backend 10.0.0.1:80
2|address family|version add chat v3 --backend '[fd00:2::9]:80'
2|loopback|version add chat v3 --backend 127.0.0.1:80
2|out of range|version add chat v3 --backend 10.2.9.2:80,max=0
2|only ,max=N|version add chat v3 --backend 10.2.9.2:80,min=3
3|no version nope|version rm chat nope
5|set-weight chat OTHER=100|version rm chat v1
3|no service nope|version list nope
3|no version nope|backend add chat nope 10.2.9.2:80
4|belongs to version v2|backend add chat v1 10.2.2.2:8080
4|v1 has backend 10.2.1.2:8080 already|backend add chat v1 10.2.1.2:8080
3|no backend 10.2.9.2:80|backend rm chat v1 10.2.9.2:80
5|last backend of version v1|backend rm chat v1 10.2.1.2:8080
END
	part 'weights, drains, rollbacks'
	refuse_all <<'END'
2|SERVICE is missing|set-weight
2|LABEL=PERCENT is missing|set-weight chat
2|sum to 50 %|set-weight chat v1=50
2|sum to 110 %|set-weight chat v1=60 v2=50
2|only one version|set-weight chat v1 v2
2|given twice|set-weight chat v1=50 v1=50
2|steps of 0.1|set-weight chat v1=50.55 v2
2|negative|set-weight chat v1=-5 v2
2|out of range|set-weight chat v1=101 v2
2|not a percentage|set-weight chat v1=half v2
3|no version nope.*v1|set-weight chat v1=50 nope=50
3|no service nope|set-weight nope v1=100
5|old.*undrain|set-weight chat v1=50 old=50
2|needs a unit|drain chat v2 --deadline 5
2|units are|drain chat v2 --deadline 5y
2|none of reset, hold|drain chat v2 --on-deadline cry
3|no version nope|drain chat nope
5|set-weight chat OTHER=100|drain chat v1
3|no version nope|undrain chat nope
3|no version nope|rollback chat --to nope
2|none of keep, drain, reset|rollback chat --sessions eat
2|out of range|evict chat v1 --rate 0/s
2|write 100/s|evict chat v1 --rate 5
2|needs a unit|evict chat v1 --older-than 5
3|no version nope|evict chat nope
END
	part 'steers and reads'
	refuse_all <<'END'
2|prefix length|steer add chat 10.0.0.0/33 v1
2|did you mean 10.0.0.0/24|steer add chat 10.0.0.1/24 v1
2|address family|steer add chat fd00::/64 v1
3|no version nope|steer add chat 10.9.0.0/16 nope
3|no steer for 10.9.0.0/16|steer rm chat 10.9.0.0/16
3|no service nope|status nope
3|no service nope|sessions nope
3|no version nope|sessions chat --version nope
2|out of range|sessions chat --limit 0
2|the port is missing|whois 10.1.0.2
3|no session|whois 10.1.0.2:5000
3|no service nope|explain nope 10.1.0.2:5000
2|the port is missing|explain chat 10.1.0.2
2|give --yes|detach
END
}

# Each is fine, and yet changes nothing.
dry_runs() {
	local before words

	part 'dry runs'
	before=$(settings)
	while read -r words; do
		expect_code 0 bash -c "RAINBOW_SOCKET=$LAB_DIR/rainbow.sock ${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl} $words --dry-run"
		expect_match "$words" "$E2E_OUT" '^dry run, nothing is changed: '
		expect_eq "settings after a dry run of $words" "$(settings)" "$before"
	done <<-'END'
		service add x 10.0.0.3:80
		service rm chat6
		version add chat v3 --backend 10.2.9.2:80
		version rm chat old
		backend add chat v1 10.2.9.2:80
		set-weight chat v1=50 v2
		drain chat v2
		undrain chat old
		rollback chat --to v2 --sessions drain
		evict chat v1
		steer add chat 10.8.0.0/16 v2
		steer rm chat 10.7.0.0/16
		detach --yes
	END
	lab_runs rainbowd || fail 'a dry run of detach ended rainbowd'
	# What would be refused is refused in a dry run, too.
	ctl_refused 5 'set-weight chat OTHER=100' drain chat v1 --dry-run
	ctl_refused 4 'exists already' service add chat 10.0.0.3:80 --dry-run
}

api() { # EXPECTED-STATUS EXPECTED-CODE METHOD PATH [BODY-FILE]
	local answer status

	answer=$(curl -s -o "$LAB_DIR/answer" -w '%{http_code}' --unix-socket "$LAB_DIR/rainbow.sock" -X "$3" \
		${5:+--data-binary @"$5"} -H 'Content-Type: application/json' -H 'Expect:' "http://rainbow$4") || true
	status=$answer
	expect_eq "status of $3 $4" "$status" "$1"
	expect_eq "code of $3 $4" "$(jq -r '.error | select(.message | length > 0) | .code' "$LAB_DIR/answer")" "$2"
}

bad_requests() {
	local before body=$LAB_DIR/body

	part 'the API itself'
	before=$(settings)
	api 404 not_found GET /v1/nothing
	api 404 not_found GET /
	api 405 bad_input DELETE /v1/status
	echo '{"weights":' >"$body" && api 400 bad_input PUT /v1/services/chat/weights "$body"
	echo '[1]' >"$body" && api 400 bad_input PUT /v1/services/chat/weights "$body"
	echo '{"weights":{"v1":100},"colour":1}' >"$body" && api 400 bad_input PUT /v1/services/chat/weights "$body"
	echo '{"weights":{"v1":"100"}}' >"$body" && api 400 bad_input PUT /v1/services/chat/weights "$body"
	echo '{"weights":{"v1":1e308}}' >"$body" && api 400 bad_input PUT /v1/services/chat/weights "$body"
	echo '{"label":"v3"}' >"$body" && api 400 bad_input POST /v1/services/chat/versions "$body"
	: >"$body" && api 400 bad_input POST /v1/services "$body"
	head -c 20000 /dev/zero | tr '\0' '[' >"$body" && api 400 bad_input POST /v1/services "$body"
	head -c $((2 << 20)) /dev/zero | tr '\0' ' ' >"$body" && api 413 bad_input POST /v1/services "$body"
	expect_eq 'settings after bad requests' "$(settings)" "$before"
}

lab_up routed --backends 3
lab_rainbowd_start tc
prepare
refusals
dry_runs
bad_requests
