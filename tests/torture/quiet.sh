# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The quiet points of `make torture`: the chaos stops, what is in flight settles, every session takes a turn, and then three accounts of
# the sessions must agree exactly: the oracle's, the servers' and rainbow's. Sourced by scripts/torture.sh.

readonly QUIET_PATIENCE=${PATIENCE:-90} # seconds; the backoff of TCP after an outage is the longest of it

QUIET_POINTS=0

oracle_list() { # FILE: the sessions of all oracles; those that may be ghosts go to FILE.ghosts
	local i

	for ((i = 1; i <= ORACLES; i++)); do
		oracle_tell "$i" list "$1.$i" "$1.ghosts.$i" >/dev/null
	done
	cat "$1".[0-9]* >"$1"
	cat "$1".ghosts.[0-9]* >"$1.ghosts"
	rm -f "$1".[0-9]* "$1".ghosts.[0-9]*
}

servers_list() { # FILE
	local label j

	for label in "${CHAOS_LABELS[@]}"; do
		for ((j = 0; j < REPLICAS; j++)); do
			lab_tell "$(replica_server "$label" "$j")" list "$1.part" >/dev/null
			cat "$1.part"
		done
	done >"$1"
	rm -f "$1.part"
}

rainbow_list() { # FILE: "address label", sorted
	json '.sessions[] | select(.state != "closing") | "\(.client) \(.version)"' sessions chat --limit 100000 | sort >"$1"
}

# A client's RST that was lost behind the router, on a link that was down: rainbow rightly counts it no more, its server can not know.
servers_drop_lost() { # FILE of the servers' sessions, after oracle_list
	grep ' behind$' "$LAB_DIR/oracle.ghosts" >"$LAB_DIR/behind" || return 0
	rainbow_list "$LAB_DIR/rainbow.sessions"
	awk 'FILENAME == ARGV[1] { lost[$1]; next } FILENAME == ARGV[2] { counted[$1]; next } !($1 in lost) || $1 in counted' \
		"$LAB_DIR/behind" "$LAB_DIR/rainbow.sessions" "$1" >"$1.kept"
	mv "$1.kept" "$1"
}

# Lines "label number" of three accounts: what the servers have, what the kernel's maps and what the API say.
count_servers() {
	cut -d' ' -f2 "$1" | sort | uniq -c | awk '{ print $2, $1 }'
}

count_kernel() {
	versions | jq -r 'select(.live > 0) | "\(.label) \(.live)"' | sort
}

count_api() {
	json '.services[0].versions[] | select(.sessions.live > 0) | "\(.label) \(.sessions.live)"' status | sort
}

quiet_is_settled() {
	oracle_tell_all stats | jq -se 'all(.opening == 0 and .waiting == 0 and .ending == 0)'
}

quiet_fail_if_oracle_failed() {
	local failures

	failures=$(oracle_sum .failures)
	((failures == 0)) || fail "$failures sessions moved or ended without cause: $(oracle_log)"
}

# Do the accounts agree now? Leaves what differs in $LAB_DIR/differs.
quiet_agrees() {
	oracle_list "$LAB_DIR/oracle"
	servers_list "$LAB_DIR/servers"
	servers_drop_lost "$LAB_DIR/servers"
	count_servers "$LAB_DIR/servers" >"$LAB_DIR/count.servers"
	count_kernel >"$LAB_DIR/count.kernel"
	count_api >"$LAB_DIR/count.api"
	sort -o "$LAB_DIR/servers" "$LAB_DIR/servers"
	sort -o "$LAB_DIR/oracle" "$LAB_DIR/oracle"
	{
		diff "$LAB_DIR/count.servers" "$LAB_DIR/count.kernel" | sed -n 's/^< /servers: /p; s/^> /kernel: /p'
		diff "$LAB_DIR/count.servers" "$LAB_DIR/count.api" | sed -n 's/^< /servers: /p; s/^> /status: /p'
		comm -23 "$LAB_DIR/oracle" "$LAB_DIR/servers" | sed 's/^/no server has: /'
		# What a server has and no client: only those whose client went without being heard.
		awk 'FILENAME == ARGV[1] { ghost[$1 " " $2]; ghost[$1 " 0000000000000000"]; if ($2 ~ /^0+$/) any[$1]; next }
			!(($1 " " $4) in ghost) && !($1 in any)' "$LAB_DIR/oracle.ghosts" \
			<(comm -13 "$LAB_DIR/oracle" "$LAB_DIR/servers") | sed 's/^/no client has: /'
	} >"$LAB_DIR/differs"
	[[ ! -s $LAB_DIR/differs ]]
}

# The sessions that rainbow counts and the servers do not have, and the other way round.
quiet_differences() {
	rainbow_list "$LAB_DIR/rainbow.sessions"
	cut -d' ' -f1,2 "$LAB_DIR/servers" | sort >"$LAB_DIR/servers.short"
	printf 'rainbow alone: %s\n' "$(comm -23 "$LAB_DIR/rainbow.sessions" "$LAB_DIR/servers.short" | head -n 10 | tr '\n' ';')"
	printf 'a server alone: %s\n' "$(comm -13 "$LAB_DIR/rainbow.sessions" "$LAB_DIR/servers.short" | head -n 10 | tr '\n' ';')"
	printf 'perhaps ghosts: %s\n' "$(comm -12 <(cut -d' ' -f1 "$LAB_DIR/oracle.ghosts" | sort -u) \
		<(comm -3 "$LAB_DIR/rainbow.sessions" "$LAB_DIR/servers.short" | awk '{ print $1 }' | sort -u) | head -n 10 | tr '\n' ';')"
}

