// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Attaching, switching and detaching hooks, against the running kernel, on a veth pair and a bridge of the test's own. Where it
 * matters that no packet passes unseen, datagrams flow all the while to a service that refuses all of them: a socket bound to
 * its address must not receive one.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_link.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "rainbowd/attach.h"
#include "rainbowd/datapath.h"
#include "ground.h"
#include "opened.h"
#include "stream.h"

#define PINS 1000

static struct hook_wish wish_of(const char *text)
{
	struct hook_wish wish;
	struct error err = {};

	if (hook_wish_parse(text, &wish, &err))
		fail_msg("%s", err.message);
	return wish;
}

static void attach_or_fail(struct datapath *dp, const char *text)
{
	struct hook_wish wish = wish_of(text);
	struct error err = {};

	if (datapath_attach(dp, &wish, &err))
		fail_msg("%s: %s", text, err.message);
}

static void attach_refused(struct datapath *dp, const char *text, enum error_code code, const char *because)
{
	struct hook_wish wish = wish_of(text);
	struct error err = {};

	assert_int_equal(datapath_attach(dp, &wish, &err), -(int)code);
	if (!strstr(err.message, because))
		fail_msg("\"%s\" does not say \"%s\"", err.message, because);
}

/* What datapath_hooks says of an interface; all zero if it says nothing. */
static struct hook_info info_of(struct datapath *dp, uint32_t ifindex)
{
	struct hook_info infos[8];
	size_t i, count = datapath_hooks(dp, infos, 8);

	for (i = 0; i < count; i++)
		if (infos[i].ifindex == ifindex)
			return infos[i];
	return (struct hook_info){};
}

static void expect(struct datapath *dp, const char *interface, const char *ingress, const char *egress)
{
	struct hook_info info = info_of(dp, if_nametoindex(interface));

	assert_string_equal(info.hook.name, interface);
	assert_string_equal(info.ingress, ingress);
	assert_string_equal(info.egress, egress);
	assert_true(info.attached);
}

/* The programs that the kernel runs there, asked without rainbowd's help. */
static struct bpf_xdp_query_opts xdp_at(const char *interface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	assert_int_equal(bpf_xdp_query((int)if_nametoindex(interface), 0, &query), 0);
	return query;
}

static uint32_t tcx_at(const char *interface, int type, uint32_t *first)
{
	uint32_t ids[64] = {};
	LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids, .prog_cnt = 64);

	if (bpf_prog_query_opts((int)if_nametoindex(interface), (enum bpf_attach_type)type, &query))
		return 0;
	*first = ids[0];
	return query.prog_cnt;
}

static int set_up(void **state)
{
	(void)state;
	ground_run("ip link add v0 type veth peer name v1 && ip link add b0 type bridge && ip link add b0.7 type bridge");
	ground_run("ip addr add 10.9.0.1/24 dev v0 && ip link set v0 up && ip link set v1 up && ip link set lo up");
	return 0;
}

static int tear_down(void **state)
{
	attach_assume_no_tcx(false);
	opened_remove(state);
	if (system("ip link del v0; ip link del b0; ip link del b0.7"))
		fprintf(stderr, "cleaning up: the links stay\n");
	return 0;
}

/* --- the stream's service, which refuses all of it --------------------------------------------------------------------- */

static void refuse_all(struct datapath *dp)
{
	struct rainbow_addr addr;
	struct rainbow_service *service = datapath_service(dp, 1);

	assert_int_equal(addr_parse("10.9.0.1", &addr, NULL, NULL), 0);
	service->address = addr;
	service->port = STREAM_PORT;
	service->protocol = 17;
	service->affinity = RAINBOW_AFFINITY_CONNECTION;
	service->selection = RAINBOW_SELECTION_HASH;
	service->stray = RAINBOW_STRAY_DROP;
	service->in_use = 1;
	assert_int_equal(datapath_lookup_add(dp, &addr, STREAM_PORT, 17, RAINBOW_LOOKUP_SERVICE, 1, NULL), 0);
}

static void pause_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

/* --- wishes --------------------------------------------------------------------------------------------------------------- */

