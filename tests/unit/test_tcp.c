/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a segment means for its session (headers/rainbow/tcp.h), at every offset around the edges of the windows; and that forged
 * segments, taken for true ones by luck, do not make it deaf for the true end.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <rainbow/tcp.h>

#define WINDOW   60000u
#define FLIGHT   5000u /* bytes of the client that the server has not acknowledged */
#define NEAR     200
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Near the wrap. */
static const uint32_t bases[] = {1000000, 0xffffff00u, 0xffff0000u, 0x7fffff00u};

static struct rainbow_pin pin;

#define client (pin.client)
#define server (pin.server)

static void sides(uint32_t base, uint32_t flight)
{
	pin = (struct rainbow_pin){.state = RAINBOW_PIN_LIVE, .client_window = WINDOW, .server_window = WINDOW};
	server = (struct rainbow_side){.next = base * 3, .ack = base};
	client = (struct rainbow_side){.next = base + flight, .ack = base * 3};
}

static enum rainbow_tcp_event step(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t length)
{
	struct rainbow_segment segment = {.seq = seq, .ack = ack, .window = WINDOW, .length = length, .flags = flags};

	return rainbow_tcp_step_client(&pin, &segment);
}

/* An RST ends it at two numbers of all: what is acknowledged, what is sent. */
static void test_reset_is_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bases); i++) {
		unsigned int taken = 0;

		for (uint32_t off = -3 * NEAR; off != WINDOW + 3 * NEAR; off++) {
			sides(bases[i], FLIGHT);
			taken += step(RAINBOW_TCP_RST, bases[i] + off, 0, 0) == RAINBOW_TCP_RESET;
			taken += step(RAINBOW_TCP_RST | RAINBOW_TCP_ACK, bases[i] + off, 5, 0) == RAINBOW_TCP_RESET;
		}
		assert_int_equal(taken, 4);
		sides(bases[i], FLIGHT);
		assert_int_equal(step(RAINBOW_TCP_RST, bases[i], 0, 0), RAINBOW_TCP_RESET);
		assert_int_equal(step(RAINBOW_TCP_RST, bases[i] + FLIGHT, 0, 0), RAINBOW_TCP_RESET);
	}
}

static void test_reset_after_fin(void **state)
{
	struct rainbow_segment reset = {.seq = 999, .flags = RAINBOW_TCP_RST};

	(void)state;
	sides(1000, 0);
	assert_int_equal(rainbow_tcp_step_client(&pin, &reset), RAINBOW_TCP_NOTHING);
	pin.state = RAINBOW_PIN_HALF_CLIENT;
	assert_int_equal(rainbow_tcp_step_client(&pin, &reset), RAINBOW_TCP_RESET);
}

/* RFC 9293, 3.10.7.4: within the window, and not acknowledged yet. */
static void test_fin_in_window(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bases); i++)
		for (uint32_t off = -NEAR; off != WINDOW + NEAR; off++) {
			int in_window = off < WINDOW;

			sides(bases[i], FLIGHT);
			assert_int_equal(step(RAINBOW_TCP_FIN | RAINBOW_TCP_ACK, bases[i] + off, server.next, 0),
					 in_window ? RAINBOW_TCP_FINISHED : RAINBOW_TCP_NOTHING);
		}
}

static void test_fin_at_a_window_of_zero(void **state)
{
	(void)state;
	sides(5000, 0);
	pin.server_window = 0;
	assert_int_equal(step(RAINBOW_TCP_FIN | RAINBOW_TCP_ACK, 5000, server.next, 0), RAINBOW_TCP_FINISHED);
	sides(5000, 0);
	pin.server_window = 0;
	assert_int_equal(step(RAINBOW_TCP_FIN | RAINBOW_TCP_ACK, 5001, server.next, 0), RAINBOW_TCP_NOTHING);
}

/* RFC 5961, 5.2: what was never sent, or lies a window and 64 KiB back, is not acknowledged. */
static void test_ack_in_range(void **state)
{
	(void)state;
	for (uint32_t off = -WINDOW - 65535 - NEAR; off != NEAR; off++) {
		int in_range = (int32_t)off <= 0 && (int32_t)off >= -(int32_t)(WINDOW + 65535);

		sides(0xffff0000u, 0);
		assert_int_equal(step(RAINBOW_TCP_FIN | RAINBOW_TCP_ACK, server.ack, server.next + off, 0),
				 in_range ? RAINBOW_TCP_FINISHED : RAINBOW_TCP_NOTHING);
	}
}

