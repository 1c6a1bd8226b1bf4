#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The tables of docs/comparison.md, from the results of scripts/bench-peers.sh.

usage: table.py RESULTS [DOCUMENT]

Performance is told as ratio to plain forwarding in the same round: the median over the rounds, and the quartiles. With DOCUMENT
the tables replace what is there between the two markers; without, they are printed.
"""
import json
import statistics
import sys

BEGIN, END = "<!-- bench-peers: begin -->", "<!-- bench-peers: end -->"

NAMES = {
    "direct": "direct",
    "rainbow-tc": "rainbow TC",
    "nftables": "nftables",
    "haproxy": "HAProxy",
    "nginx": "nginx",
    "direct-plain": "direct, no offloads",
    "rainbow-xdp": "rainbow XDP",
}
FLOOR = {"rainbow-xdp": "direct-plain"}  # of all others: direct

# row, what it is, unit, what rainbow shall reach: (at least | at most, ratio)
PERFORMANCE = [
    ("requests", "requests a second", "/s", (">=", 0.95)),
    ("request_p50", "... time to answer, median", "µs", None),
    ("request_p99", "... p99", "µs", None),
    ("alone_p50", "one connection alone: time to answer, median", "µs", None),
    ("alone_p99", "... p99", "µs", None),
    ("connects", "new connections a second", "/s", None),
    ("up", "bulk to the backend", "Gb/s", (">=", 0.95)),
    ("down", "bulk from the backend", "Gb/s", (">=", 0.95)),
    ("request_cpu", "CPU a request", "µs", ("<=", 1.10)),
    ("connect_cpu", "CPU a new connection", "µs", ("<=", 1.15)),
]
HIGHER_IS_BETTER = {"requests", "connects", "up", "down"}
SYN_GOAL, MEMORY_GOAL = 1.0, 176
SYNS = [
    ("CPU a spoofed SYN, beyond direct", "syn_cpu", f"at most +{SYN_GOAL:.2f} µs"),
    ("... beyond one that the router drops", "syn_sunk_cpu", ""),
]

BEHAVIOUR = [
    ("weights", "weight change"),
    ("drain", "drain"),
    ("reload", "reload"),
    ("crash", "kill -9 and restart"),
    ("flood", "SYN flood"),
]


def read(path):
    with open(path, encoding="utf-8") as lines:
        results = [json.loads(line) for line in lines]
    machine = next(r for r in results if r["row"] == "machine")
    return machine, [r for r in results if r["row"] != "machine"]


def number(value):
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def with_spread(values, is_bold=False):
    low, high = quartiles(values)
    median = f"{statistics.median(values):.2f}"
    return f"**{median}** ({low:.2f}-{high:.2f})" if is_bold else f"{median} ({low:.2f}-{high:.2f})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


class Performance:
    """The values of each row by contender and round, and what they are beside their floor."""

    def __init__(self, results):
        self.values = {}
        for r in results:
            if "round" in r:
                self.values.setdefault((r["row"], r["contender"]), {})[r["round"]] = r["value"]

    def beside_floor(self, row, contender, compare):
        floor = self.values.get((row, FLOOR.get(contender, "direct")), {})
        own = self.values.get((row, contender), {})
        return [compare(own[n], floor[n]) for n in sorted(own) if n in floor]

    def ratios(self, row, contender):
        return self.beside_floor(row, contender, lambda own, floor: own / floor)

    def is_short(self, row, contender, goal):
        """Whether rainbow misses its goal, or stays behind nftables."""
        own = statistics.median(self.ratios(row, contender))
        if goal and (own < goal[1] if goal[0] == ">=" else own > goal[1]):
            return True
        peer = self.ratios(row, "nftables") if contender == "rainbow-tc" else []
        if not peer:
            return False
        peer = statistics.median(peer)
        return own < peer if row in HIGHER_IS_BETTER else own > peer

    def cell(self, row, contender, unit, goal):
        if contender.startswith("direct"):
            return f"{number(statistics.median(self.values[row, contender].values()))} {unit}"
        if not (ratios := self.ratios(row, contender)):
            return "-"
        return with_spread(ratios, contender.startswith("rainbow") and self.is_short(row, contender, goal))

    def syn_cell(self, contender, floor_row):
        """What a spoofed SYN takes beyond the same in the floor's row: to one that is forwarded, or one that the router drops."""
        floor = self.values.get((floor_row, FLOOR.get(contender, contender if contender.startswith("direct") else "direct")), {})
        own = self.values.get(("syn_cpu", contender), {})
        if not (beyond := [own[n] - floor[n] for n in sorted(own) if n in floor]):
            return "-"
        if not any(beyond):
            return "0"
        low, high = quartiles(beyond)
        median = f"{statistics.median(beyond):+.2f}"
        if floor_row == "syn_cpu" and contender.startswith("rainbow") and statistics.median(beyond) > SYN_GOAL:
            median = f"**{median}**"
        return f"{median} ({low:+.2f} to {high:+.2f}) µs"


    def arrived_cell(self, contender):
        return f"{100 * statistics.median(self.values['syn_arrived', contender].values()):.0f} %"


