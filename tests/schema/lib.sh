# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A lab as the release before left it; for tests that have sourced tests/e2e/lib.sh.

readonly OLD_OBJECT=$LAB_ROOT/tests/schema/v1/rainbow.bpf.o.gz
readonly PINS=$LAB_PINS # LAB_PINS is where ours goes
FAMILY=4

# The kernel state of the old release, filled from a database that ours has made. Where: in the pin directory itself, or beside it.
old_release() { # same|beside HOOK SERVICE-ADD-OPTIONS...
	local where=$1 interface words=()

	LAB_PINS=$PINS
	old_pins=$PINS
	if [[ $where == beside ]]; then
		LAB_PINS=$PINS/v2 old_pins=$PINS/v1
		lab_at_exit rm_beside
	fi
	lab_rainbowd_start tc
	add_service chat "$FAMILY" 2 "${@:3}"
	ctl set-weight chat v1=50 v2
	ctl detach --yes
	lab_wait rainbowd 10
	mkdir -p "$PINS"
	for interface in "${LAB_HOOKS[@]}"; do
		words+=("$interface:$2")
	done
	lab_in router "$LAB_BUILD/tests/schema/old" "$OLD_OBJECT" "$old_pins" "$LAB_DIR/state" "${words[@]}"
}

# What an end in the middle leaves; the hooks go with their links.
rm_beside() {
	lab_in router "$LAB_BUILD/rainbowd" --detach --pin-dir "$PINS/v2" --state-dir "$LAB_DIR/state" >/dev/null 2>&1 || true
	rm -rf -- "$PINS"
}

