# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The two ends of the comparison with other routers (scripts/bench-peers.sh).
programs += peers/load peers/serve
peers/load_src   := tests/peers/load.c tests/lab/agent.c user/common/addr.c user/common/error.c user/common/text.c
peers/serve_src  := tests/peers/serve.c tests/lab/agent.c user/common/text.c user/common/error.c
