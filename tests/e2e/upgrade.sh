#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# From maps of schema 1, as the release before left them (tests/schema), to ours: sessions of those programs go on, their counts
# are carried over, new ones are routed. A newer schema is refused and left alone; and an older rainbowd would refuse ours.
# Takes 45 s.
source "$(dirname "$0")/lib.sh"

# shellcheck source=tests/schema/lib.sh
source "$LAB_ROOT/tests/schema/lib.sh"

readonly SESSIONS=500

old_versions() {
	bpftool -j map dump pinned "$old_pins/rainbow_version" |
		jq -c '.[].formatted.value | select(.service != 0) | del(.deadline, .reserved)'
}

new_versions() {
	versions | jq -c --argjson keys "$(old_versions_keys)" 'with_entries(select(.key as $k | $keys | index($k)))'
}

old_versions_keys() {
	head -n 1 "$LAB_DIR/versions" | jq -c keys
}

expect_migrated() {
	expect_match 'the log' "$(grep -a 'carried over' "$LAB_DIR/rainbowd.log" | tail -n 1)" 'carried over from schema 1'
	if [[ $old_pins == "$PINS" ]]; then
		[[ ! -e $PINS/v1 ]] || fail "left: $(find "$PINS/v1")"
	else
		# What an older rainbowd meets, and refuses.
		expect_eq 'pins of before' "$(cd "$old_pins" && find . -type f)" ./rainbow_meta
		expect_match 'the mark' "$(bpftool -j map lookup pinned "$old_pins/rainbow_meta" key 0 0 0 0 | jq -c .value)" \
			'^."0x02","0x00","0x00","0x00"'
	fi
	expect_eq 'hold' "$(lab_map rainbow_meta | jq -r '.[0].formatted.value.hold')" RAINBOW_HOLD_NONE
}

le() { # BYTES NUMBER: as bpftool takes it
	local bytes=() i

	for ((i = 0; i < $1; i++)); do
		bytes+=("$(printf '%02x' $(($2 >> 8 * i & 255)))")
	done
	printf '%s ' "${bytes[@]}"
}

# A handshake of 10.1.66.1 in the old nursery, asked so many seconds ago.
old_nursling() { # PORT SECONDS
	local jiffies hz

	jiffies=$(awk '/^jiffies:/ { print $2; exit }' /proc/timer_list)
	hz=$(bpftool -j map dump pinned "$old_pins/rainbow_meta" | jq '.[0].formatted.value.hz')
	# shellcheck disable=SC2046 # words
	bpftool map update pinned "$old_pins/rainbow_nursery" key hex 00 00 00 00 00 00 00 00 00 00 ff ff 0a 01 42 01 \
		$(le 2 "$1") $(le 2 1) value hex $(le 4 1) $(le 2 1) $(le 2 1) $(le 4 $(((jiffies - $2 * hz) & 0xffffffff))) \
		$(le 4 1000) $(le 4 0) $(le 4 0) $(le 4 0) 07 ff 00 00
}

upgrade() { # TOPOLOGY HOOK OFFLOADS 4|6 same|beside
	FAMILY=$4
	part "$1, $2, IPv$4: maps of schema 1 $5"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	old_release "$5" "$2"
	lab_client idle --to "$(at_service "$4")" --sessions "$SESSIONS" --rate 2000 --interval 0 --timeout 20000
	lab_until_stat idle 30 ".live == $SESSIONS"
	expect_turns idle
	lab_tell idle half-close 20 >/dev/null
	lab_client ended --to "$(at_service "$4")" --sessions 30 --interval 0
	lab_until_stat ended 10 '.live == 30'
	expect_whole ended
	lab_client busy --to "$(at_service "$4")" --sessions 40 --interval 20 --timeout 20000
	lab_client short --to "$(at_service "$4")" --sessions 20 --interval 20 --turns 3 --replace --timeout 20000
	lab_until_stat short 10 '.ended > 10'
	lab_rainbowd_start "${2/clsact/tc}"
	expect_migrated
	lab_until_stat busy 20 ".turns > $(lab_stat busy .turns) + 200"
	expect_turns idle
	lab_until_stat short 20 ".ended > $(lab_stat short .ended) + 20"
	expect_eq 'sessions moved or lost' "$(lab_stat short '.moved + .lost') $(lab_stat busy '.moved + .lost')" '0 0'
	expect_whole short
	expect_eq 'live sessions' "$(live_count)" $((SESSIONS + 40))
	expect_no_drift
	ctl set-weight chat v2=100
	lab_client new --to "$(at_service "$4")" --sessions 20 --interval 0
	lab_until_stat new 10 '.live == 20'
	expect_eq 'new sessions on v2' "$(lab_stat new .versions.v2.live)" 20
	expect_whole new
	lab_rainbowd_kill
	lab_rainbowd_start "${2/clsact/tc}"
	expect_whole busy
	expect_whole idle
	wait_until 10 'no session to live' is_eq 0 live_count
	expect_no_drift
	LAB_PINS=$PINS
	lab_down
}