/* Nothing that is refused moves a number. */
static void test_refused_moves_nothing(void **state)
{
	const uint8_t flags[] = {RAINBOW_TCP_ACK, RAINBOW_TCP_ACK | RAINBOW_TCP_FIN,
				 RAINBOW_TCP_SYN, RAINBOW_TCP_SYN | RAINBOW_TCP_ACK,
				 RAINBOW_TCP_RST, 0};

	(void)state;
	for (size_t i = 0; i < COUNT(flags); i++)
		for (uint32_t off = WINDOW + 1; off < WINDOW + NEAR; off++) {
			struct rainbow_pin before;

			sides(0xffffff00u, FLIGHT);
			before = pin;
			step(flags[i], server.ack + off, server.next, off & 1 ? 0 : 100); /* beyond the window */
			step(flags[i], server.ack, server.next + off, 100);               /* acknowledges what was not sent */
			assert_memory_equal(&pin, &before, sizeof(before));
		}
}

/* A number alone, without data, is no news of what was sent. */
static void test_ack_moves_no_next(void **state)
{
	(void)state;
	sides(1000, 0);
	step(RAINBOW_TCP_ACK, 1000 + WINDOW, server.next, 0);
	assert_int_equal(client.next, 1000);
	step(RAINBOW_TCP_ACK, 1000, server.next, 10);
	assert_int_equal(client.next, 1010);
}

static uint32_t dice(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 3;
}

/* A stranger was lucky in the client's name, as often as you like: the client's true FIN, and its true RST, are still its end. */
static void test_lucky_forgeries_do_not_deafen(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint32_t base = dice(&seed) << 3;
		struct rainbow_pin forged_pin;

		sides(base, 0);
		pin.client_scale = dice(&seed) % 15;
		for (int i = 0; i < 10; i++) {
			uint32_t span = pin.server_window + 1;
			uint32_t seq = server.ack - 1 + dice(&seed) % span;
			struct rainbow_segment forged = {
			    .seq = seq,
			    .ack = server.next - dice(&seed) % 60000,
			    .window = (uint16_t)dice(&seed),
			    .length = dice(&seed) % 1460,
			    .flags = RAINBOW_TCP_ACK,
			};

			rainbow_tcp_step_client(&pin, &forged);
		}
		forged_pin = pin;
		assert_int_equal(step(RAINBOW_TCP_FIN | RAINBOW_TCP_ACK, base, base * 3, 0), RAINBOW_TCP_FINISHED);
		pin = forged_pin;
		assert_int_equal(step(RAINBOW_TCP_RST, base, 0, 0), RAINBOW_TCP_RESET);
	}
}

/* --- numbers of a snapshot ---------------------------------------------------------------------------------------------- */

/* Where the ends are now, and whose segment is next. */
struct ends {
	uint32_t next[2]; /* client, server */
	int stale;
};

/* What bpf/session.h does with a segment of one end that says no more than where it is; `back`: a keep-alive is one behind. */
static void hear(struct ends *ends, int from, uint32_t back)
{
	const struct rainbow_segment segment = {
	    .seq = ends->next[from] - back, .ack = ends->next[!from], .window = WINDOW, .flags = RAINBOW_TCP_ACK};

	if (ends->stale && (from ? rainbow_tcp_learn_server(&pin, &segment) : rainbow_tcp_learn_client(&pin, &segment)))
		ends->stale = 0;
	if (from)
		rainbow_tcp_step_server(&pin, &segment);
	else
		rainbow_tcp_step_client(&pin, &segment);
}

static void finish_both(const struct ends *ends)
{
	struct rainbow_segment fin = {
	    .seq = ends->next[0], .ack = ends->next[1], .window = WINDOW, .flags = RAINBOW_TCP_ACK | RAINBOW_TCP_FIN};

	assert_int_equal(rainbow_tcp_step_client(&pin, &fin), RAINBOW_TCP_FINISHED);
	fin.seq = ends->next[1];
	fin.ack = ends->next[0] + 1;
	assert_int_equal(rainbow_tcp_step_server(&pin, &fin), RAINBOW_TCP_FINISHED);
}

/*
 * However far the ends have moved since, and whoever speaks first: their FINs are known for what they are soon. (Not by 1: the
 * keep-alive of such an end is what it would have sent at the snapshot, and only data tell.)
 */
static void test_old_numbers_are_learned(void **state)
{
	static const uint32_t moved[] = {0,          2,         1000,       WINDOW - 1, WINDOW,
					 WINDOW + 1, 100000000, 0x7fffffff, 0x80000001, 0xffff0000};
	size_t i, j;
	int first, back;

	(void)state;
	for (i = 0; i < COUNT(moved) * COUNT(moved); i++)
		for (j = 0; j < COUNT(bases); j++)
			for (first = 0; first < 2; first++)
				for (back = 0; back < 2; back++) {
					struct ends ends = {.stale = 1};

					sides(bases[j], 0);
					ends.next[0] = client.next + moved[i % COUNT(moved)];
					ends.next[1] = server.next + moved[i / COUNT(moved)];
					hear(&ends, first, (uint32_t)back);
					hear(&ends, !first, (uint32_t)back);
					hear(&ends, first, 0);
					hear(&ends, !first, 0);
					assert_false(ends.stale);
					finish_both(&ends);
				}
}

