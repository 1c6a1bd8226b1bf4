# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A real Prometheus (Debian's) in a namespace of the lab, and an exporter that it scrapes each second. To be sourced after lib.sh or
# ns.sh. Both listen on the namespace's loopback alone, keep their files in the lab's directory, and end with the lab.
#
#   lab_prometheus_start router
#   lab_expose <<<'agent_cost{version="v1"} 0.38'   # the whole of what is exposed, from now on
#   lab_prometheus_until 15 'agent_cost{version="v1"}' 0.38   # its first scrape comes five seconds after its start
#   lab_expose </dev/null                           # nothing: a second later the query is empty
#   lab_prometheus_freeze; lab_prometheus_thaw      # no answer, so a timeout; and back
#   lab_prometheus_stop                             # connection refused; lab_prometheus_start brings it and its data back

# shellcheck disable=SC2034 # for those who source this
readonly LAB_PROMETHEUS=http://127.0.0.1:9090

# Returns when it answers. At the first start nothing is exposed.
lab_prometheus_start() { # NAMESPACE
	local place=$LAB_DIR/prometheus

	LAB_PROMETHEUS_WHERE=$1
	mkdir -p "$place"
	[[ -e $place/metrics ]] || : >"$place/metrics"
	cat >"$place/prometheus.yml" <<-END
		global: {scrape_interval: 1s, scrape_timeout: 1s}
		scrape_configs:
		  - {job_name: lab, honor_labels: true, static_configs: [{targets: ["127.0.0.1:9091"]}]}
	END
	lab_runs exporter || lab_spawn exporter "$1" /usr/bin/python3 "$LAB_ROOT/tests/lab/exporter.py" 127.0.0.1 9091 "$place/metrics"
	lab_spawn prometheus "$1" prometheus --config.file="$place/prometheus.yml" --storage.tsdb.path="$place/data" \
		--web.listen-address=127.0.0.1:9090 --web.enable-admin-api --log.level=warn
	lab_until 30 'Prometheus to be ready' lab_in "$1" curl -sf --max-time 2 "$LAB_PROMETHEUS/-/ready"
}

# Only Prometheus; the exporter stays. Its data stay, too.
lab_prometheus_stop() {
	lab_end prometheus
}

# It takes connections, as the kernel does that for it, and answers nothing.
lab_prometheus_freeze() {
	kill -s STOP "${LAB_PID[prometheus]}"
}

lab_prometheus_thaw() {
	kill -s CONT "${LAB_PID[prometheus]}"
}

# What is exposed from the next scrape on: stdin, in Prometheus' text format. In one step, so that no scrape sees half of it.
lab_expose() {
	cat >"$LAB_DIR/prometheus/metrics.next"
	mv "$LAB_DIR/prometheus/metrics.next" "$LAB_DIR/prometheus/metrics"
}

# The values that a query gives now, one on each line; none: nothing. Fails if Prometheus does.
lab_prometheus_query() { # QUERY
	lab_in "$LAB_PROMETHEUS_WHERE" curl -sf --max-time 5 --data-urlencode "query=$1" "$LAB_PROMETHEUS/api/v1/query" |
		jq -r '.data.result[].value[1]'
}

_lab_prometheus_says() { # QUERY VALUE
	[[ $(lab_prometheus_query "$1") == "$2" ]]
}

# Waits until the query gives just this value; '': is empty.
lab_prometheus_until() { # SECONDS QUERY VALUE
	lab_until "$1" "Prometheus to say '$3' to $2" _lab_prometheus_says "$2" "$3"
}
