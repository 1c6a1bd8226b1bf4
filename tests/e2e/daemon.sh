#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rainbowd comes and goes: a second one on the same pins is refused, an end by TERM leaves the datapath at work, --detach and
# `rainbowctl detach` leave nothing, maps of an unknown schema are left alone, bad options are refused and take nothing away; who may
# talk to it; and a bpffs that is unmounted under it takes no hook away.
# Takes 40 s.
source "$(dirname "$0")/lib.sh"

# What rainbow has in the router's kernel: programs on interfaces, and pins.
traces() {
	local interface

	for interface in $(_lab_veths "$(lab_namespace router)"); do
		lab_in router bpftool -j net show dev "$interface" | jq -c --arg on "$interface" '.[] | (.xdp, .tc)[] | [$on, .name, .kind]'
		lab_in router tc filter show dev "$interface" ingress
		lab_in router tc filter show dev "$interface" egress
	done
	find "$LAB_PINS" -mindepth 1 2>/dev/null || true
}

# rainbowd as the lab would start it, in the foreground, for those that are to be refused.
rainbowd_foreground() { # RAINBOWD-ARGUMENTS...
	lab_in router timeout 10 "${LAB_RAINBOWD:-$LAB_BUILD/rainbowd}" "$@"
}

usual=()
usual_options() { # HOOK
	usual=(--interface "${LAB_HOOKS[0]}:$1" --pin-dir "$LAB_PINS" --state-dir "$LAB_DIR/state" --socket "$LAB_DIR/rainbow.sock")
}

second_daemon() {
	local elsewhere=(--state-dir "$LAB_DIR/state2" --socket "$LAB_DIR/second.sock")

	mkdir -p "$LAB_DIR/state2"
	expect_code 4 rainbowd_foreground --interface "${LAB_HOOKS[0]}:$1" --pin-dir "$LAB_PINS" "${elsewhere[@]}"
	expect_match 'a second daemon on these pins' "$E2E_OUT" "$LAB_PINS"
	expect_code 4 rainbowd_foreground --detach --pin-dir "$LAB_PINS"
	expect_turns some
}

lifecycle() { # TOPOLOGY HOOK OFFLOADS
	local way traces_before

	for way in option command; do
		part "$1, $2: a life, ended by a $way"
		lab_up "$1" --offloads "$3"
		usual_options "$2"
		traces_before=$(traces)
		serve_agents 2
		lab_rainbowd_start "$2"
		add_service chat 4 2
		lab_client some --to "$(at_service 4)" --sessions 20 --interval 0
		lab_until_stat some 10 '.live == 20'
		second_daemon "$2"
		lab_rainbowd_stop
		expect_turns some # without a daemon
		expect_ne 'traces' "$(traces)" "$traces_before"
		if [[ $way == command ]]; then
			lab_rainbowd_start "$2"
			ctl detach --yes
			lab_wait rainbowd 10 || fail 'rainbowd did not end well after detach'
		else
			expect_code 0 rainbowd_foreground --detach --pin-dir "$LAB_PINS" --state-dir "$LAB_DIR" # another's
			expect_match 'what it says' "$E2E_OUT" "no session is saved.*the database in $LAB_DIR is not that of the maps"
		fi
		expect_eq 'traces after detach' "$(traces)" "$traces_before"
		# No route leads to the service but rainbow (bpftool 7.1 can not show tcx).
		expect_code 7 lab_in clients curl -s --max-time 5 "http://$(at_service 4)/"
		lab_down
	done
}

# 20 sessions of a rainbowd that has ended.
left_by_one() {
	lab_up routed --backends 1
	usual_options tc
	serve_agents 1
	lab_rainbowd_start tc
	add_service chat 4 1
	lab_client some --to "$(at_service 4)" --sessions 20 --interval 0
	lab_until_stat some 10 '.live == 20'
	lab_rainbowd_stop
}

expect_gone_on_with() {
	lab_rainbowd_start tc
	expect_eq 'live sessions' "$(version_json chat v1 .sessions.live)" 20
	expect_whole some
	lab_down
}

