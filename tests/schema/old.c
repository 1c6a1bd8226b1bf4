// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a rainbowd of schema 1 leaves in the kernel: its programs, loaded from the object that is kept as data, its maps, pinned and
 * filled with what the database says, and its hooks. Then it ends, as that rainbowd would by kill -9.
 *
 *   schema-old OBJECT.gz PIN-DIR STATE-DIR INTERFACE:tc|clsact|xdp|xdp-generic...
 */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <rainbow/checksum.h>
#include "rainbowd/lookup.h"
#include "rainbowd/model.h"
#include "rainbowd/schema_v1.h"
#include "rainbowd/store.h"

#define TCX_INGRESS 46 /* enum bpf_attach_type since Linux 6.6 */
#define TCX_EGRESS  47
#define OBJECT_MAX  (4u << 20)

static struct bpf_object *object;
static const char *pin_dir;

static void die(const char *what)
{
	fprintf(stderr, "schema-old: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void object_load(const char *path)
{
	gzFile file = gzopen(path, "rb");
	char *bytes = malloc(OBJECT_MAX);
	int length = file && bytes ? gzread(file, bytes, OBJECT_MAX) : -1;

	if (length <= 0)
		die(path);
	gzclose(file);
	object = bpf_object__open_mem(bytes, (size_t)length, NULL);
	if (!object || bpf_object__load(object))
		die("loading");
	free(bytes);
}

static int map_fd(const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	if (!map)
		die(name);
	return bpf_map__fd(map);
}

static int program_fd(const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		die(name);
	return bpf_program__fd(program);
}

static void *array(const char *name)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	size_t size = ((bpf_map__value_size(map) + 7) & ~7u) * (size_t)bpf_map__max_entries(map);
	void *base = mmap(NULL, (size + 4095) & ~(size_t)4095, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (base == MAP_FAILED)
		die(name);
	return base;
}

static void pin_under(int fd, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", pin_dir, name);
	if (bpf_obj_pin(fd, path))
		die(path);
}

static void maps_pin(void)
{
	struct bpf_map *map;

	if (mkdir(pin_dir, 0700) && errno != EEXIST)
		die(pin_dir);
	bpf_object__for_each_map(map, object)
	{
		if (!bpf_map__is_internal(map))
			pin_under(bpf_map__fd(map), bpf_map__name(map));
	}
}

/* --- the model ---------------------------------------------------------------------------------------------------------- */

static void fill_backend(const struct service *service, const struct version *version, const struct backend *backend)
{
	struct rainbow_backend_v1 *entry = (struct rainbow_backend_v1 *)array("rainbow_backend") + backend->id;
	struct rainbow_lookup *table = array("rainbow_lookup");
	bool found;

	entry->address = backend->at.addr;
	entry->port = backend->at.port;
	entry->protocol = service->protocol;
	entry->service = service->id;
	entry->version = version->id;
	entry->healthy = 1;
	entry->max_sessions = backend->max_sessions;
	entry->address_delta = rainbow_delta_addr(&service->at.addr, &backend->at.addr);
	entry->port_delta = rainbow_delta16(rainbow_be16(service->at.port), rainbow_be16(backend->at.port));
	entry->state = backend->leaving ? RAINBOW_BACKEND_LEAVING : RAINBOW_BACKEND_ACTIVE;
	lookup_put(lookup_seek(table, &backend->at.addr, backend->at.port, service->protocol, &found), &backend->at.addr,
		   backend->at.port, service->protocol, RAINBOW_LOOKUP_BACKEND, backend->id);
}

static void fill_version(const struct service *service, const struct version *version)
{
	struct rainbow_version_v1 *entry = (struct rainbow_version_v1 *)array("rainbow_version") + version->id;
	uint8_t *members = array("rainbow_member");
	struct rainbow_member_v1 *member = (struct rainbow_member_v1 *)(members + 520 * version->id);
	size_t i;

	memcpy(entry->label, version->label, sizeof(entry->label));
	entry->service = service->id;
	entry->weight_permille = version->weight;
	entry->state = version->state;
	for (i = 0; i < version->backend_count; i++) {
		fill_backend(service, version, &version->backends[i]);
		member->backend[member->count++] = (uint16_t)version->backends[i].id;
	}
}

static void fill_service(const struct service *service)
{
	struct rainbow_service_v1 *entry = (struct rainbow_service_v1 *)array("rainbow_service") + service->id;
	struct rainbow_wheel_v1 *wheel = (struct rainbow_wheel_v1 *)array("rainbow_wheel") + 2 * service->id;
	struct rainbow_lookup *table = array("rainbow_lookup");
	bool found;
	size_t i;

	for (i = 0; i < service->version_count; i++)
		fill_version(service, &service->versions[i]);
	memcpy(entry->name, service->name, sizeof(entry->name));
	entry->address = service->at.addr;
	entry->port = service->at.port;
	entry->protocol = service->protocol;
	entry->affinity = service->affinity;
	entry->selection = service->selection;
	entry->stray = service->stray;
	entry->generation = service->generation;
	entry->idle_seconds = (uint32_t)(service->idle_timeout.ms / 1000);
	entry->client_prefix = service->client_prefix;
	entry->in_use = 1;
	wheel->generation = service->generation;
	memcpy(wheel->slot, service->wheel, sizeof(wheel->slot));
	lookup_put(lookup_seek(table, &service->at.addr, service->at.port, service->protocol, &found), &service->at.addr,
		   service->at.port, service->protocol, RAINBOW_LOOKUP_SERVICE, service->id);
}

static void fill(const char *state_dir)
{
	struct rainbow_meta_v1 *meta = array("rainbow_meta");
	struct model model = {0};
	struct store *store;
	struct timespec tick;
	struct error err;
	uint64_t secret[2];
	size_t i;

	if (store_open(&store, state_dir, &err) || store_load(store, &model, &err) || store_secret(store, secret, &err)) {
		fprintf(stderr, "schema-old: %s\n", err.message);
		exit(1);
	}
	for (i = 0; i < model.count; i++)
		fill_service(model.services[i]);
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	meta->pin_limit = bpf_map__max_entries(bpf_object__find_map_by_name(object, "rainbow_pin"));
	memcpy(meta->hash_secret, secret, sizeof(secret));
	meta->hz = (uint32_t)(1000000000 / tick.tv_nsec);
	meta->nursery_seconds = 60;
	meta->linger_seconds = 10;
	meta->tombstone_seconds = 60;
	strcpy(meta->writer, "rainbowd 0.1.0");
	meta->schema = RAINBOW_SCHEMA_V1;
	model_fini(&model);
	store_close(store);
}

/* --- hooks -------------------------------------------------------------------------------------------------------------- */

static void link_make(int program, unsigned int ifindex, int type, unsigned int flags, const char *what)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
	char name[32];
	int link = bpf_link_create(program, (int)ifindex, (enum bpf_attach_type)type, &options);

	if (link < 0)
		die(what);
	snprintf(name, sizeof(name), "%s_%u", what, ifindex);
	pin_under(link, name);
}

static void clsact(int program, unsigned int ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = program, .handle = 1, .priority = 7);
	int rc = bpf_tc_hook_create(&hook);

	if ((rc && rc != -EEXIST) || bpf_tc_attach(&hook, &filter))
		die("clsact");
}