# With no session in motion every count is the same to the last one.
counts() { # affinity client
	local before

	FAMILY=4
	part 'counts, and client sessions'
	lab_up routed
	serve_agents 2
	old_release same tc --affinity client --selection exact
	lab_client many --to "$(at_service 4)" --sessions 100 --interval 0 --from 10.1.64.1+20
	lab_until_stat many 10 '.live == 100'
	lab_client ended --to "$(at_service 4)" --sessions 30 --interval 0 --from 10.1.65.1+10
	lab_until_stat ended 10 '.live == 30'
	expect_whole ended
	old_versions >"$LAB_DIR/versions"
	say "$(<"$LAB_DIR/versions")"

	part 'fewer places than sessions'
	before=$(find "$PINS" | sort)
	expect_code 5 lab_in router timeout 30 "$LAB_BUILD/rainbowd" --interface client0 --max-sessions 100 --pin-dir "$LAB_PINS" \
		--state-dir "$LAB_DIR/state" --socket "$LAB_DIR/rainbow.sock"
	expect_match 'what it says' "$E2E_OUT" 'max-sessions 100 is too few: 1[0-9]+ sessions'
	expect_eq 'pins' "$(find "$PINS" | sort)" "$before"
	expect_turns many

	part 'enough places'
	old_nursling 4001 1
	old_nursling 4002 61
	lab_rainbowd_start tc
	expect_eq 'handshakes under way' \
		"$(lab_map rainbow_nursery | jq -c '[.[].formatted.value.cot[] | select(.flow.port != 0) | .flow.port]')" '[4001]'
	expect_eq 'idle time before a client is asked' \
		"$(lab_map rainbow_service | jq '[.[].formatted.value | select(.in_use == 1).probe_idle_seconds] | add')" 900
	expect_eq 'versions' "$(new_versions)" "$(cat "$LAB_DIR/versions")"
	expect_eq 'client sessions and flows' "$(json '[.sessions[].flows] | "\(length) \(add)"' sessions chat)" '30 100'
	expect_turns many
	expect_no_drift
	expect_whole many
	lab_down
}

newer() {
	local before

	part 'a newer schema'
	lab_up routed
	LAB_PINS=$PINS/v2
	lab_at_exit rm_beside
	mkdir -p "$PINS/v3"
	bpftool map create "$PINS/v3/rainbow_meta" type array key 4 value 88 entries 1 name rainbow_meta
	# shellcheck disable=SC2046 # bytes
	bpftool map update pinned "$PINS/v3/rainbow_meta" key 0 0 0 0 value hex 03 00 00 00 $(printf '00 %.0s' {1..84})
	before=$(find "$PINS" | sort)
	expect_code 5 lab_in router timeout 20 "$LAB_BUILD/rainbowd" --interface client0 --pin-dir "$LAB_PINS" \
		--state-dir "$LAB_DIR/state" --socket "$LAB_DIR/rainbow.sock"
	expect_match 'what it says' "$E2E_OUT" 'newer schema has its maps, and sessions, in .*/v3; they are left alone'
	expect_eq 'pins' "$(find "$PINS" | grep -v '/v2$' | sort)" "$before"
	rm -rf -- "$PINS/v3"

	part 'nothing is left behind'
	lab_rainbowd_start tc
	expect_eq 'what an older rainbowd meets' "$(cd "$PINS/v1" && find . -type f)" ./rainbow_meta
	ctl detach --yes
	lab_wait rainbowd 10
	[[ ! -e $PINS ]] || fail "left: $(find "$PINS")"
	LAB_PINS=$PINS
	lab_down
}

upgrade bridged clsact off 4 same
upgrade two-sided xdp off 6 beside
counts
newer