def performance_lines(results):
    performance = Performance(results)
    contenders = [c for c in NAMES if ("requests", c) in performance.values]
    rows = []
    for row, what, unit, goal in PERFORMANCE:
        text = f"{'at least' if goal[0] == '>=' else 'at most'} {goal[1]:.2f}" if goal else ""
        rows.append([what] + [performance.cell(row, c, unit, goal) for c in contenders] + [text])
    for what, floor_row, goal in SYNS:
        rows.append([what] + [performance.syn_cell(c, floor_row) for c in contenders] + [goal])
    rows.append(["... SYNs that arrived"] + [performance.arrived_cell(c) for c in contenders] + [""])
    return table([""] + [NAMES[c] for c in contenders] + ["goal of rainbow"], rows) if contenders else []


def losses(result):
    parts = [f"{result[k]:,} {k}" for k in ("moved", "lost") if result[k]]
    return ", ".join(parts) if parts else "0"


def counted(result):
    """What the contender shows when a tenth of the clients has vanished."""
    if result["shown"] is None:
        return "not told"
    ghosts = sum(result["shown"].values()) - sum(result["live"].values())
    is_exact = all(result["shown"].get(v, 0) == n for v, n in result["live"].items())
    return "exact" if is_exact else f"{ghosts:,} of {result['gone']:,} ghosts counted as live"


def after_reload(result):
    return "not told" if result["shown"] is None else f"{result['shown']:,} of {result['sessions'] - result['lost']:,}"


def memory(result):
    bytes_ = f"{result['bytes']:,}"
    is_short = result["contender"].startswith("rainbow") and result["bytes"] > MEMORY_GOAL
    return f"**{bytes_}** bytes" if is_short else f"{bytes_} bytes"


def behaviour_lines(machine, results):
    by = {(r["row"], r["contender"]): r for r in results if "round" not in r}
    contenders = [c for c in NAMES if ("weights", c) in by]

    def row(what, key, render, goal):
        return [what] + [render(by[key, c]) if (key, c) in by else "-" for c in contenders] + [goal]

    rows = [row(f"{what}: sessions of {machine['sessions']:,} moved or lost", key, losses, "0") for key, what in BEHAVIOUR]
    rows.append(row("... spoofed SYNs", "flood_fresh", lambda r: f"{r['syns']:,}", ""))
    rows.append(row("... new sessions refused meanwhile", "flood_fresh", lambda r: f"{r['refused']:,} of {r['opened'] + r['refused']:,}", "0"))
    rows.append(row("live sessions by version are told by", "counts", lambda r: r["by"], ""))
    rows.append(row("... with a tenth of the clients vanished", "counts", counted, "exact"))
    rows.append(row("... of those that live, told behind a reload", "reload", after_reload, "all"))
    rows.append(row("memory of an idle session", "memory", memory, f"at most {MEMORY_GOAL} bytes"))
    rows.append(row("... all in use with them", "memory", lambda r: f"{number(r['after'] / 1e6)} MB at {r['sessions']:,}", ""))
    return table([""] + [NAMES[c] for c in contenders] + ["goal of rainbow"], rows) if contenders else []


def head_lines(machine):
    releases = ", ".join(f"{NAMES[c].replace(' TC', '')} {v}" for c, v in machine["releases"].items() if c != "direct")
    virtual = ", virtual" if machine["virtual"] not in ("none", "") else ""
    return [
        f"Machine: {machine['cpu']}, {machine['cores']} cores{virtual}, Linux {machine['kernel']}. {releases}.",
        f"{machine['rounds']} rounds, cells of {machine['ms'] / 1000:g} s, {machine['connections']} connections. "
        "Bold: short of the goal, or behind nftables.",
        "",
    ]


def document_write(path, lines):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"table.py: {path} has not the two markers {BEGIN} and {END}, once each, to write between")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n" + "\n".join(lines) + END + after)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    machine, results = read(sys.argv[1])
    lines = head_lines(machine) + performance_lines(results) + behaviour_lines(machine, results)
    print("\n".join(lines))
    if len(sys.argv) == 3:
        document_write(sys.argv[2], lines)


if __name__ == "__main__":
    main()
