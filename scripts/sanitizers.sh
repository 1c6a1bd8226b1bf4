#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Unit tests, the fuzzers' corpora and a choice of bpf and e2e tests with every user program, and the decision core compiled
# natively, built with AddressSanitizer, LeakSanitizer and the undefined behaviour sanitizer. A report of any process fails its
# test (scripts/check.sh). The same build counts the lines that run: scripts/coverage.sh prints them.
#
#   sanitizers.sh [PATTERN]...     for check.sh, instead of the choice
set -euo pipefail

cd "$(dirname "$0")/.."
# The e2e tests together make nearly every API call and command, right and wrong, take up what a killed rainbowd, a reboot or another
# release left, ask ghosts, and end sessions by rainbowd's own segments. The rest moves packets, which is the kernel's, the same with
# and without sanitizers.
readonly CHOICE=(unit/ fuzz/ bpf/test_differential bpf/test_datapath bpf/test_hooks bpf/test_takeover e2e/cli_ e2e/terminal
	e2e/taken_up e2e/short e2e/upgrade e2e/reboot e2e/ghosts e2e/resize)

(($# > 0)) || set -- "${CHOICE[@]}"
export SAN=address,undefined BUILD=build-san
export CFLAGS='-O0 -g --coverage -fprofile-update=atomic' LDFLAGS=--coverage
export ASAN_OPTIONS=detect_leaks=1:exitcode=99
export LSAN_OPTIONS=print_suppressions=0:suppressions=$PWD/tests/lab/lsan.supp
export UBSAN_OPTIONS=print_stacktrace=1
export LAB_PATIENCE=4 # these programs are slow
[[ ! -d $BUILD ]] || find "$BUILD" -name '*.gcda' -delete
exec scripts/check.sh "$@"
