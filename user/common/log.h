/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Log lines to stderr: "LEVEL subsystem: sentence". No time stamp: the supervisor (systemd, a container) adds it. */
#ifndef RAINBOW_LOG_H
#define RAINBOW_LOG_H

#include <stdarg.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level); /* default LOG_LEVEL_INFO */
void log_line(enum log_level level, const char *subsystem, const char *format, ...) __attribute__((format(printf, 3, 4)));
void log_line_v(enum log_level level, const char *subsystem, const char *format, va_list args);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