# opened = live + all that ended, of each version.
quiet_balances() {
	versions | jq -r 'select(.opened != .live + ([to_entries[] | select(.key | startswith("ended_")) | .value] | add)) | tostring'
}

# Labels of drains whose deadline has passed by more than the grace, and that still hold sessions (P8).
quiet_overdue() {
	json '.services[0].versions[] | select(.state == "draining" and .drain.deadline != null and .sessions.live > 0
		and (.drain.deadline | fromdateiso8601) + 15 < now + '"$CHAOS_CLOCK"') | .label' status
}

# What the oracle, rainbow and both stacks know of the sessions that wait for something.
quiet_unsettled() {
	local address n

	for address in $(oracle_tell_all history unsettled | jq -r '.found[]'); do
		printf '%s\n' "--- $address" "$(lab_ctl whois "$address" 2>&1)" \
			"$(lab_in clients ss -tanoi src "$address" 2>&1 | tail -n +2)"
		for ((n = 1; n <= LAB_BACKENDS; n++)); do
			lab_in "backend$n" ss -tanoi dst "$address" 2>&1 | tail -n +2
		done
	done
	for ((n = 1; n <= LAB_BACKENDS; n++)); do
		lab_in "backend$n" nstat -a 2>&1 | grep -E 'Syncookies|Listen|ReqQFull|RetransSegs|Timeouts|OutRsts|InErrs|Csum' | xargs echo "backend$n:"
	done
	oracle_log
}

quiet_point() {
	local differs

	part "quiet point $((QUIET_POINTS + 1))"
	event_fair || true
	oracle_all calm on
	lab_until "$QUIET_PATIENCE" 'what is in flight to settle' quiet_is_settled ||
		fail "not settled: $(oracle_tell_all stats) $(quiet_unsettled)"
	oracle_all turn
	lab_until "$QUIET_PATIENCE" 'every session to take a turn' quiet_is_settled ||
		fail "not every turn was answered: $(oracle_tell_all stats) $(quiet_unsettled)"
	quiet_fail_if_oracle_failed
	lab_until "$QUIET_PATIENCE" 'the accounts of oracle, servers and rainbow to agree' quiet_agrees || {
		differs=$(head -n 20 "$LAB_DIR/differs")
		fail "the accounts differ: $differs"$'\n'"$(quiet_differences)"
	}
	expect_eq 'versions whose opened is not live + ended' "$(quiet_balances)" ''
	lab_until 20 'drains past their deadline to end' is_eq '' quiet_overdue || fail "overdue: $(quiet_overdue)"
	expect_no_drift
	allow_now
	if (($(json .daemon.pins.used status) < TABLE * 85 / 100)); then
		oracle_all excuse refused room off
	fi
	leaks_note
	QUIET_POINTS=$((QUIET_POINTS + 1))
	say "agreed: $(tr '\n' ' ' <"$LAB_DIR/count.kernel"), $(oracle_tell_all stats | jq -sc '{live: map(.live) | add, half: map(.half_closed)
		| add, stalled: map(.stalled) | add, turns: map(.turns) | add, refused: map(.refused) | add, forced: map(.ended.forced) | add,
		crashed: map(.ended.crashed) | add}')"
	oracle_all calm off
}

# --- leaks ---------------------------------------------------------------------------------------------------------------------

# Every map, program and link that a rainbowd of this run ever held.
leaks_note() {
	grep -hE '^(map|prog|link)_id:' "/proc/${LAB_PID[rainbowd]}"/fdinfo/* 2>/dev/null | tr -d ':' | tr '\t' ' ' |
		sort -u - "$LAB_DIR/bpf-ids" 2>/dev/null >"$LAB_DIR/bpf-ids.new" || true
	mv "$LAB_DIR/bpf-ids.new" "$LAB_DIR/bpf-ids"
}

daemon_descriptors() {
	find "/proc/${LAB_PID[rainbowd]}/fd" -mindepth 1 | wc -l
}

daemon_memory() { # KB of its own
	awk '/RssAnon/ { print $2 }' "/proc/${LAB_PID[rainbowd]}/status"
}

bpf_left() { # what of the list in the file is still in the kernel
	local what id

	while read -r what id; do
		! bpftool "${what%_id}" show id "$id" >/dev/null 2>&1 || printf '%s %s\n' "$what" "$id"
	done <"$1"
}

pins_in_use() {
	lab_map rainbow_meta | jq '.[].formatted.value.pins'
}

# After all sessions have ended. In a short run entries linger longer than it lasts: then their number is held against the versions'.
leaks_check() {
	local descriptors memory n

	part leaks
	descriptors=$(daemon_descriptors) memory=$(daemon_memory)
	for ((n = 0; n < 30; n++)); do
		lab_ctl status >/dev/null
		lab_ctl sessions chat --limit 100 >/dev/null
	done
	expect_between 'descriptors of rainbowd after 60 requests' "$(daemon_descriptors)" 1 $((descriptors + 2))
	expect_between 'KB of rainbowd after 60 requests' "$(daemon_memory)" 1 $((memory + 8192))
	expect_eq 'live sessions when all have ended' "$(live_count)" 0
	if ((TIME_S >= 180)); then
		wait_until 150 'every pin to be given back' is_eq 0 pins_in_use
	else
		wait_until 30 'pins to be as many as the versions have closing' pins_are_closing
	fi
}

pins_are_closing() {
	(($(pins_in_use) <= $(versions | jq -s 'map(.closing) | add // 0') + CRASH_PINS))
}