static void test_wishes(void **state)
{
	static const char *const bad[] = {"",    ":tc",        "eth0:",   "eth0:xpd", "interface-too-long",
					  "a/b", "eth0:tc:tc", "eth0: tc"};
	struct hook_wish wish;
	struct error err = {};
	size_t i;

	(void)state;
	assert_int_equal(wish_of("eth0").kind, RAINBOW_HOOK_NONE);
	assert_int_equal(wish_of("eth0:auto").kind, RAINBOW_HOOK_NONE);
	assert_int_equal(wish_of("eth0:xdp").kind, RAINBOW_HOOK_XDP);
	assert_int_equal(wish_of("eth0:xdp-generic").kind, RAINBOW_HOOK_XDP_GENERIC);
	assert_int_equal(wish_of("eth0.100:tc").kind, RAINBOW_HOOK_TC);
	assert_string_equal(wish_of("eth0.100:tc").interface, "eth0.100");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (hook_wish_parse(bad[i], &wish, &err) != -ERROR_BAD_INPUT)
			fail_msg("\"%s\" passes", bad[i]);
	hook_wish_parse("eth0:xpd", &wish, &err);
	assert_non_null(strstr(err.message, "did you mean xdp?"));
}

/* --- each kind ------------------------------------------------------------------------------------------------------------ */

static void test_kinds(void **state)
{
	struct datapath *dp = opened_make(PINS);
	uint32_t program;

	(void)state;
	attach_or_fail(dp, "v0:tc");
	expect(dp, "v0", "tcx", "tcx");
	assert_int_equal(tcx_at("v0", 46, &program), 1);
	assert_int_equal(info_of(dp, if_nametoindex("v0")).hook.kind, RAINBOW_HOOK_TC);
	attach_or_fail(dp, "v0:xdp");
	expect(dp, "v0", "xdp", "tcx");
	assert_true(xdp_at("v0").drv_prog_id);
	assert_int_equal(tcx_at("v0", 46, &program), 0);
	assert_int_equal(tcx_at("v0", 47, &program), 1);
	assert_int_equal(info_of(dp, if_nametoindex("v0")).hook.kind, RAINBOW_HOOK_XDP);
	attach_or_fail(dp, "v0:xdp-generic");
	expect(dp, "v0", "xdp-generic", "tcx");
	assert_true(xdp_at("v0").skb_prog_id);
	assert_int_equal(xdp_at("v0").drv_prog_id, 0);
	attach_or_fail(dp, "v0:xdp");
	attach_or_fail(dp, "v0");
	expect(dp, "v0", "tcx", "tcx");
	assert_int_equal(xdp_at("v0").prog_id, 0);
	attach_or_fail(dp, "b0.7:auto");
	expect(dp, "b0.7", "tcx", "tcx");
	opened_close();
}

static void test_no_packet_unseen(void **state)
{
	static const char *const ways[] = {"v0:tc",          "v0:xdp", "v0:xdp-generic", "v0:xdp", "v0:tc",
					   "v0:xdp-generic", "v0:tc",  "v0:tc",          "v0:xdp", "v0:xdp"};
	struct datapath *dp = opened_make(PINS);
	struct rainbow_packets packets;
	struct stream stream;
	size_t i;

	(void)state;
	stream_begin(&stream);
	pause_ms(50);
	assert_true(stream_received(&stream)); /* the stream does arrive where nothing refuses it */
	refuse_all(dp);
	attach_or_fail(dp, "v0:tc");
	pause_ms(20);
	stream_received(&stream);
	for (i = 0; i < 20; i++) {
		attach_or_fail(dp, ways[i % 10]);
		pause_ms(20);
	}
	/* A newer rainbowd takes over: other programs, the same maps. */
	for (i = 0; i < 3; i++) {
		opened_close();
		dp = opened_make(PINS);
		attach_or_fail(dp, "v0:xdp");
		pause_ms(20);
	}
	assert_int_equal(stream_received(&stream), 0);
	assert_int_equal(datapath_packets(dp, 1, &packets), 0);
	print_message("%u datagrams, %llu refused\n", stream.sent, (unsigned long long)packets.refused_no_version);
	assert_true(packets.refused_no_version > 1000);
	stream_end(&stream);
	opened_close();
}

/* --- across rainbowds ------------------------------------------------------------------------------------------------------ */

static uint32_t link_id(const char *name, uint32_t *program)
{
	struct bpf_link_info info = {};
	uint32_t length = sizeof(info);
	char pin[64];
	int fd;

	snprintf(pin, sizeof(pin), "%s_%u", name, if_nametoindex("v0"));
	fd = ground_open(pin);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &length), 0);
	close(fd);
	*program = info.prog_id;
	return info.id;
}

