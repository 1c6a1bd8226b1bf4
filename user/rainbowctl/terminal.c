// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Giving the terminal back: see terminal.h. The signal handler does it by itself and then lets the signal take its course,
 * so Ctrl-C works at once even while an answer is awaited, and the shell learns that it was a signal.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "rainbowctl/terminal.h"

static const int last_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
static const char *entering, *leaving, *parting;

/* Async-signal-safe. A terminal that is gone needs nothing more. */
static void put(const char *text)
{
	size_t length = strlen(text);

	while (length) {
		ssize_t written = write(STDOUT_FILENO, text, length);

		if (written <= 0)
			return;
		text += written;
		length -= (size_t)written;
	}
}

static void leave_and_die(int signal_number)
{
	put(leaving);
	put(parting);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void leave_and_stop(int signal_number)
{
	(void)signal_number;
	put(leaving);
	raise(SIGSTOP);
	put(entering);
}

static void handle(int signal_number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	sigaction(signal_number, &action, NULL);
}

void terminal_take(const char *enter, const char *leave, const char *last_words)
{
	entering = enter;
	leaving = leave;
	parting = last_words;
	for (size_t i = 0; i < sizeof(last_signals) / sizeof(last_signals[0]); i++)
		handle(last_signals[i], leave_and_die);
	handle(SIGTSTP, leave_and_stop);
	put(enter);
}

void terminal_release(void)
{
	if (!leaving)
		return;
	for (size_t i = 0; i < sizeof(last_signals) / sizeof(last_signals[0]); i++)
		handle(last_signals[i], SIG_DFL);
	handle(SIGTSTP, SIG_DFL);
	put(leaving);
	leaving = NULL;
}