static void record(unsigned int ifindex, const char *name, enum rainbow_hook_kind kind)
{
	struct rainbow_hook_v1 hook = {.kind = kind};
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(hook.name, name, sizeof(hook.name) - 1);
	memcpy(request.ifr_name, hook.name, sizeof(hook.name));
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request))
		die(name);
	close(fd);
	memcpy(hook.mac, request.ifr_hwaddr.sa_data, 6);
	if (bpf_map_update_elem(map_fd("rainbow_hook"), &ifindex, &hook, BPF_ANY))
		die("rainbow_hook");
}

static void attach(char *word)
{
	char *kind = strchr(word, ':');
	unsigned int ifindex;

	if (!kind)
		die(word);
	*kind++ = '\0';
	ifindex = if_nametoindex(word);
	if (!ifindex)
		die(word);
	if (!strcmp(kind, "clsact")) {
		clsact(program_fd("rainbow_egress"), ifindex, BPF_TC_EGRESS);
		clsact(program_fd("rainbow_ingress"), ifindex, BPF_TC_INGRESS);
	} else {
		link_make(program_fd("rainbow_egress"), ifindex, TCX_EGRESS, 0, "egress");
	}
	if (!strcmp(kind, "tc"))
		link_make(program_fd("rainbow_ingress"), ifindex, TCX_INGRESS, 0, "ingress");
	else if (!strcmp(kind, "xdp"))
		link_make(program_fd("rainbow_xdp"), ifindex, BPF_XDP, XDP_FLAGS_DRV_MODE, "xdp");
	else if (!strcmp(kind, "xdp-generic"))
		link_make(program_fd("rainbow_xdp"), ifindex, BPF_XDP, XDP_FLAGS_SKB_MODE, "xdp");
	record(ifindex, word,
	       !strcmp(kind, "xdp")           ? RAINBOW_HOOK_XDP
	       : !strcmp(kind, "xdp-generic") ? RAINBOW_HOOK_XDP_GENERIC
					      : RAINBOW_HOOK_TC);
}

int main(int argc, char **argv)
{
	int i;

	if (argc < 5) {
		fprintf(stderr, "usage: schema-old OBJECT.gz PIN-DIR STATE-DIR INTERFACE:KIND...\n");
		return 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	pin_dir = argv[2];
	object_load(argv[1]);
	fill(argv[3]);
	maps_pin();
	for (i = 4; i < argc; i++)
		attach(argv[i]);
	return 0;
}