static void killed_and_taken_over(const char *wish, const char *pin)
{
	uint32_t link, program, link_then, program_then;
	struct datapath *dp;
	int ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = ground_fork();
	if (!child) {
		dp = opened_make(PINS);
		attach_or_fail(dp, wish);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ready[0]);
	close(ready[1]);

	link = link_id(pin, &program);
	dp = opened_make(PINS);
	assert_true(info_of(dp, if_nametoindex("v0")).attached);
	assert_int_equal(link_id(pin, &program_then), link);
	assert_int_equal(program_then, program); /* not before datapath_attach */
	attach_or_fail(dp, wish);
	link_then = link_id(pin, &program_then);
	assert_int_equal(link_then, link);
	assert_int_not_equal(program_then, program);
	opened_close();
}

static void test_killed_and_taken_over(void **state)
{
	(void)state;
	killed_and_taken_over("v0:tc", "ingress");
	killed_and_taken_over("v0:tc", "egress");
	killed_and_taken_over("v0:xdp", "xdp");
	killed_and_taken_over("v0:xdp-generic", "xdp");
}

static void test_removed(void **state)
{
	struct datapath *dp = opened_make(PINS);
	struct error err = {};
	uint32_t program;

	(void)state;
	attach_or_fail(dp, "v0:xdp");
	attach_or_fail(dp, "b0:tc");
	assert_int_equal(datapath_remove(GROUND_PIN_DIR, NULL, &err), -ERROR_CONFLICT);
	assert_true(xdp_at("v0").prog_id);
	opened_close();
	assert_true(xdp_at("v0").prog_id);
	if (datapath_remove(GROUND_PIN_DIR, NULL, &err))
		fail_msg("%s", err.message);
	assert_int_equal(xdp_at("v0").prog_id, 0);
	assert_int_equal(tcx_at("v0", 47, &program) + tcx_at("b0", 46, &program) + tcx_at("b0", 47, &program), 0);
	assert_int_equal(access("/sys/fs/bpf/rainbow", F_OK), -1);
}

static void test_detach_others(void **state)
{
	struct datapath *dp = opened_make(PINS);
	struct hook_wish keep = wish_of("v0");
	struct error err = {};
	uint32_t program;

	(void)state;
	attach_or_fail(dp, "v0:tc");
	attach_or_fail(dp, "v1:xdp");
	attach_or_fail(dp, "b0.7:tc");
	assert_int_equal(datapath_detach_others(dp, &keep, 1, &err), 0);
	expect(dp, "v0", "tcx", "tcx");
	assert_int_equal(xdp_at("v1").prog_id, 0);
	assert_int_equal(tcx_at("b0.7", 46, &program), 0);
	assert_int_equal(info_of(dp, if_nametoindex("v1")).ifindex, 0);
	assert_int_equal(datapath_detach_others(dp, NULL, 0, &err), 0);
	assert_int_equal(info_of(dp, if_nametoindex("v0")).ifindex, 0);
	opened_close();
}

static void test_interface_made_again(void **state)
{
	struct datapath *dp = opened_make(PINS);
	struct hook_wish wish = wish_of("v0:xdp");
	uint32_t before = if_nametoindex("v0");
	struct error err = {};

	(void)state;
	attach_or_fail(dp, "v0:xdp");
	ground_run("ip link del v0 && ip link add v0 type veth peer name v1");
	assert_int_equal(info_of(dp, before).attached, false);
	attach_or_fail(dp, "v0:xdp");
	expect(dp, "v0", "xdp", "tcx");
	assert_int_equal(datapath_detach_others(dp, &wish, 1, &err), 0);
	assert_int_equal(info_of(dp, before).ifindex, 0);
	/* The same index again, as another network namespace would have it. */
	before = if_nametoindex("v0");
	ground_run("ip link del v0 && ip link add v0 index %u type veth peer name v1", before);
	assert_int_equal(info_of(dp, before).attached, false);
	attach_or_fail(dp, "v0:xdp");
	expect(dp, "v0", "xdp", "tcx");
	/* Renamed: the hook stays with the interface. */
	ground_run("ip link set v0 name w0");
	attach_or_fail(dp, "w0:xdp");
	expect(dp, "w0", "xdp", "tcx");
	ground_run("ip link set w0 name v0");
	opened_close();
}

