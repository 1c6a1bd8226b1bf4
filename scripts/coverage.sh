#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Which lines of the user code the tests run: builds with gcc --coverage into build-cov/, runs the unit tests, those bpf tests that
# link rainbowd's files, and a choice of e2e tests, and prints a table by gcovr. What a process counted is written when it ends
# in order: of one that a test kills by -9 it is lost, so the figures are a lower bound.
#
#   coverage.sh [PATTERN]...     for check.sh, instead of the choice
set -euo pipefail

cd "$(dirname "$0")/.."
readonly GOAL=90
readonly CHOICE=(unit/ bpf/test_datapath bpf/test_hooks bpf/test_probe e2e/daemon e2e/cli_ e2e/removal e2e/p8_drain_ends e2e/taken_up
	e2e/software e2e/neighbour)
readonly DECISION_CORE='bpf/.*\.h'

lines() { # TITLE FILTER OBJECTS
	printf '\n%s (goal %d %%)\n' "$1" "$GOAL"
	gcovr --root . --object-directory "$3" --filter "$2" --sort-percentage --gcov-ignore-parse-errors "$3" |
		sed -n '/^File/,$p'
}

main() {
	(($# > 0)) || set -- "${CHOICE[@]}"
	export BUILD=build-cov CFLAGS='-O0 -g --coverage -fprofile-update=atomic' LDFLAGS=--coverage
	[[ ! -d $BUILD ]] || find "$BUILD" -name '*.gcda' -delete
	scripts/check.sh "$@"
	lines 'user code' 'user/' "$BUILD"
	# The decision core counts where it is built natively.
	if [[ -n $(find "$BUILD/tests/fuzz" -name '*.gcda' -print -quit 2>/dev/null) ]]; then
		lines 'decision core' "$DECISION_CORE" "$BUILD/tests/fuzz"
	else
		printf '\ndecision core: from the native build, which this tree does not have\n'
	fi
}

main "$@"
