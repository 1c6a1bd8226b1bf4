/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taking over a terminal for a while (alternate screen, hidden cursor) so that it is given back whatever happens: at the end,
 * at Ctrl-C, TERM and HUP, and while stopped by Ctrl-Z.
 */
#ifndef RAINBOWCTL_TERMINAL_H
#define RAINBOWCTL_TERMINAL_H

/* enter is written now and after a stop, leave at the end; both must stay valid. last_words is written after leave at Ctrl-C, "" for none. */
void terminal_take(const char *enter, const char *leave, const char *last_words);
void terminal_release(void);

#endif