/* Interfaces of two namespaces bear the same index; the pins tell of the one where rainbowd ran before. */
static void test_other_namespace(void **state)
{
	struct datapath *dp = opened_make(PINS);
	uint32_t index = if_nametoindex("v0"), program;
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	(void)state;
	attach_or_fail(dp, "v0:xdp");
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ground_run("ip link add v0 index %u type veth peer name v1", index);
	assert_false(info_of(dp, index).attached);
	attach_or_fail(dp, "v0:xdp");
	expect(dp, "v0", "xdp", "tcx");
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	close(here);
	assert_int_equal(xdp_at("v0").prog_id, 0);
	assert_int_equal(tcx_at("v0", 47, &program), 0);
	assert_false(info_of(dp, index).attached);
	opened_close();
}

/* --- refused --------------------------------------------------------------------------------------------------------------- */

static int pass_all(enum bpf_prog_type type)
{
	const struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 2},
					{.code = BPF_JMP | BPF_EXIT}};
	int fd = bpf_prog_load(type, "somebody", "GPL", code, 2, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void test_refusals(void **state)
{
	struct datapath *dp = opened_make(PINS);
	int somebody = pass_all(BPF_PROG_TYPE_XDP);
	uint32_t program;

	(void)state;
	attach_refused(dp, "nothere:tc", ERROR_NOT_FOUND, "nothere");
	attach_refused(dp, "b0:xdp", ERROR_PRECONDITION, "b0:xdp-generic or b0:tc");
	assert_int_equal(info_of(dp, if_nametoindex("b0")).ifindex, 0);
	assert_int_equal(tcx_at("b0", 47, &program), 0);
	assert_int_equal(bpf_xdp_attach((int)if_nametoindex("v1"), somebody, XDP_FLAGS_DRV_MODE, NULL), 0);
	attach_refused(dp, "v1:xdp", ERROR_CONFLICT, "\"somebody\"");
	/* What is attached stays when a change of it is refused. */
	attach_or_fail(dp, "v1:tc");
	attach_refused(dp, "v1:xdp", ERROR_CONFLICT, "\"somebody\"");
	expect(dp, "v1", "tcx", "tcx");
	assert_int_equal(info_of(dp, if_nametoindex("v1")).hook.kind, RAINBOW_HOOK_TC);
	assert_int_equal(bpf_xdp_detach((int)if_nametoindex("v1"), XDP_FLAGS_DRV_MODE, NULL), 0);
	ground_run("ip link set v0 mtu 9000");
	attach_refused(dp, "v1:xdp", ERROR_PRECONDITION, "veth");
	ground_run("ip tuntap add dev tun7 mode tun");
	attach_refused(dp, "tun7:tc", ERROR_PRECONDITION, "no Ethernet frames");
	ground_run("ip link del tun7");
	close(somebody);
	opened_close();
}

/* Does the hook pinned under this name look into the table of pins that is pinned now? */
static bool looks_into_table(const char *hook)
{
	uint32_t maps[64] = {0}, program, length, i;
	struct bpf_prog_info info = {.nr_map_ids = 64, .map_ids = (uintptr_t)maps};
	struct bpf_map_info table = {};
	int fd = ground_open("rainbow_table");

	length = sizeof(table);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &table, &length), 0);
	close(fd);
	link_id(hook, &program);
	fd = bpf_prog_get_fd_by_id(program);
	length = sizeof(info);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &length), 0);
	close(fd);
	for (i = 0; i < info.nr_map_ids && i < 64; i++)
		if (maps[i] == table.id)
			return true;
	return false;
}

/* Another --max-sessions together with a kind of hook that is refused: no side of the interface stays with the old table. */
static void test_refused_while_resized(void **state)
{
	const struct rainbow_due session = {.flow = {.port = 1, .service = 1}, .pin = {.state = RAINBOW_PIN_LIVE}};
	struct datapath *dp = opened_make(PINS);
	int somebody = pass_all(BPF_PROG_TYPE_XDP);
	struct rainbow_restore sum;
	struct rainbow_pin pin;
	struct error err = {};

	(void)state;
	attach_or_fail(dp, "v0:tc");
	assert_int_equal(datapath_restore(dp, &session, 1, false, &sum, &err), 0);
	opened_close();
	assert_int_equal(bpf_xdp_attach((int)if_nametoindex("v0"), somebody, XDP_FLAGS_DRV_MODE, NULL), 0);
	dp = opened_make(2 * PINS);
	assert_int_equal(datapath_hold(dp, &err), 0);
	attach_refused(dp, "v0:xdp", ERROR_CONFLICT, "\"somebody\"");
	datapath_hold_undo(dp);
	assert_int_equal(datapath_meta(dp)->hold, RAINBOW_HOLD_NONE);
	assert_int_equal(datapath_pin_limit(dp), 2 * PINS);
	assert_true(looks_into_table("ingress"));
	assert_true(looks_into_table("egress"));
	assert_int_equal(datapath_pin_find(dp, &session.flow, &pin), 0);
	expect(dp, "v0", "tcx", "tcx");
	close(somebody);
	opened_close();
}

