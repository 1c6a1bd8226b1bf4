#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The short form of `make torture` (scripts/torture.sh): 2,000 real sessions under a schedule drawn from a seed, on a TC hook.
# Takes 75 s.
exec "$(dirname "$0")/../../scripts/torture.sh" SESSIONS="${SESSIONS:-2000}" TIME="${TIME:-25s}" TOPOLOGY=routed
