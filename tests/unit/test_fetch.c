// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/fetch.c against a real web server, plain and with TLS, and against a name server that says nothing. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <event2/event.h>
#include <jansson.h>
#include "tests/unit/table_test.h"
#include "tests/unit/web.h"
#include "rainbowd/fetch.h"
#include "rainbowd/token.h"

#define MANY 100

static char directory[64];
static struct web web;
static struct event_base *base;
static struct fetch *fetch;

/* What a callback got; it is the callback's argument. */
struct heard {
	int calls, status;
	enum fetch_outcome outcome;
	char body[600], redirect[200], reason[600];
	size_t length;
	int *left; /* how many are awaited; at 0 the loop is left */
};

static void on_answer(const struct fetch_answer *answer, void *arg)
{
	struct heard *heard = arg;

	heard->calls++;
	heard->outcome = answer->outcome;
	heard->status = answer->status;
	heard->length = answer->length;
	snprintf(heard->body, sizeof(heard->body), "%s", answer->body);
	snprintf(heard->redirect, sizeof(heard->redirect), "%s", answer->redirect ? answer->redirect : "");
	snprintf(heard->reason, sizeof(heard->reason), "%s", answer->reason);
	if (heard->left && --*heard->left == 0)
		event_base_loopbreak(base);
}

/* --- the ground ------------------------------------------------------------------------------------------------------------------ */

static const char *path_of(const char *name)
{
	static char path[2][128];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", directory, name);
	return path[turn];
}

static const char *write_file(const char *name, const char *text, size_t length)
{
	const char *path = path_of(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, length), (ssize_t)length);
	close(fd);
	return path;
}

static int setup(void **state)
{
	struct error err;

	(void)state;
	base = event_base_new();
	return fetch_new(&fetch, base, &err);
}

static int teardown(void **state)
{
	(void)state;
	fetch_free(fetch);
	event_base_free(base);
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
	event_base_loopbreak(base);
}

/* Runs the loop until it is left; never for more than ten seconds. */
static void run(void)
{
	const struct timeval patience = {10, 0};
	bool late = false;
	struct event *timer = evtimer_new(base, on_patience, &late);

	event_add(timer, &patience);
	event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
	event_free(timer);
	assert_false(late);
}

static void ask(struct heard *heard, int *left, const char *url, const struct fetch_question *rest)
{
	struct fetch_question question = rest ? *rest : (struct fetch_question){.timeout = {5000}};

	memset(heard, 0, sizeof(*heard));
	heard->left = left;
	question.url = url;
	assert_int_equal(fetch_ask(fetch, &question, on_answer, heard), 0);
	assert_int_equal(heard->calls, 0); /* never from in there */
}

static const char *at(const char *path)
{
	static char url[256];

	snprintf(url, sizeof(url), "%s%s", web.url, path);
	return url;
}

static void ask_alone(struct heard *heard, const char *url, const struct fetch_question *rest)
{
	int left = 1;

	ask(heard, &left, url, rest);
	run();
	assert_int_equal(heard->calls, 1);
}

/* --- what is sent ---------------------------------------------------------------------------------------------------------------- */

static void assert_said(const struct heard *heard, const char *key, const char *value)
{
	json_t *said = json_loads(heard->body, 0, NULL);
	const char *text = json_string_value(json_object_get(said, key));

	row_assert(value ? text && strcmp(text, value) == 0 : !text, key, "%s", heard->body);
	json_decref(said);
}

static void test_get_and_post(void **state)
{
	struct heard heard;

	(void)state;
	ask_alone(&heard, at("/echo?query=a%20b"), NULL);
	assert_int_equal(heard.outcome, FETCH_ANSWERED);
	assert_int_equal(heard.status, 200);
	assert_string_equal(heard.reason, "");
	assert_said(&heard, "method", "GET");
	assert_said(&heard, "path", "/echo?query=a%20b");
	assert_said(&heard, "authorization", NULL);
	ask_alone(&heard, at("/echo"), &(struct fetch_question){.body = "{\"a\":1}"});
	assert_said(&heard, "method", "POST");
	assert_said(&heard, "type", "application/json");
	assert_said(&heard, "body", "{\"a\":1}");
	ask_alone(&heard, at("/status/503"), NULL);
	assert_int_equal(heard.outcome, FETCH_ANSWERED);
	assert_int_equal(heard.status, 503);
	assert_string_equal(heard.body, "first line\nanswer 503\n\n");
}

