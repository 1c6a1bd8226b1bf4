// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See fetch.h. A question is in one list from fetch_ask to its callback: first waiting, then under way. libcurl says which sockets and
 * which instant it waits for; events tell it when they come.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <curl/curl.h>
#include <event2/event.h>
#include "fetch.h"
#include "token.h"

#define REASON_SIZE        512
#define DEFAULT_TIMEOUT_MS 10000

struct question {
	TAILQ_ENTRY(question) entry;
	struct fetch *fetch;
	fetch_done done;
	void *arg;
	char *url, *body, *token_file, *ca_file;
	long timeout_ms;
	CURL *curl; /* NULL: waits for its turn */
	struct curl_slist *headers;
	char *answer;
	size_t length;
	bool too_large;
	char why[CURL_ERROR_SIZE];
};

TAILQ_HEAD(question_list, question);

struct fetch {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	struct event *turn; /* active: look whether a question can begin */
	struct question_list list;
	size_t under_way;
};

/* --- the end of a question ----------------------------------------------------------------------------------------------------- */

static void question_free(struct question *question)
{
	curl_easy_cleanup(question->curl);
	curl_slist_free_all(question->headers);
	free(question->url);
	free(question->body);
	free(question->token_file);
	free(question->ca_file);
	free(question->answer);
	free(question);
}

/* Out of the list and away from libcurl before the callback, which may ask and cancel others. */
static void finish(struct question *question, struct fetch_answer *answer)
{
	struct fetch *fetch = question->fetch;

	TAILQ_REMOVE(&fetch->list, question, entry);
	if (question->curl) {
		curl_multi_remove_handle(fetch->multi, question->curl);
		fetch->under_way--;
		event_active(fetch->turn, 0, 0);
	}
	if (!answer->body)
		answer->body = "";
	question->done(answer, question->arg);
	question_free(question);
}

static void fail(struct question *question, enum fetch_outcome outcome, const char *reason)
{
	struct fetch_answer answer = {.outcome = outcome, .reason = reason};

	finish(question, &answer);
}

static void fail_curl(struct question *question, CURLcode code)
{
	const char *why = question->why[0] ? question->why : curl_easy_strerror(code);
	char reason[REASON_SIZE];

	if (question->too_large)
		snprintf(reason, sizeof(reason), "the answer is larger than %d KiB", FETCH_ANSWER_MAX >> 10);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(reason, sizeof(reason), "no answer within %ld ms", question->timeout_ms);
	else
		snprintf(reason, sizeof(reason), "%s", why);
	fail(question, code == CURLE_OPERATION_TIMEDOUT ? FETCH_TIMEOUT : FETCH_FAILED, reason);
}

static void answered(struct question *question)
{
	struct fetch_answer answer = {
	    .outcome = FETCH_ANSWERED, .body = question->answer, .length = question->length, .reason = ""};
	char *redirect = NULL;
	long status = 0;

	curl_easy_getinfo(question->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(question->curl, CURLINFO_REDIRECT_URL, &redirect);
	answer.status = (int)status;
	answer.redirect = redirect;
	finish(question, &answer);
}

static void take_finished(struct fetch *fetch)
{
	struct CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetch->multi, &left))) {
		CURLcode code = message->data.result;
		struct question *question = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&question);
		if (code)
			fail_curl(question, code);
		else
			answered(question);
	}
}

/* --- the beginning of a question ----------------------------------------------------------------------------------------------- */

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	struct question *question = arg;
	char *grown;

	size *= count;
	question->too_large = size > FETCH_ANSWER_MAX - question->length;
	grown = question->too_large ? NULL : realloc(question->answer, question->length + size + 1);
	if (!grown)
		return CURL_WRITEFUNC_ERROR;
	memcpy(grown + question->length, bytes, size);
	question->answer = grown;
	question->length += size;
	grown[question->length] = '\0';
	return size;
}

/* A copy of the token stays in libcurl's handle alone. */
static bool set_token(struct question *question, char reason[REASON_SIZE])
{
	char token[TOKEN_SIZE];
	bool ok;

	if (!question->token_file)
		return true;
	ok = token_read(question->token_file, token, reason, REASON_SIZE);
	if (ok) {
		curl_easy_setopt(question->curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		ok = curl_easy_setopt(question->curl, CURLOPT_XOAUTH2_BEARER, token) == CURLE_OK;
	}
	explicit_bzero(token, sizeof(token));
	return ok;
}

static void set_body(struct question *question)
{
	if (!question->body)
		return;
	question->headers = curl_slist_append(NULL, "Content-Type: application/json");
	curl_easy_setopt(question->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(question->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(question->body));
	curl_easy_setopt(question->curl, CURLOPT_POSTFIELDS, question->body);
	curl_easy_setopt(question->curl, CURLOPT_HTTPHEADER, question->headers);
}

static bool set_up(struct question *question, char reason[REASON_SIZE])
{
	CURL *curl = question->curl;

	curl_easy_setopt(curl, CURLOPT_PRIVATE, question);
	curl_easy_setopt(curl, CURLOPT_URL, question->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not even those of the environment */
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "rainbowd/" RAINBOW_RELEASE);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	/* Without it, a timeout while a name is resolved waits for the resolver's thread: the loop would stand still. */
	curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, question->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, question);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, question->why);
	if (question->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, question->ca_file);
	set_body(question);
	return set_token(question, reason);
}