unknown_schema() {
	local before value

	part 'maps of an unknown schema'
	left_by_one
	value=$(bpftool -j map lookup pinned "$LAB_PINS/rainbow_meta" key 0 0 0 0 | jq -r '.value | map(ltrimstr("0x")) | join(" ")')
	before=$(find "$LAB_PINS" | sort)
	# shellcheck disable=SC2086 # bytes
	bpftool map update pinned "$LAB_PINS/rainbow_meta" key 0 0 0 0 value hex 63 ${value:3}
	expect_code 5 rainbowd_foreground "${usual[@]}"
	expect_match 'what it says' "$E2E_OUT" 'schema 99'
	expect_eq 'pins' "$(find "$LAB_PINS" | sort)" "$before"
	expect_turns some
	# shellcheck disable=SC2086
	bpftool map update pinned "$LAB_PINS/rainbow_meta" key 0 0 0 0 value hex $value
	expect_gone_on_with
}

# A start that can attach to none of the interfaces it is asked for takes away none of those that there are.
refused_interface() {
	local before

	part 'no interface to attach to'
	left_by_one
	before=$(find "$LAB_PINS" | sort)
	expect_code 3 rainbowd_foreground "${usual[@]/#${LAB_HOOKS[0]}:*/nosuch0}"
	expect_match 'what it says' "$E2E_OUT" 'nosuch0'
	expect_eq 'pins' "$(find "$LAB_PINS" | sort)" "$before"
	expect_turns some
	expect_gone_on_with
}

bad_options() {
	local code regex words

	part 'options of rainbowd'
	lab_up routed --backends 1
	usual_options tc
	while IFS='|' read -r code regex words; do
		# shellcheck disable=SC2086 # words
		expect_code "$code" rainbowd_foreground $words --pin-dir "$LAB_PINS" --state-dir "$LAB_DIR/state" \
			--socket "$LAB_DIR/rainbow.sock"
		expect_match "rainbowd $words" "$E2E_OUT" "$regex"
	done <<-'END'
		2|--interface|
		2|no kind of hook; there are auto|--interface client0:magic
		3|nosuch0|--interface nosuch0
		2|max-sessions|--interface client0 --max-sessions many
		2|max-sessions|--interface client0 --max-sessions 0
		2|--bogus|--interface client0 --bogus
		0|usage|--help
		0|rainbowd [0-9]|--version
	END
	expect_eq 'pins that were left' "$(find "$LAB_PINS" -type f 2>/dev/null)" ''
	lab_down
}

# In a mount namespace of its own: nobody else's bpffs is touched.
unmounted() {
	part 'the bpffs is unmounted where it looks for its pins, for longer than hooks go without a look'
	lab_up routed --backends 1
	serve_agents 1
	printf '#!/bin/sh\nexec unshare --mount --propagation private %s/rainbowd "$@"\n' "$LAB_BUILD" >"$LAB_DIR/apart"
	chmod +x "$LAB_DIR/apart"
	LAB_RAINBOWD=$LAB_DIR/apart lab_rainbowd_start tc
	add_service chat 4 1
	lab_client some --to "$(at_service 4)" --sessions 20 --interval 500
	lab_until_stat some 10 '.live == 20'
	expect_ne 'its mount namespace' "$(readlink "/proc/${LAB_PID[rainbowd]}/ns/mnt")" "$(readlink /proc/self/ns/mnt)"
	nsenter -t "${LAB_PID[rainbowd]}" -m umount -l /sys/fs/bpf
	sleep 12 # that nothing happens can only be seen by waiting
	lab_rainbowd_kill
	lab_client more --to "$(at_service 4)" --sessions 20 --interval 500
	lab_until_stat more 10 '.live == 20'
	lab_rainbowd_start tc
	expect_whole some
	expect_whole more
	expect_no_drift
	lab_down
}

peers() {
	local as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

	part 'who may talk to it'
	lab_up routed --backends 1
	lab_rainbowd_start tc
	chmod 755 "$LAB_DIR"
	expect_code 0 lab_ctl status
	# Root's alone, or that of a group called rainbow as well.
	expect_eq 'mode of the socket' "$(stat -c %a "$LAB_DIR/rainbow.sock")" \
		"$(getent group rainbow >/dev/null && echo 660 || echo 600)"
	cp "${LAB_RAINBOWCTL:-$LAB_BUILD/rainbowctl}" "$LAB_DIR/ctl"
	expect_code 6 "${as_nobody[@]}" "$LAB_DIR/ctl" --socket "$LAB_DIR/rainbow.sock" status
	chmod 666 "$LAB_DIR/rainbow.sock" # even then: it looks who its peer is
	expect_code 5 "${as_nobody[@]}" "$LAB_DIR/ctl" --socket "$LAB_DIR/rainbow.sock" status
	lab_down
}

lifecycle routed tc on
lifecycle two-sided xdp off
lifecycle one-armed xdp-generic off
unknown_schema
refused_interface
bad_options
unmounted
peers