static void test_proxies_of_the_environment_are_not_asked(void **state)
{
	struct heard heard;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	ask_alone(&heard, at("/echo"), NULL);
	assert_int_equal(heard.outcome, FETCH_ANSWERED);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

static void test_token(void **state)
{
	char large[TOKEN_MAX + 1];
	const struct {
		const char *name, *text;
		size_t length;
		const char *sent, *refusal; /* sent NULL: refused */
	} rows[] = {
	    {"plain", "s3cret", 6, "Bearer s3cret", NULL},
	    {"newline at the end", "s3cret\n", 7, "Bearer s3cret", NULL},
	    {"two of them", "s3cret\n\n", 8, NULL, "one line"},
	    {"a header behind it", "s3cret\r\nX: y", 12, NULL, "one line"},
	    {"blank", "s3 cret", 7, NULL, "one line"},
	    {"NUL", "s3\0cret", 7, NULL, "one line"},
	    {"empty", "", 0, NULL, "one line"},
	    {"only a newline", "\n", 1, NULL, "one line"},
	    {"too large", large, sizeof(large), NULL, "too large"},
	};
	struct heard heard;

	(void)state;
	memset(large, 'x', sizeof(large));
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *path = write_file("token", rows[i].text, rows[i].length);

		ask_alone(&heard, at("/echo"), &(struct fetch_question){.token_file = path});
		if (rows[i].sent) {
			assert_said(&heard, "authorization", rows[i].sent);
			continue;
		}
		row_assert(heard.outcome == FETCH_FAILED && heard.status == 0, rows[i].name, "sent: %s", heard.body);
		row_assert(strstr(heard.reason, rows[i].refusal) && strstr(heard.reason, path), rows[i].name, "%s",
			   heard.reason);
	}
}

/* It is read at each question: a new one is in force at once. */
static void test_token_is_renewed_and_missing(void **state)
{
	const struct fetch_question question = {.token_file = path_of("renewed")};
	struct heard heard;

	(void)state;
	ask_alone(&heard, at("/echo"), &question);
	assert_int_equal(heard.outcome, FETCH_FAILED);
	assert_non_null(strstr(heard.reason, "No such file"));
	write_file("renewed", "one", 3);
	ask_alone(&heard, at("/echo"), &(struct fetch_question){.token_file = path_of("renewed")});
	assert_said(&heard, "authorization", "Bearer one");
	write_file("renewed", "two", 3);
	ask_alone(&heard, at("/echo"), &(struct fetch_question){.token_file = path_of("renewed")});
	assert_said(&heard, "authorization", "Bearer two");
	ask_alone(&heard, at("/echo"), &(struct fetch_question){.token_file = directory});
	assert_non_null(strstr(heard.reason, "it is no file"));
}

/* --- what comes back ------------------------------------------------------------------------------------------------------------- */

static void test_size_has_a_bound(void **state)
{
	struct heard heard;

	(void)state;
	ask_alone(&heard, at("/bytes/1048576"), NULL);
	assert_int_equal(heard.outcome, FETCH_ANSWERED);
	assert_int_equal(heard.length, 1048576);
	ask_alone(&heard, at("/bytes/1048577"), NULL);
	assert_int_equal(heard.outcome, FETCH_FAILED);
	assert_non_null(strstr(heard.reason, "larger than 1024 KiB"));
}

