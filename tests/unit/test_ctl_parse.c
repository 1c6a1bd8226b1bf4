// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rainbowctl's command lines, as tables: what each becomes as a request, and how each bad one is refused before anything is sent. */
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "common/error.h"
#include "rainbowctl/command.h"

#define WORDS_MAX 512

/* A line of words between blanks; '' is an empty one. The words point into a copy. */
struct line {
	char *copy;
	char *argv[WORDS_MAX];
	int argc;
};

static void line_split(struct line *line, const char *text)
{
	char *rest;

	line->copy = strdup(text);
	line->argc = 0;
	for (char *word = strtok_r(line->copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(line->argc < WORDS_MAX);
		line->argv[line->argc++] = strcmp(word, "''") ? word : word + 2;
	}
}

static void test_good(void **state)
{
	static const struct {
		const char *line, *method, *path, *body; /* body NULL: none */
	} rows[] = {
	    /* status */
	    {"", "GET", "/v1/status", NULL},
	    {"status", "GET", "/v1/status", NULL},
	    {"status agent", "GET", "/v1/status?service=agent", NULL},
	    {"status -w agent", "GET", "/v1/status?service=agent", NULL},
	    {"-w", "GET", "/v1/status", NULL},
	    {"-o json", "GET", "/v1/status", NULL},
	    {"--socket /x status", "GET", "/v1/status", NULL},
	    {"status -wo json", "GET", "/v1/status", NULL},
	    {"status -ojson", "GET", "/v1/status", NULL},
	    {"status --output=json --ascii", "GET", "/v1/status", NULL},
	    /* services */
	    {"service add agent 10.0.0.1:80", "POST", "/v1/services",
	     "{\"name\":\"agent\",\"address\":\"10.0.0.1:80\",\"protocol\":\"tcp\"}"},
	    {"service add agent 10.0.0.1:80/udp", "POST", "/v1/services",
	     "{\"name\":\"agent\",\"address\":\"10.0.0.1:80\",\"protocol\":\"udp\"}"},
	    {"service add six [2001:DB8::1]:443/tcp --affinity client --selection exact --stray drop --idle-timeout 2h", "POST",
	     "/v1/services",
	     "{\"name\":\"six\",\"address\":\"[2001:db8::1]:443\",\"protocol\":\"tcp\",\"affinity\":\"client\",\"selection\":"
	     "\"exact\",\"stray\":\"drop\",\"idle_timeout\":\"2h\"}"},
	    {"--dry-run service --stray=pass add agent 10.0.0.1:80", "POST", "/v1/services?dry_run=true",
	     "{\"name\":\"agent\",\"address\":\"10.0.0.1:80\",\"protocol\":\"tcp\",\"stray\":\"pass\"}"},
	    {"service add a 10.0.0.1:80 --idle-timeout 14d", "POST", "/v1/services",
	     "{\"name\":\"a\",\"address\":\"10.0.0.1:80\",\"protocol\":\"tcp\",\"idle_timeout\":\"14d\"}"},
	    {"service add a 10.0.0.1:80 --probe-idle 90s", "POST", "/v1/services",
	     "{\"name\":\"a\",\"address\":\"10.0.0.1:80\",\"protocol\":\"tcp\",\"probe_idle\":\"90s\"}"},
	    {"service set a --http on", "PATCH", "/v1/services/a", "{\"http\":true}"},
	    {"service set a --http off", "PATCH", "/v1/services/a", "{\"http\":false}"},
	    {"service set a --probe-idle 0", "PATCH", "/v1/services/a", "{\"probe_idle\":\"0\"}"},
	    {"service set a --idle-timeout 1h --probe-idle 5m", "PATCH", "/v1/services/a",
	     "{\"idle_timeout\":\"1h\",\"probe_idle\":\"5m\"}"},
	    {"service rm agent", "DELETE", "/v1/services/agent", NULL},
	    {"service rm agent -n", "DELETE", "/v1/services/agent?dry_run=true", NULL},
	    {"service list", "GET", "/v1/services", NULL},
	    /* versions */
	    {"version add agent v1 --backend 10.0.1.1:80", "POST", "/v1/services/agent/versions",
	     "{\"label\":\"v1\",\"backends\":[{\"address\":\"10.0.1.1:80\",\"max_sessions\":null}],\"tuple\":{}}"},
	    {"version add agent v1 --backend 10.0.1.1:80,max=5 --backend=10.0.1.2:80 --code 3f9 --model m --prompts p --tools "
	     "t",
	     "POST", "/v1/services/agent/versions",
	     "{\"label\":\"v1\",\"backends\":[{\"address\":\"10.0.1.1:80\",\"max_sessions\":5},{\"address\":\"10.0.1.2:80\","
	     "\"max_sessions\":null}],\"tuple\":{\"code\":\"3f9\",\"model\":\"m\",\"prompts\":\"p\",\"tools\":\"t\"}}"},
	    {"version rm agent v1", "DELETE", "/v1/services/agent/versions/v1", NULL},
	    {"version list", "GET", "/v1/versions", NULL},
	    {"version diff agent v1 v2", "GET", "/v1/services/agent/versions/v1/diff/v2", NULL},
	    {"version env agent v1", "GET", "/v1/services/agent/versions/v1/env", NULL},
	    {"version quarantine agent v1 --reason it&loops=100%", "POST",
	     "/v1/services/agent/versions/v1/quarantine?reason=it%26loops%3D100%25", NULL},
	    {"version unquarantine agent v1", "DELETE", "/v1/services/agent/versions/v1/quarantine", NULL},
	    /* what every change takes */
	    {"undrain agent v1 --if-generation 0 --reason why -n", "POST",
	     "/v1/services/agent/versions/v1/undrain?dry_run=true&reason=why&if_generation=0", "{}"},
	    {"lock agent --reason why", "POST", "/v1/services/agent/lock?reason=why", NULL},
	    {"unlock agent", "DELETE", "/v1/services/agent/lock", NULL},
	    /* the history; -f is the letter of events alone */
	    {"history", "GET", "/v1/history", NULL},
	    {"history agent --limit 5", "GET", "/v1/history?service=agent&limit=5", NULL},
	    {"events -f agent", "GET", "/v1/history?service=agent&limit=20", NULL},
	    {"--socket /x -o json events agent -f", "GET", "/v1/history?service=agent&limit=20", NULL},
	    {"wait agent --for drained=v1 --timeout 30m", "GET", "/v1/status?service=agent", NULL},
	    {"wait agent --for rollout=complete", "GET", "/v1/status?service=agent", NULL},
	    {"version list agent", "GET", "/v1/versions?service=agent", NULL},
	    /* gates */
	    {"gate push agent accuracy v2 --ok --session abc", "POST", "/v1/services/agent/samples",
	     "{\"gate\":\"accuracy\",\"version\":\"v2\",\"session\":\"abc\",\"ok\":true}"},
	    {"gate push agent accuracy v2 --bad --session abc -n", "POST", "/v1/services/agent/samples?dry_run=true",
	     "{\"gate\":\"accuracy\",\"version\":\"v2\",\"session\":\"abc\",\"ok\":false}"},
	    {"gate push agent cost v2 --value -0.5 --session abc", "POST", "/v1/services/agent/samples",
	     "{\"gate\":\"cost\",\"version\":\"v2\",\"session\":\"abc\",\"value\":-0.5}"},
	    {"gate push agent cost v2 -", "POST", "/v1/services/agent/samples", "{\"gate\":\"cost\",\"version\":\"v2\"}"},
	    /* backends */
	    {"backend add agent v1 10.0.1.3:80", "POST", "/v1/services/agent/versions/v1/backends",
	     "{\"address\":\"10.0.1.3:80\",\"max_sessions\":null}"},
	    {"backend add agent v1 10.0.1.3:80,max=7", "POST", "/v1/services/agent/versions/v1/backends",
	     "{\"address\":\"10.0.1.3:80\",\"max_sessions\":7}"},
	    {"backend rm agent v1 10.0.1.3:80", "DELETE", "/v1/services/agent/versions/v1/backends/10.0.1.3%3A80", NULL},
	    {"backend rm agent v1 [2001:db8::1]:80 --dry-run", "DELETE",
	     "/v1/services/agent/versions/v1/backends/%5B2001%3Adb8%3A%3A1%5D%3A80?dry_run=true", NULL},
	    /* weights */
	    {"set-weight agent v1=100", "PUT", "/v1/services/agent/weights", "{\"weights\":{\"v1\":100}}"},
	    {"set-weight agent v1=95 v2=5%", "PUT", "/v1/services/agent/weights", "{\"weights\":{\"v1\":95,\"v2\":5}}"},
	    {"set-weight agent v1=33.3 v2=33.3 v3=33.4", "PUT", "/v1/services/agent/weights",
	     "{\"weights\":{\"v1\":33.3,\"v2\":33.3,\"v3\":33.4}}"},
	    {"set-weight agent v1 v2=0.1", "PUT", "/v1/services/agent/weights", "{\"weights\":{\"v1\":null,\"v2\":0.1}}"},
	    {"set-weight agent v1", "PUT", "/v1/services/agent/weights", "{\"weights\":{\"v1\":null}}"},
	    {"set-weight agent v1=100 v2=0", "PUT", "/v1/services/agent/weights", "{\"weights\":{\"v1\":100,\"v2\":0}}"},
	    {"set-weight agent v1=100 v2", "PUT", "/v1/services/agent/weights", "{\"weights\":{\"v1\":100,\"v2\":null}}"},
	    /* drains, rollbacks, evictions */
	    {"drain agent v1", "POST", "/v1/services/agent/versions/v1/drain", "{}"},
	    {"drain agent v1 --deadline 2h --on-deadline hold --wait", "POST", "/v1/services/agent/versions/v1/drain",
	     "{\"on_deadline\":\"hold\",\"deadline\":\"2h\"}"},
	    {"drain --deadline none agent v1", "POST", "/v1/services/agent/versions/v1/drain", "{\"deadline\":\"none\"}"},
	    {"undrain agent v1", "POST", "/v1/services/agent/versions/v1/undrain", "{}"},
	    {"rollback agent", "POST", "/v1/services/agent/rollback", "{}"},
	    {"rollback agent --to v1 --sessions reset", "POST", "/v1/services/agent/rollback",
	     "{\"to\":\"v1\",\"sessions\":\"reset\"}"},
	    {"evict agent v1", "POST", "/v1/services/agent/versions/v1/evict", "{}"},
	    {"evict agent v1 --older-than 1h30m --rate 50/s", "POST", "/v1/services/agent/versions/v1/evict",
	     "{\"older_than\":\"1h30m\",\"rate\":50}"},
	    /* steers */
	    {"steer add agent 10.9.0.0/16 v2", "POST", "/v1/services/agent/steers",
	     "{\"range\":\"10.9.0.0/16\",\"version\":\"v2\"}"},
	    {"steer add agent 10.9.0.7 v2", "POST", "/v1/services/agent/steers",
	     "{\"range\":\"10.9.0.7/32\",\"version\":\"v2\"}"},
	    {"steer rm agent 10.9.0.0/16", "DELETE", "/v1/services/agent/steers/10.9.0.0%2F16", NULL},
	    {"steer rm agent 2001:db8::/32", "DELETE", "/v1/services/agent/steers/2001%3Adb8%3A%3A%2F32", NULL},
	    {"steer list", "GET", "/v1/steers", NULL},
	    /* looking */
	    {"sessions agent", "GET", "/v1/services/agent/sessions", NULL},
	    {"sessions agent --version v1 --older-than 1h --limit 10", "GET",
	     "/v1/services/agent/sessions?version=v1&older_than=1h&limit=10", NULL},
	    {"whois 10.9.3.4:51522", "GET", "/v1/whois?client=10.9.3.4%3A51522", NULL},
	    {"whois [2001:db8::9]:1 agent", "GET", "/v1/whois?client=%5B2001%3Adb8%3A%3A9%5D%3A1&service=agent", NULL},
	    {"explain agent 10.9.3.4:51522", "GET", "/v1/services/agent/explain?client=10.9.3.4%3A51522", NULL},
	    {"doctor", "GET", "/v1/doctor", NULL},
	    {"detach", "POST", "/v1/detach", "{}"},
	    {"detach --yes", "POST", "/v1/detach", "{}"},
	    {"detach -yn", "POST", "/v1/detach?dry_run=true", "{}"},
	    /* documents: the body comes from the file */
	    {"plan -f rainbow.yaml", "POST", "/v1/apply?dry_run=true", NULL},
	    {"apply --file=-", "POST", "/v1/apply", NULL},
	    {"apply -f x -n", "POST", "/v1/apply?dry_run=true", NULL},
	    {"export", "GET", "/v1/export", NULL},
	    {"export agent -o json", "GET", "/v1/export?service=agent", NULL},
	    {"complete services", "GET", "/v1/services", NULL},
	    {"complete labels agent", "GET", "/v1/versions?service=agent", NULL},
	    {"undrain -- agent v1", "POST", "/v1/services/agent/versions/v1/undrain", "{}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error err = {ERROR_NONE};
		struct invocation invocation;
		struct line line;
		char *body;
		int rc;

		line_split(&line, rows[i].line);
		rc = invocation_parse(line.argc, line.argv, &invocation, &err);
		row_assert(!rc, rows[i].line, "refused: %s: %s", err.field, err.message);
		row_assert(!strcmp(invocation.request.method, rows[i].method), rows[i].line, "method %s",
			   invocation.request.method);
		row_assert(!strcmp(invocation.request.path, rows[i].path), rows[i].line, "path %s", invocation.request.path);
		body = json_dumps(invocation.request.body, JSON_COMPACT | JSON_REAL_PRECISION(15));
		row_assert(rows[i].body ? body && !strcmp(body, rows[i].body) : !body, rows[i].line, "body %s",
			   body ? body : "none");
		free(body);
		invocation_fini(&invocation);
		free(line.copy);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *line, *field, *complaint;
	} rows[] = {
	    /* commands */
	    {"frobnicate", "", "unknown command 'frobnicate': 'rainbowctl --help'"},
	    {"statsu", "", "did you mean 'status'?"},
	    {"''", "", "unknown command ''"},
	    {"service", "", "'service' needs one of: add, set, rm, list"},
	    {"service ad x", "", "did you mean 'service add'?"},
	    {"service frobnicate", "", "'service' takes one of: add, set, rm, list"},
	    {"backend list", "", "'backend' takes one of: add, rm"},
	    {"complet", "", "did you mean 'completion'?"},
	    {"help statsu", "", "did you mean 'status'?"},
	    {"statsu --help", "", "did you mean 'status'?"},
	    {"completion zsh", "", "there is one for bash"},
	    {"completion", "", "bash is missing"},
	    {"complete versions", "", "none of services, labels"},
	    /* gates */
	    {"gate", "", "'gate' needs one of: push"},
	    {"gate push agent accuracy v2", "", "--session ID is missing"},
	    {"gate push agent accuracy v2 --session a", "", "give one of --ok, --bad, --value N"},
	    {"gate push agent accuracy v2 --session a --ok --bad", "", "give one of --ok, --bad, --value N"},
	    {"gate push agent accuracy v2 --session a --ok --value 1", "", "give one of --ok, --bad, --value N"},
	    {"gate push agent cost v2 --session a --value 1x", "--value", "'1x' is no number"},
	    {"gate push agent cost v2 --session a --value inf", "--value", "'inf' is no number"},
	    {"gate push agent a/b v2 --session a --ok", "GATE", ""},
	    {"gate push agent accuracy v/2 --session a --ok", "VERSION", ""},
	    {"gate push agent accuracy v2 x", "", "unexpected word 'x'"},
	    {"gate push agent accuracy v2 - --ok", "-", "come from stdin"},
	    {"gate push agent accuracy", "", "VERSION is missing"},
	    /* options */
	    {"drain a b --deadlin 2h", "", "did you mean --deadline?"},
	    {"--frobnicate", "", "unknown option '--frobnicate'"},
	    {"-x", "", "unknown option '-x'"},
	    {"-wx", "", "unknown option '-wx'"},
	    {"status --dry-run", "--dry-run", "'status' changes nothing"},
	    {"status --deadline 2h", "--deadline", "no option of 'status'"},
	    {"drain a b -w", "--watch", "no option of 'drain'"},
	    {"status --watch=yes", "", "--watch takes no value"},
	    {"status --output", "--output", "its value is missing"},
	    {"status -o", "--output", "its value is missing"},
	    {"status --output=", "--output", "its value is empty"},
	    {"status --socket ''", "--socket", "its value is empty"},
	    {"status -o jsn", "--output", "did you mean json?"},
	    {"status -o yaml", "--output", "'yaml' is none of table, json"},
	    {"status -o json -o table", "--output", "given twice, as 'json' and 'table'"},
	    {"service add a 10.0.0.1:80 --affinity clients", "--affinity", "did you mean client?"},
	    {"service add a 10.0.0.1:80 --selection random", "--selection", "none of hash, exact"},
	    {"service add a 10.0.0.1:80 --stray rest", "--stray", "did you mean reset?"},
	    {"drain a b --on-deadline keep", "--on-deadline", "none of reset, hold"},
	    {"rollback a --sessions kep", "--sessions", "did you mean keep?"},
	    /* arguments */
	    {"status a b", "", "unexpected word 'b'"},
	    {"service add", "", "NAME is missing"},
	    {"service add a", "", "ADDR:PORT[/tcp|udp] is missing"},
	    {"service list a", "", "unexpected word 'a'"},
	    {"set-weight", "", "SERVICE is missing"},
	    {"set-weight a", "", "LABEL=PERCENT is missing"},
	    {"drain a", "", "LABEL is missing"},
	    {"drain '' v1", "SERVICE", "it is empty"},
	    {"status -- -w", "SERVICE", "must begin with a letter or digit"},
	    {"status ''", "SERVICE", "empty"},
	    {"steer add a 10.0.0.0/8", "", "LABEL is missing"},
	    {"whois", "", "ADDR:PORT is missing"},
	    {"doctor now", "", "unexpected word 'now'"},
	    /* names */
	    {"service rm ../etc", "NAME", "must begin with a letter or digit"},
	    {"drain a/b v1", "SERVICE", "character 2"},
	    {"drain a v1?x", "LABEL", "character 3"},
	    {"rollback a --to v/1", "--to", "character 2"},
	    {"sessions a --version v:1", "--version", "character 2"},
	    {"version add a aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa --backend 10.0.0.1:80", "LABEL", "at most 31"},
	    {"whois 10.0.0.1:80 a:b", "SERVICE", "character 2"},
	    /* addresses */
	    {"service add a 10.0.0.1", "ADDR:PORT", "the port is missing"},
	    {"service add a 10.0.0.1:80/sctp", "ADDR:PORT", "'sctp' is none of tcp, udp"},
	    {"service add a 10.0.0.1:80/", "ADDR:PORT", "'' is none of tcp, udp"},
	    {"service add a 127.0.0.1:80", "ADDR:PORT", "a loopback address"},
	    {"service add a 0.0.0.0:80", "ADDR:PORT", "an unspecified address"},
	    {"service add a 224.0.0.1:80/udp", "ADDR:PORT", "a multicast address"},
	    {"service add a [::1]:80", "ADDR:PORT", "a loopback address"},
	    {"version add a v1 --backend 169.254.0.1:80", "--backend", "a link-local address"},
	    {"backend add a v1 [fe80::1]:80", "ADDR:PORT", "a link-local address"},
	    {"backend add a v1 10.0.0.1:80/tcp", "ADDR:PORT", "is not a port"},
	    {"backend add a v1 10.0.0.1:80,max=0", "ADDR:PORT", "out of range: give 1 to"},
	    {"backend add a v1 10.0.0.1:80,max=", "ADDR:PORT", "not a whole number"},
	    {"backend add a v1 10.0.0.1:80,min=1", "ADDR:PORT", "only ,max=N may follow"},
	    {"backend add a v1 10.0.0.1:80,", "ADDR:PORT", "only ,max=N may follow"},
	    {"backend rm a v1 10.0.0.1", "ADDR:PORT", "the port is missing"},
	    {"version add a v1", "", "--backend ADDR:PORT[,max=N] is missing: give at least one"},
	    {"version add a v1 --backend 10.0.0.1:80 --backend 10.0.0.1:80,max=2", "--backend", "is given twice"},
	    {"version add a v1 --backend 10.0.0.1:80 --backend [2001:db8::1]:80", "--backend", "do not mix"},
	    {"version add a v1 --backend 10.0.0.1:80,max=4294967296", "--backend", "out of range"},
	    {"explain a 10.0.0.1", "ADDR:PORT", "the port is missing"},
	    {"whois 2001:db8::1:80", "ADDR:PORT", "in brackets"},
	    {"steer add a 10.0.0.1/24 v1", "CIDR", "did you mean 10.0.0.0/24?"},
	    {"steer rm a 10.0.0.0/33", "CIDR", "'33' is not a prefix length"},
	    /* durations, rates, numbers */
	    {"service add a 10.0.0.1:80 --idle-timeout 10", "--idle-timeout", "a number needs a unit"},
	    {"service add a 10.0.0.1:80 --idle-timeout 15d", "--idle-timeout", "at most 14d"},
	    {"service set a --probe-idle 15d", "--probe-idle", "at most 14d"},
	    {"service set a --probe-idle 5", "--probe-idle", "a number needs a unit"},
	    {"service set a", "", "nothing to set"},
	    {"lint", "", "--file FILE is missing"},
	    {"lint -f x --socket y", "--socket", "no option of 'lint'"},
	    {"plan -f x -n", "--dry-run", "changes nothing"},
	    {"plan -f x -f y", "--file", "given twice"},
	    {"export !", "SERVICE", "must begin with a letter"},
	    {"import", "", "needs one of: endpointslices"},
	    {"import endpointslice -f x", "", "did you mean 'import endpointslices'"},
	    {"import endpointslices -f x --address 10.0.0.1", "--address", "port is missing"},
	    {"import endpointslices -f - --pods -", "--pods", "stdin is read"},
	    {"drain a v1 --deadline 24", "--deadline", "a number needs a unit"},
	    {"drain a v1 --deadline 0s", "--deadline", "longer than zero"},
	    {"drain a v1 --deadline never", "--deadline", "not a duration"},
	    {"drain a v1 --deadline -5m", "--deadline", "without a sign"},
	    {"evict a v1 --older-than none", "--older-than", "not a duration"},
	    {"evict a v1 --rate 100", "--rate", "write 100/s"},
	    {"evict a v1 --rate 100/m", "--rate", "write 100/s"},
	    {"evict a v1 --rate 0/s", "--rate", "out of range"},
	    {"evict a v1 --rate /s", "--rate", "not a whole number"},
	    {"evict a v1 --rate 1/s/s", "--rate", "write 100/s"},
	    {"evict a v1 --rate 99999999999999999999999999999999/s", "--rate", "out of range"},
	    {"sessions a --limit 0", "--limit", "out of range"},
	    {"sessions a --limit ten", "--limit", "not a whole number"},
	    {"sessions a --older-than 5", "--older-than", "a number needs a unit"},
	    /* weights */
	    {"set-weight a v1=95 v2=4", "LABEL=PERCENT", "sum to 99 %, and 1 is missing"},
	    {"set-weight a v1=95 v2=5.1", "LABEL=PERCENT", "sum to 100.1 %, which is 0.1 too much"},
	    {"set-weight a v1=95 v2=6 v3", "LABEL=PERCENT", "sum to 101 %, which is 1 too much"},
	    {"set-weight a v1=0", "LABEL=PERCENT", "sum to 0 %, and 100 is missing"},
	    {"set-weight a v1 v2", "LABEL=PERCENT", "'v1' and 'v2' are both without a number"},
	    {"set-weight a v1=50 v1=50", "LABEL=PERCENT", "given twice"},
	    {"set-weight a v1 v1=50", "LABEL=PERCENT", "given twice"},
	    {"set-weight a v1=101", "v1=101", "out of range"},
	    {"set-weight a v1=-1 v2=101", "v1=-1", "negative"},
	    {"set-weight a v1=12.55 v2", "v1=12.55", "steps of 0.1"},
	    {"set-weight a v1=", "v1=", "not a percentage"},
	    {"set-weight a =5 v2", "LABEL=PERCENT", "empty"},
	    {"set-weight a v1=5=5", "v1=5=5", "not a percentage"},
	    {"set-weight a v1=nan", "v1=nan", "not a percentage"},
	    /* what every change takes, and no read */
	    {"set-weight a v1=100 --if-generation -1", "--if-generation", "not a whole number"},
	    {"set-weight a v1=100 --if-generation 4294967296", "--if-generation", "out of range"},
	    {"status --reason why", "--reason", "no option of 'status'"},
	    {"history --if-generation 1", "--if-generation", "no option of 'history'"},
	    {"drain a v1 --reason \xff", "--reason", "is not UTF-8"},
	    {"drain a v1 --reason \x07", "--reason", "control character"},
	    /* locks, history, waiting */
	    {"lock a", "", "--reason TEXT is missing"},
	    {"version quarantine a v1", "", "--reason TEXT is missing"},
	    {"version diff a v1", "", "B is missing"},
	    {"history --limit 1001", "--limit", "out of range"},
	    {"apply -f a --if-generation 3", "--if-generation", "no option"}, /* a generation is a service's */
	    {"service add a 10.0.0.1:80 --if-generation 3", "--if-generation", "no option"},
	    {"status -f", "--file", "value is missing"},
	    {"status --follow", "--follow", "no option of 'status'"},
	    {"wait a", "", "--for"},
	    {"wait a --for v1", "--for", "none of rollout=complete, drained=LABEL"},
	    {"wait a --for rollout=held", "--for", "none of rollout=complete"},
	    {"wait a --for drained=", "--for", "name is empty"},
	    {"wait a --for drained=v1 --timeout 5", "--timeout", "a number needs a unit"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error err = {ERROR_NONE};
		struct invocation invocation;
		struct line line;
		int rc;

		line_split(&line, rows[i].line);
		rc = invocation_parse(line.argc, line.argv, &invocation, &err);
		row_assert(rc == -ERROR_BAD_INPUT && err.code == ERROR_BAD_INPUT, rows[i].line, "returned %d", rc);
		row_assert(!strcmp(err.field, rows[i].field), rows[i].line, "field '%s': %s", err.field, err.message);
		row_assert(strstr(err.message, rows[i].complaint), rows[i].line, "said: %s", err.message);
		invocation_fini(&invocation);
		free(line.copy);
	}
}

static void test_help(void **state)
{
	static const struct {
		const char *line, *topic, *command; /* command NULL: an overview */
	} rows[] = {
	    {"--help", "", NULL},
	    {"-h", "", NULL},
	    {"help", "", NULL},
	    {"help drain", "drain", "drain"},
	    {"help service", "service", NULL},
	    {"help service add", "service add", "service add"},
	    {"service --help", "service", NULL},
	    {"--help service", "service", NULL},
	    {"service add --help", "service add", "service add"},
	    {"set-weight -h", "set-weight", "set-weight"},
	    {"drain a b --help --deadline 5", "drain", "drain"}, /* help, whatever else is wrong */
	    {"completion --help", "completion", "completion"},
	    {"explain --help", "explain", "explain"}, /* a command, and the first word of another */
	    {"explain gate --help", "explain gate", "explain gate"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error err = {ERROR_NONE};
		struct invocation invocation;
		struct line line;
		int rc;

		line_split(&line, rows[i].line);
		rc = invocation_parse(line.argc, line.argv, &invocation, &err);
		row_assert(!rc, rows[i].line, "refused: %s", err.message);
		row_assert(invocation.help_topic && !strcmp(invocation.help_topic, rows[i].topic), rows[i].line, "topic %s",
			   invocation.help_topic ? invocation.help_topic : "none");
		row_assert(rows[i].command ? invocation.command && !strcmp(invocation.command->name, rows[i].command)
					   : !invocation.command,
			   rows[i].line, "another command");
		invocation_fini(&invocation);
		free(line.copy);
	}
}

/* The table keeps its own rules: each row is whole, its required options are its own, its example is accepted. */
static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = &commands[i];
		struct error err = {ERROR_NONE};
		struct invocation invocation;
		struct line line;

		row_assert(!(command->required & ~command->options), command->name, "requires what it does not take");
		row_assert(command_find(command->name) == command, command->name, "is twice in the table");
		if (!command->summary)
			continue;
		row_assert(command->example && strstr(command->example, "rainbowctl "), command->name, "has no example");
		line_split(&line, strstr(command->example, "rainbowctl ") + strlen("rainbowctl "));
		if (line.argv[line.argc - 1][strlen(line.argv[line.argc - 1]) - 1] == ')')
			line.argv[line.argc - 1][strlen(line.argv[line.argc - 1]) - 1] = '\0';
		row_assert(!invocation_parse(line.argc, line.argv, &invocation, &err), command->name, "its example: %s",
			   err.message);
		row_assert(invocation.command == command || !strcmp(command->name, "help"), command->name,
			   "its example is of another");
		invocation_fini(&invocation);
		free(line.copy);
	}
}

/* As many words as one likes: refused or taken, nothing breaks. */
static void test_many_words(void **state)
{
	static const char *const parts[] = {"set-weight a", "version add a v1", "status", "help"};
	static const char *const repeated[] = {" v1=1",       " --backend 10.0.0.1:80", " -w", " x", " -o", " --=", " -",
					       " --socket=/a"};

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++) {
		for (size_t j = 0; j < COUNT(repeated); j++) {
			char text[16 * 400] = "";
			struct invocation invocation;
			struct error err;
			struct line line;

			strcat(text, parts[i]);
			for (size_t n = 0; n < 240; n++)
				strcat(text, repeated[j]);
			line_split(&line, text);
			invocation_parse(line.argc, line.argv, &invocation, &err);
			invocation_fini(&invocation);
			free(line.copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),  cmocka_unit_test(test_bad),        cmocka_unit_test(test_help),
	    cmocka_unit_test(test_table), cmocka_unit_test(test_many_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