/* An RST or a SYN is no teacher; and what a stranger taught is overwritten by the true ends. */
static void test_strangers_teach_nothing(void **state)
{
	struct ends ends = {.stale = 1};
	struct rainbow_segment segment = {.seq = 5, .ack = 6, .window = 7, .flags = RAINBOW_TCP_RST | RAINBOW_TCP_ACK};
	struct rainbow_pin before;

	(void)state;
	sides(bases[0], 0);
	before = pin;
	assert_int_equal(rainbow_tcp_learn_client(&pin, &segment), 0);
	segment.flags = RAINBOW_TCP_SYN | RAINBOW_TCP_ACK;
	assert_int_equal(rainbow_tcp_learn_server(&pin, &segment), 0);
	assert_memory_equal(&pin, &before, sizeof(pin));
	segment.flags = RAINBOW_TCP_ACK;
	assert_int_equal(rainbow_tcp_learn_client(&pin, &segment), 0);
	ends.next[0] = 1000000 + 100000000;
	ends.next[1] = 3000000 + 100000000;
	hear(&ends, 0, 0);
	hear(&ends, 1, 0);
	assert_false(ends.stale);
	finish_both(&ends);
}

/* A stranger teaches a number by an ACK, and resets by it. The answer of a stack that has no such session is believed. */
static void test_taught_reset_is_a_guess(void **state)
{
	struct rainbow_segment segment = {.ack = 1, .window = WINDOW, .flags = RAINBOW_TCP_ACK};
	uint32_t taught = 0;
	int i;

	(void)state;
	for (i = 0; i < 16; i++, taught += 0x10000000) {
		sides(bases[0], 0);
		segment.seq = taught;
		segment.flags = RAINBOW_TCP_ACK;
		rainbow_tcp_learn_client(&pin, &segment);
		segment.flags = RAINBOW_TCP_RST;
		assert_true(rainbow_tcp_is_guess(&server, &segment));
	}
	segment.seq = server.ack;
	assert_false(rainbow_tcp_is_guess(&server, &segment));
	assert_int_equal(rainbow_tcp_step_client(&pin, &segment), RAINBOW_TCP_RESET);
}

/*
 * What brings payload is what moves `next` by payload, for either side: the step itself is the reference. But for a probe, which
 * begins where the window ends.
 */
static void check_new(uint32_t base, uint32_t off, uint32_t length, uint8_t flags, bool from_client)
{
	struct rainbow_segment segment = {
	    .seq = base + off, .ack = base * 3, .window = WINDOW, .length = length, .flags = flags};
	struct rainbow_side *sender = from_client ? &client : &server;
	uint32_t before;
	bool brings, moved;

	sides(base, FLIGHT);
	if (!from_client) {
		server = (struct rainbow_side){.next = base + FLIGHT, .ack = base * 3};
		client = (struct rainbow_side){.next = base * 3, .ack = base};
	}
	before = sender->next;
	brings = rainbow_tcp_brings_new(&pin, &segment, from_client);
	if (from_client)
		rainbow_tcp_step_client(&pin, &segment);
	else
		rainbow_tcp_step_server(&pin, &segment);
	moved = length && sender->next - before > !!(flags & RAINBOW_TCP_FIN) && off != WINDOW;
	if (brings != moved)
		fail_msg("base %u, offset %d, length %u, flags %x: %d", base, (int)off, length, flags, brings);
}

static void test_what_is_new(void **state)
{
	static const uint8_t flags[] = {RAINBOW_TCP_ACK, RAINBOW_TCP_ACK | RAINBOW_TCP_FIN, 0,
					RAINBOW_TCP_FIN, RAINBOW_TCP_ACK | RAINBOW_TCP_SYN, RAINBOW_TCP_ACK | RAINBOW_TCP_RST};
	static const uint32_t lengths[] = {0, 1, 2, 100, 1460};

	(void)state;
	for (size_t i = 0; i < COUNT(bases); i++)
		for (uint32_t off = -NEAR; off != WINDOW + NEAR; off += off < FLIGHT + NEAR || off > WINDOW - NEAR ? 1 : 50)
			for (size_t f = 0; f < COUNT(flags); f++)
				for (size_t l = 0; l < COUNT(lengths); l++) {
					check_new(bases[i], off, lengths[l], flags[f], true);
					check_new(bases[i], off, lengths[l], flags[f], false);
				}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reset_is_exact),
	    cmocka_unit_test(test_reset_after_fin),
	    cmocka_unit_test(test_fin_in_window),
	    cmocka_unit_test(test_fin_at_a_window_of_zero),
	    cmocka_unit_test(test_ack_in_range),
	    cmocka_unit_test(test_refused_moves_nothing),
	    cmocka_unit_test(test_ack_moves_no_next),
	    cmocka_unit_test(test_lucky_forgeries_do_not_deafen),
	    cmocka_unit_test(test_old_numbers_are_learned),
	    cmocka_unit_test(test_taught_reset_is_a_guess),
	    cmocka_unit_test(test_strangers_teach_nothing),
	    cmocka_unit_test(test_what_is_new),
	};

	return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