static void test_redirects_are_not_followed(void **state)
{
	struct heard heard;

	(void)state;
	ask_alone(&heard, at("/redirect//echo"), NULL);
	assert_int_equal(heard.status, 302);
	assert_string_equal(heard.redirect, at("/echo"));
	ask_alone(&heard, at("/redirect/file:///etc/hostname"), NULL);
	assert_int_equal(heard.status, 302);
	assert_string_equal(heard.body, "");
}

static void test_failures(void **state)
{
	static const struct {
		const char *url, *reason;
	} rows[] = {
	    {"http://127.0.0.1:1/", "connect to server"},
	    {"file:///etc/hostname", "not supported"},
	    {"ftp://127.0.0.1/", "not supported"},
	    {"http://no.such.name.invalid/", "resolve"},
	    {"http://[::1/", ""},
	};
	struct heard heard;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ask_alone(&heard, rows[i].url, NULL);
		row_assert(heard.outcome == FETCH_FAILED && heard.reason[0], rows[i].url, "%d %s", heard.status, heard.body);
		row_assert(strstr(heard.reason, rows[i].reason), rows[i].url, "%s", heard.reason);
	}
	ask_alone(&heard, at("/cut"), NULL);
	assert_int_equal(heard.outcome, FETCH_FAILED);
}

static void test_timeout(void **state)
{
	int64_t began = monotonic_ms();
	struct heard heard;

	(void)state;
	ask_alone(&heard, at("/slow"), &(struct fetch_question){.timeout = {200}});
	assert_int_equal(heard.outcome, FETCH_TIMEOUT);
	assert_string_equal(heard.reason, "no answer within 200 ms");
	assert_in_range(monotonic_ms() - began, 190, 2000);
}

/* --- many, and the end ----------------------------------------------------------------------------------------------------------- */

static void test_many_take_turns(void **state)
{
	static struct heard heard[MANY];
	int left = MANY, most = 0;
	char path[32];

	(void)state;
	snprintf(path, sizeof(path), "/gather/%d", FETCH_AT_ONCE);
	for (int i = 0; i < MANY; i++)
		ask(&heard[i], &left, at(path), NULL);
	run();
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(heard[i].calls, 1);
		assert_int_equal(heard[i].outcome, FETCH_ANSWERED);
		most = atoi(heard[i].body) > most ? atoi(heard[i].body) : most;
	}
	assert_int_equal(most, FETCH_AT_ONCE);
}

static void test_cancel(void **state)
{
	static struct heard slow[FETCH_AT_ONCE + 3], other;
	int left = 1;

	(void)state;
	for (size_t i = 0; i < COUNT(slow); i++)
		ask(&slow[i], NULL, at("/slow"), NULL);
	event_base_loop(base, EVLOOP_ONCE); /* some are under way, three wait */
	ask(&other, &left, at("/echo"), NULL);
	for (size_t i = 0; i < COUNT(slow); i++) {
		fetch_cancel(fetch, &slow[i]);
		assert_int_equal(slow[i].calls, 1);
		assert_int_equal(slow[i].outcome, FETCH_CANCELLED);
	}
	run();
	assert_int_equal(other.outcome, FETCH_ANSWERED);
	for (size_t i = 0; i < COUNT(slow); i++)
		assert_int_equal(slow[i].calls, 1);
}

static void test_shutdown_cancels(void **state)
{
	static struct heard heard[FETCH_AT_ONCE + 3];
	struct error err;

	(void)state;
	for (size_t i = 0; i < COUNT(heard); i++)
		ask(&heard[i], NULL, at("/slow"), NULL);
	event_base_loop(base, EVLOOP_ONCE);
	fetch_free(fetch);
	for (size_t i = 0; i < COUNT(heard); i++) {
		assert_int_equal(heard[i].calls, 1);
		assert_int_equal(heard[i].outcome, FETCH_CANCELLED);
	}
	assert_int_equal(fetch_new(&fetch, base, &err), 0);
}

/* --- TLS ------------------------------------------------------------------------------------------------------------------------- */

