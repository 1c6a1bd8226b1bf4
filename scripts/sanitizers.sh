#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Unit tests and a choice of e2e tests with every user program built with AddressSanitizer, LeakSanitizer and the undefined
# behaviour sanitizer. A report of any process fails its test (scripts/check.sh). The choice: together these ask every API
# call, end sessions in every way, and start rainbowd on what another left.
#
#   sanitizers.sh [PATTERN]...     for check.sh, instead of the choice
set -euo pipefail

cd "$(dirname "$0")/.."
# The datapath is the same with and without sanitizers: what only moves packets is left out.
readonly CHOICE=(unit/ e2e/daemon e2e/cli_input e2e/removal e2e/p6_acknowledged e2e/p8_drain_ends e2e/taken_up)

(($# > 0)) || set -- "${CHOICE[@]}"
export SAN=address,undefined BUILD=build-san
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99:${ASAN_OPTIONS:-}
export LSAN_OPTIONS=print_suppressions=0:suppressions=$PWD/tests/lab/lsan.supp:${LSAN_OPTIONS:-}
export UBSAN_OPTIONS=print_stacktrace=1:${UBSAN_OPTIONS:-}
exec scripts/check.sh "$@"