static bool has_tcx(void)
{
	LIBBPF_OPTS(bpf_prog_query_opts, query);

	return !bpf_prog_query_opts((int)if_nametoindex("lo"), (enum bpf_attach_type)46, &query);
}

/* --- kernels without tcx ---------------------------------------------------------------------------------------------------- */

static void test_clsact(void **state)
{
	struct datapath *dp = opened_make(PINS);
	struct stream stream;
	struct error err = {};
	uint32_t program;
	int i;

	(void)state;
	attach_assume_no_tcx(true);
	refuse_all(dp);
	attach_or_fail(dp, "v0:tc");
	expect(dp, "v0", "clsact", "clsact");
	assert_int_equal(tcx_at("v0", 46, &program), 0);
	stream_begin(&stream);
	for (i = 0; i < 3; i++) {
		opened_close();
		dp = opened_make(PINS);
		expect(dp, "v0", "clsact", "clsact");
		attach_or_fail(dp, "v0:tc");
		attach_or_fail(dp, "v0:xdp");
		attach_or_fail(dp, "v0:xdp-generic");
		attach_or_fail(dp, "v0:tc");
	}
	ground_run("[ $(tc filter show dev v0 ingress | grep -c rainbow_ingress) = 1 ]");
	if (has_tcx()) { /* the kernel learned it: the hook moves over */
		attach_assume_no_tcx(false);
		attach_or_fail(dp, "v0:tc");
		expect(dp, "v0", "tcx", "tcx");
		ground_run("! tc filter show dev v0 ingress | grep -q rainbow");
		attach_assume_no_tcx(true);
	}
	pause_ms(20);
	assert_int_equal(stream_received(&stream), 0);
	assert_true(stream.sent > 100);
	stream_end(&stream);
	attach_or_fail(dp, "v1:tc");
	opened_close();
	assert_int_equal(datapath_remove(GROUND_PIN_DIR, NULL, &err), 0);
	ground_run("! tc filter show dev v1 ingress | grep -q rainbow");
	ground_run("! tc filter show dev v1 egress | grep -q rainbow");
}

static void test_clsact_of_another(void **state)
{
	struct datapath *dp = opened_make(PINS);
	int somebody = pass_all(BPF_PROG_TYPE_SCHED_CLS);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("v0"), .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = somebody, .handle = 1, .priority = 7);

	(void)state;
	attach_assume_no_tcx(true);
	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &filter), 0);
	attach_refused(dp, "v0:tc", ERROR_CONFLICT, "pref 7");
	ground_run("tc filter show dev v0 ingress | grep -q somebody");
	ground_run("! tc filter show dev v0 egress | grep -q rainbow");
	close(somebody);
	opened_close();
}

#define HOOK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wishes),
	    HOOK_TEST(test_clsact),
	    HOOK_TEST(test_clsact_of_another),
	};
	const struct CMUnitTest with_tcx[] = {
	    HOOK_TEST(test_kinds),           HOOK_TEST(test_no_packet_unseen), HOOK_TEST(test_killed_and_taken_over),
	    HOOK_TEST(test_removed),         HOOK_TEST(test_detach_others),    HOOK_TEST(test_interface_made_again),
	    HOOK_TEST(test_other_namespace), HOOK_TEST(test_refusals),         HOOK_TEST(test_refused_while_resized),
	};
	int failed;

	ground_make("test_hooks");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (has_tcx())
		return failed + cmocka_run_group_tests(with_tcx, NULL, NULL);
	printf("skipped: %zu tests that need tcx (Linux 6.6)\n", sizeof(with_tcx) / sizeof(with_tcx[0]));
	return failed;
}