static void openssl(const char *arguments)
{
	char command[512];

	snprintf(command, sizeof(command), "cd %s && openssl %s >openssl.log 2>&1", directory, arguments);
	assert_int_equal(system(command), 0);
}

/* An authority, and a certificate of it for the address that the server has; and one for another name. */
static void make_certificates(void)
{
	openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj /CN=ca -days 2");
	openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout web.key -out web.csr -subj /CN=web");
	write_file("right.ext", "subjectAltName=IP:127.0.0.1", 27);
	write_file("other.ext", "subjectAltName=DNS:elsewhere", 28);
	openssl("x509 -req -in web.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile right.ext -out right.crt");
	openssl("x509 -req -in web.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile other.ext -out other.crt");
}

static void test_tls(void **state)
{
	const struct fetch_question trusts = {.ca_file = path_of("ca.crt")};
	struct web secure;
	struct heard heard;
	char url[80];

	(void)state;
	make_certificates();
	web_start(&secure, path_of("right.crt"), path_of("web.key"));
	snprintf(url, sizeof(url), "%s/echo", secure.url);
	ask_alone(&heard, url, &trusts);
	assert_string_equal(heard.reason, "");
	assert_int_equal(heard.status, 200);
	ask_alone(&heard, url, NULL); /* the system's authorities do not know this one */
	assert_int_equal(heard.outcome, FETCH_FAILED);
	assert_non_null(strstr(heard.reason, "certificate"));
	ask_alone(&heard, url, &(struct fetch_question){.ca_file = "/nowhere/ca.crt"});
	assert_int_equal(heard.outcome, FETCH_FAILED);
	web_stop(&secure);
	web_start(&secure, path_of("other.crt"), path_of("web.key"));
	snprintf(url, sizeof(url), "%s/echo", secure.url);
	ask_alone(&heard, url, &(struct fetch_question){.ca_file = path_of("ca.crt")});
	assert_int_equal(heard.outcome, FETCH_FAILED);
	assert_non_null(strstr(heard.reason, "127.0.0.1"));
	web_stop(&secure);
}

/* --- names ----------------------------------------------------------------------------------------------------------------------- */

static int silent_name_server(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(
	    mount(write_file("resolv.conf", "nameserver 127.0.0.1\n", 21), "/etc/resolv.conf", NULL, MS_BIND, NULL), 0);
	return fd;
}

/* The resolver waits five seconds and asks again; the loop must not wait with it. The last test: it changes the mounts. */
static void test_a_silent_name_server_holds_up_nobody(void **state)
{
	int fd = silent_name_server();
	struct heard nameless, other;
	int64_t began = monotonic_ms();
	int left = 1;

	(void)state;
	ask(&nameless, &left, "http://somewhere.example/", &(struct fetch_question){.timeout = {300}});
	ask(&other, NULL, at("/echo"), NULL);
	run();
	assert_int_equal(nameless.outcome, FETCH_TIMEOUT);
	assert_int_equal(other.outcome, FETCH_ANSWERED);
	assert_in_range(monotonic_ms() - began, 290, 2500);
	ask(&nameless, NULL, "http://elsewhere.example/", NULL);
	event_base_loop(base, EVLOOP_ONCE);
	fetch_cancel(fetch, &nameless);
	assert_int_equal(nameless.calls, 1);
	assert_in_range(monotonic_ms() - began, 290, 3000);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_get_and_post, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_proxies_of_the_environment_are_not_asked, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_token, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_token_is_renewed_and_missing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_size_has_a_bound, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_redirects_are_not_followed, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many_take_turns, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_shutdown_cancels, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_silent_name_server_holds_up_nobody, setup, teardown),
	};
	int failed;

	if (!web_alone()) {
		print_message("skipped: it needs root, for a network namespace\n");
		return 77;
	}
	strcpy(directory, "/tmp/rainbow-fetch-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	web_start(&web, NULL, NULL);
	failed = cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
	web_stop(&web);
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return failed;
}