static void begin(struct question *question)
{
	struct fetch *fetch = question->fetch;
	char reason[REASON_SIZE] = "out of memory";
	CURL *curl = curl_easy_init();

	if (!curl) {
		fail(question, FETCH_FAILED, reason);
		return;
	}
	question->curl = curl;
	fetch->under_way++;
	if (!set_up(question, reason))
		fail(question, FETCH_FAILED, reason);
	else if (curl_multi_add_handle(fetch->multi, curl) != CURLM_OK)
		fail(question, FETCH_FAILED, "out of memory");
}

static struct question *next_waiting(struct fetch *fetch)
{
	struct question *question;

	TAILQ_FOREACH(question, &fetch->list, entry)
	if (!question->curl)
		return question;
	return NULL;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *fetch = arg;
	struct question *question;

	(void)fd;
	(void)what;
	while (fetch->under_way < FETCH_AT_ONCE && (question = next_waiting(fetch)))
		begin(question);
}

/* --- libcurl's sockets and its clock --------------------------------------------------------------------------------------------- */

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	int flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0), running;
	struct fetch *fetch = arg;

	curl_multi_socket_action(fetch->multi, fd, flags, &running);
	take_finished(fetch);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *fetch = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(fetch->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_finished(fetch);
}

/* `socket_event` is what was assigned to this socket before, or NULL. */
static int watch_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *socket_event)
{
	short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
	struct fetch *fetch = arg;
	struct event *event;

	(void)curl;
	if (socket_event)
		event_free(socket_event);
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(fetch->multi, fd, NULL);
		return 0;
	}
	event = event_new(fetch->base, fd, wanted, on_socket, fetch);
	if (event)
		event_add(event, NULL);
	curl_multi_assign(fetch->multi, fd, event);
	return event ? 0 : -1;
}

static int watch_clock(CURLM *multi, long ms, void *arg)
{
	const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	struct fetch *fetch = arg;

	(void)multi;
	if (ms < 0)
		event_del(fetch->timer);
	else
		event_add(fetch->timer, &wait);
	return 0;
}

/* --- what others call -------------------------------------------------------------------------------------------------------------- */

int fetch_new(struct fetch **out, struct event_base *base, struct error *err)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(fetch);
		return error_set(err, ERROR_INTERNAL, NULL, "can not start libcurl: out of memory");
	}
	TAILQ_INIT(&fetch->list);
	fetch->base = base;
	fetch->multi = curl_multi_init();
	fetch->timer = evtimer_new(base, on_timer, fetch);
	fetch->turn = event_new(base, -1, 0, on_turn, fetch);
	if (!fetch->multi || !fetch->timer || !fetch->turn) {
		fetch_free(fetch);
		return error_set(err, ERROR_INTERNAL, NULL, "can not start libcurl: out of memory");
	}
	curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch);
	curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, watch_clock);
	curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch);
	*out = fetch;
	return 0;
}

void fetch_free(struct fetch *fetch)
{
	struct question *question;

	if (!fetch)
		return;
	while ((question = TAILQ_FIRST(&fetch->list)))
		fail(question, FETCH_CANCELLED, "rainbowd stops");
	curl_multi_cleanup(fetch->multi);
	if (fetch->timer)
		event_free(fetch->timer);
	if (fetch->turn)
		event_free(fetch->turn);
	curl_global_cleanup();
	free(fetch);
}

/* NULL for "" too; *rc -ENOMEM if there is no memory. */
static char *copy(const char *text, int *rc)
{
	char *copied = text && text[0] ? strdup(text) : NULL;

	if (text && text[0] && !copied)
		*rc = -ENOMEM;
	return copied;
}

int fetch_ask(struct fetch *fetch, const struct fetch_question *question, fetch_done done, void *arg)
{
	struct question *own = calloc(1, sizeof(*own));
	int rc = 0;

	if (!own)
		return -ENOMEM;
	own->fetch = fetch;
	own->done = done;
	own->arg = arg;
	own->timeout_ms = question->timeout.ms > 0 ? (long)question->timeout.ms : DEFAULT_TIMEOUT_MS;
	own->url = strdup(question->url);
	own->body = question->body ? strdup(question->body) : NULL;
	own->token_file = copy(question->token_file, &rc);
	own->ca_file = copy(question->ca_file, &rc);
	if (rc || !own->url || (question->body && !own->body)) {
		question_free(own);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&fetch->list, own, entry);
	event_active(fetch->turn, 0, 0);
	return 0;
}

static struct question *find_arg(struct fetch *fetch, const void *arg)
{
	struct question *question;

	TAILQ_FOREACH(question, &fetch->list, entry)
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see TAILQ_REMOVE take out what finish frees */
	if (question->arg == arg)
		return question;
	return NULL;
}

void fetch_cancel(struct fetch *fetch, const void *arg)
{
	struct question *question;

	while ((question = find_arg(fetch, arg)))
		fail(question, FETCH_CANCELLED, "cancelled");
}
