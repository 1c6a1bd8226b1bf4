/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See town.h. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <rainbow/checksum.h>
#include "tests/fuzz/town.h"

#define PACKET_HOST      0 /* linux/if_packet.h */
#define PACKET_MULTICAST 2
#define PACKET_OTHERHOST 3

struct town town = {
    .wan = {2, {0x02, 0, 0, 0, 0x0a, 0x01}},
    .lan = {3, {0x02, 0, 0, 0, 0x0b, 0x01}},
    .mtu = 1500,
};

uint8_t reader_take(struct reader *reader)
{
	if (!reader->left)
		return 0;
	reader->left--;
	return *reader->bytes++;
}

/* --- who lives there --------------------------------------------------------------------------------------------------------- */

struct house {
	bool is_v4;
	uint8_t protocol;
	enum rainbow_affinity affinity;
	uint16_t port;
};
static const struct house houses[TOWN_SERVICES + 1] = {
    {0},
    {true, IPPROTO_TCP, RAINBOW_AFFINITY_CONNECTION, 80},
    {false, IPPROTO_TCP, RAINBOW_AFFINITY_CLIENT, 80},
    {true, IPPROTO_UDP, RAINBOW_AFFINITY_CONNECTION, 53},
    {false, IPPROTO_UDP, RAINBOW_AFFINITY_CLIENT, 53},
    {true, IPPROTO_TCP, RAINBOW_AFFINITY_CLIENT, 81},
};

static struct endpoint v4(uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
	return (struct endpoint){.addr = {{[10] = 0xff, 0xff, 10, b, c, d}}, .port = port};
}

static struct endpoint v6(uint8_t site, uint8_t net, uint8_t host, uint16_t port)
{
	return (struct endpoint){.addr = {{0x20, 0x01, 0x0d, 0xb8, 0, site, 0, net, [15] = host}}, .port = port};
}

static struct endpoint service_at(uint32_t id)
{
	return houses[id].is_v4 ? v4(0, 0, 1, houses[id].port) : v6(0, 0, 1, houses[id].port);
}

static struct endpoint backend_at(uint32_t id)
{
	uint8_t host = (uint8_t)((id - 1) % 6);

	return houses[(id - 1) / 6 + 1].is_v4 ? v4(1, 0, (uint8_t)(11 + host), (uint16_t)(8000 + id))
					      : v6(1, 0, (uint8_t)(0x11 + host), (uint16_t)(8000 + id));
}

/* Of the IPv6 ones, the first two are one client by the default prefix. */
static struct endpoint client_at(uint32_t which, bool is_v4, uint16_t port)
{
	switch (which) {
	case 0:
		return is_v4 ? v4(9, 0, 1, port) : v6(9, 0, 1, port);
	case 1:
		return is_v4 ? v4(9, 0, 2, port) : v6(9, 0, 2, port);
	case 2:
		return is_v4 ? v4(9, 1, 1, port) : v6(9, 1, 1, port);
	default:
		return is_v4 ? v4(0, 0, 77, port) : v6(0, 0, 0x77, port);
	}
}

static uint32_t version_of(uint32_t backend)
{
	return (backend - 1) / 2 + 1;
}

static void build_backend(uint32_t id, uint32_t service)
{
	struct endpoint from = service_at(service), to = backend_at(id);
	struct rainbow_member *member = core_member(version_of(id));

	*core_backend(id) = (struct rainbow_backend){
	    .address = to.addr,
	    .port = to.port,
	    .protocol = houses[service].protocol,
	    .state = RAINBOW_BACKEND_ACTIVE,
	    .service = service,
	    .version = version_of(id),
	    .healthy = 1,
	    .address_delta = rainbow_delta_addr(&from.addr, &to.addr),
	    .port_delta = rainbow_delta16(rainbow_be16(from.port), rainbow_be16(to.port)),
	};
	member->backend[member->count++] = (uint16_t)id;
	core_add_lookup(&to.addr, to.port, houses[service].protocol, RAINBOW_LOOKUP_BACKEND, id);
}

/* `share` slots to the first version, half of the rest to each of the others; then it is in force. */
static void turn_wheel(uint32_t service, uint32_t first, uint32_t share)
{
	struct rainbow_service *s = core_service(service);
	uint32_t next = !s->wheel, slot, base = 3 * (service - 1) + 1;
	struct rainbow_wheel *wheel = core_wheel(service, next);

	for (slot = 0; slot < RAINBOW_WHEEL_SLOTS; slot++)
		wheel->slot[slot] = (uint16_t)(base + (slot < share ? first : (first + 1 + (slot & 1)) % 3));
	wheel->generation = ++s->generation;
	s->wheel = next;
}

static void build_version(uint32_t id, uint32_t service)
{
	*core_version(id) = (struct rainbow_version){.state = RAINBOW_VERSION_ACTIVE, .service = service};
	core_add_signal(id, RAINBOW_SLOT_EVER);
	core_add_signal(id, town_cohort_slot(id));
}

static void build_service(uint32_t id)
{
	struct endpoint where = service_at(id);
	uint32_t i;

	*core_service(id) = (struct rainbow_service){
	    .name = "service",
	    .address = where.addr,
	    .port = where.port,
	    .protocol = houses[id].protocol,
	    .affinity = houses[id].affinity,
	    .selection = RAINBOW_SELECTION_HASH,
	    .stray = RAINBOW_STRAY_RESET,
	    .idle_seconds = 600,
	    .client_prefix = 64,
	    .in_use = 1,
	    .http = id & 1,
	    .cohort = {.began = 1, .number = id}, /* of all that begins */
	};
	for (i = 1; i <= 3; i++)
		build_version(3 * (id - 1) + i, id);
	for (i = 1; i <= 6; i++)
		build_backend(6 * (id - 1) + i, id);
	core_add_lookup(&where.addr, where.port, houses[id].protocol, RAINBOW_LOOKUP_SERVICE, id);
	turn_wheel(id, 0, 500);
}

void town_build(uint32_t sessions)
{
	uint32_t id;

	town.routes = ROUTES_ARE_THERE;
	native.fib = town_fib;
	core_fill_meta(core_meta(), sessions);
	for (id = 1; id <= TOWN_SERVICES; id++)
		build_service(id);
	core_put_hook(town.wan.ifindex, RAINBOW_HOOK_XDP);
	core_put_hook(town.lan.ifindex, RAINBOW_HOOK_XDP);
}

/* --- routes: the network of tests/bpf/world.c --------------------------------------------------------------------------------- */

static long fib_found(struct bpf_fib_lookup *ask, const struct town_device *by, uint8_t fifth, uint8_t sixth)
{
	const uint8_t mac[6] = {0x02, 0, 0, 0, fifth, sixth};

	ask->ifindex = by->ifindex;
	ask->mtu_result = town.mtu;
	memcpy(ask->dmac, mac, 6);
	memcpy(ask->smac, by->mac, 6);
	return BPF_FIB_LKUP_RET_SUCCESS;
}

/* Site 0 is wan0, site 1 lan0, site 9 behind the router; nine backends follow on each of the first two. */
static long fib_site(struct bpf_fib_lookup *ask, uint8_t site, bool is_host, uint8_t host, uint8_t lan, uint8_t wan)
{
	if (site == 9) { /* by the router, which is named as the next hop */
		if (ask->family == AF_INET)
			memcpy(&ask->ipv4_dst, "\x0a\x00\x00\xfe", 4);
		else
			memcpy(ask->ipv6_dst, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\xfe", 16);
		return fib_found(ask, &town.wan, 0, 0xfe);
	}
	if (site > 1 || (is_host && host == 1))
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	if (is_host && site == 1 && host > lan && host < lan + 10)
		return fib_found(ask, &town.lan, 1, 0);
	if (is_host && site == 0 && host > wan && host < wan + 10)
		return fib_found(ask, &town.wan, 1, 0);
	return BPF_FIB_LKUP_RET_NO_NEIGH;
}

long town_fib(struct bpf_fib_lookup *ask)
{
	const uint8_t *to;

	if (town.routes == ROUTES_FAIL)
		return BPF_FIB_LKUP_RET_UNREACHABLE;
	if (town.routes == ROUTES_UNRESOLVED)
		return BPF_FIB_LKUP_RET_NO_NEIGH;
	if (ask->family == AF_INET) {
		to = (const uint8_t *)&ask->ipv4_dst;
		if (to[0] != 10 || (to[1] != 9 && to[2]))
			return BPF_FIB_LKUP_RET_NOT_FWDED;
		if (to[1] == 0 && (to[3] == 77 || to[3] == 254))
			return fib_found(ask, &town.wan, 0, to[3] == 77 ? 0x77 : 0xfe);
		if (to[1] != 9 && to[3] == 255)
			return BPF_FIB_LKUP_RET_NOT_FWDED;
		return fib_site(ask, to[1], true, to[3], 10, 50);
	}
	to = (const uint8_t *)ask->ipv6_dst;
	if (memcmp(to, "\x20\x01\x0d\xb8\x00", 5) != 0 || (to[5] != 9 && (to[6] || to[7])))
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	if (memcmp(to + 8, "\0\0\0\0\0\0\0", 7) != 0)
		return fib_site(ask, to[5], false, 0, 0, 0);
	if (to[5] == 0 && (to[15] == 0x77 || to[15] == 0xfe))
		return fib_found(ask, &town.wan, 0, to[15]);
	if (to[5] < 2 && to[15] == 0) /* the subnet router's anycast address */
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	return fib_site(ask, to[5], true, to[15], 0x10, 0x50);
}

/* --- packets ------------------------------------------------------------------------------------------------------------------- */

/* From what would be right. */
static uint32_t astray(unsigned int which)
{
	static const uint32_t by[16] = {0,   0,          0,     0,     0,          0,          1,       0xffffffff,
					100, 0xffffff9c, 65535, 65536, 0x7fffffff, 0x80000000, 1 << 20, 0};

	return by[which & 15];
}

static void tcp_from_client(struct packet *p, const struct rainbow_flow *flow)
{
	const struct rainbow_pin *pin = core_pin(flow);
	const struct rainbow_nursling *n = core_nursling(flow);

	p->seq = 0xfffff000;
	p->ack = 0x7ffff000;
	if (n) {
		p->seq = n->client_isn + !(p->flags & TCP_SYN);
		p->ack = n->server_next;
	} else if (pin && !(p->flags & TCP_SYN)) {
		p->seq = pin->client.next;
		p->ack = pin->server.next;
	}
}

static void tcp_from_backend(struct packet *p, const struct rainbow_flow *flow)
{
	const struct rainbow_pin *pin = core_pin(flow);
	const struct rainbow_nursling *n = core_nursling(flow);

	p->seq = 0x7fffff00;
	p->ack = 0xfffff001;
	if (n) {
		p->seq = n->state == RAINBOW_NURSERY_ANSWERED ? n->server_next - !!(p->flags & TCP_SYN) : 0x7fffff00;
		p->ack = n->client_isn + 1;
	} else if (pin) {
		p->seq = pin->server.next;
		p->ack = pin->client.next;
	}
}

/* The backend that has the flow, or else the one of the service that was asked for. */
static uint32_t backend_of(const struct rainbow_flow *flow, unsigned int wish)
{
	const struct rainbow_pin *pin = core_pin(flow);
	const struct rainbow_nursling *n = core_nursling(flow);

	if (wish)
		return 6 * (flow->service - 1u) + (wish - 1) % 6 + 1;
	if (n && n->backend)
		return n->backend;
	return pin && pin->backend ? pin->backend : 6u * (flow->service - 1u) + 1;
}

static uint8_t type_of(const struct frame *frame, const uint8_t mac[6])
{
	if (memcmp(frame->bytes, mac, 6) == 0)
		return PACKET_HOST;
	return frame->bytes[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

/* The flags that make a session come to something, more often than others. */
static uint8_t flags_of(uint8_t byte)
{
	static const uint8_t usual[16] = {TCP_SYN,           TCP_SYN | TCP_ACK, TCP_ACK,           TCP_ACK,
					  TCP_ACK | TCP_PSH, TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST,
					  TCP_ACK,           TCP_SYN,           TCP_SYN | TCP_ACK, TCP_RST | TCP_ACK};

	return byte & 0xc0 ? usual[byte & 15] : byte;
}

static void packet_describe(struct packet *p, struct step *step, const uint8_t byte[6])
{
	uint32_t service = byte[1] % TOWN_SERVICES + 1;
	bool is_v4 = houses[service].is_v4;
	struct endpoint client = client_at(byte[0] & 3, is_v4, (uint16_t)(40000 + (byte[0] >> 2 & 3)));
	static const uint16_t payloads[8] = {0, 0, 1, 100, 536, 1400, 0, 7};

	step->flow = (struct rainbow_flow){.client = client.addr, .port = client.port, .service = (uint16_t)service};
	step->from_client = !(byte[0] & 16);
	*p = (struct packet){
	    .source = client,
	    .target = service_at(service),
	    .protocol = houses[service].protocol,
	    .ttl = byte[4] & 0x40 ? 1 : 64,
	    .flags = flags_of(byte[2]),
	    .window = byte[2] & 1 ? 65535 : 512,
	    .scale = byte[4] & 8 ? 7 : NO_SCALE,
	    .payload = payloads[byte[4] & 7],
	    .tags = (byte[4] & 0x30) == 0x30 ? 1 + (byte[3] & 1) : 0,
	    .ip_options = byte[4] & 0x80 && is_v4 ? 8 : 0,
	    .extensions = byte[4] & 0x80 && !is_v4 ? 2 : 0,
	    .extension_units = 1,
	    .padding = byte[5] & 0x80 ? 5 : 0,
	    .no_checksum = is_v4 && (byte[3] & 0xc0) == 0xc0,
	};
	if (!step->from_client) {
		p->source =
		    backend_at(backend_of(&step->flow, byte[1] / TOWN_SERVICES < 40 ? 0 : byte[1] / TOWN_SERVICES - 39));
		p->target = client;
		tcp_from_backend(p, &step->flow);
	} else {
		tcp_from_client(p, &step->flow);
	}
	p->seq += astray(byte[3]);
	p->ack += astray(byte[3] >> 4);
	memcpy(p->source_mac, "\x02\0\0\0\0\x77", 6);
}

/* An ICMP error about the packet, by the router beyond or by its addressee. */
static void packet_build_error(struct frame *frame, const struct packet *about, bool by_addressee)
{
	bool is_v4 = packet_is_v4(about);
	struct packet error = {
	    .source = by_addressee ? about->target
		      : is_v4      ? v4(0, 0, 254, 0)
				   : v6(0, 0, 0xfe, 0),
	    .target = about->source,
	    .protocol = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
	    .ttl = 64,
	    .icmp_type = is_v4 ? 3 : 1,
	    .quoted = about,
	    .quoted_bytes = by_addressee ? 0
			    : is_v4      ? 28
					 : 48,
	};

	memcpy(error.target_mac, about->target_mac, 6);
	memcpy(error.source_mac, about->source_mac, 6);
	packet_build(frame, &error);
}

/* Flips some bytes, mostly of the headers, and may cut the end off. */
static void frame_spoil(struct frame *frame, struct reader *reader, unsigned int count)
{
	while (count--) {
		size_t at = reader_take(reader);
		uint8_t by = reader_take(reader);

		if (at >= 0xf0)
			frame->length = frame->length * by / 255;
		else if (at < frame->length)
			frame->bytes[at] ^= by;
	}
}

static void step_packet(struct reader *reader, struct step *step)
{
	const struct town_device *device;
	struct packet p;
	uint8_t byte[6];
	unsigned int i;

	for (i = 0; i < sizeof(byte); i++)
		byte[i] = reader_take(reader);
	packet_describe(&p, step, byte);
	device = step->from_client ? &town.wan : &town.lan;
	step->packet.hook = (byte[0] >> 5 & 3) == 1 ? NATIVE_INGRESS : NATIVE_XDP;
	if ((byte[0] >> 5 & 3) == 2)
		step->packet.hook = step->from_client ? NATIVE_INGRESS : NATIVE_EGRESS;
	if (step->packet.hook == NATIVE_EGRESS)
		device = &town.wan;
	memcpy(p.target_mac, device->mac, 6);
	if (byte[0] & 0x80 && byte[2] & 0x80)
		packet_build_error(&step->frame, &p, byte[2] & 0x40);
	else
		packet_build(&step->frame, &p);
	step->fits = !(byte[5] & 8) && !(byte[0] & 0x80) && !p.tags && !p.ip_options && !p.extensions;
	if (byte[5] & 8)
		frame_spoil(&step->frame, reader, byte[5] & 7);
	step->packet.ifindex = device->ifindex;
	step->packet.bytes = step->frame.bytes;
	step->packet.length = step->frame.length;
	step->packet.linear = (byte[5] & 0x60) == 0x60 ? 14 + (byte[5] & 7u) * 8 : step->frame.length;
	step->packet.gso_size = byte[5] & 16 ? 536 : 0;
	step->packet.type = step->frame.length >= 6 ? type_of(&step->frame, device->mac) : PACKET_HOST;
}

/* --- what rainbowd and the clock do ---------------------------------------------------------------------------------------------- */

static void change_version(uint32_t id, uint8_t how)
{
	struct rainbow_version *version = core_version(id);

	if (how & 1)
		version->state = RAINBOW_VERSION_DRAINING;
	else if (how & 2 && !version->live)
		version->state = RAINBOW_VERSION_DRAINED;
	else
		version->state = RAINBOW_VERSION_ACTIVE;
}

static void change_backend(uint32_t id, uint8_t how)
{
	struct rainbow_backend *backend = core_backend(id);

	backend->healthy = how & 1;
	backend->max_sessions = how & 2 ? how >> 4 : 0;
	backend->close_after = !(how & 4) ? 0 : native.jiffies + (how & 8 ? 0 : 500);
}

static void change_service(uint32_t id, uint8_t how)
{
	struct rainbow_service *service = core_service(id);

	service->selection = how & 1 ? RAINBOW_SELECTION_EXACT : RAINBOW_SELECTION_HASH;
	service->stray = (enum rainbow_stray)(RAINBOW_STRAY_RESET + (how >> 1) % 3);
	service->idle_seconds = how & 16 ? 0 : 600;
	service->client_prefix = 64;
}

static void change_steer(uint32_t service, uint8_t how)
{
	struct endpoint client = client_at(how & 3, houses[service].is_v4, 0);
	uint32_t bits = how & 4 ? 128 : 96 + 16;

	if (bits < 128)
		memset(client.addr.octet + bits / 8, 0, 16 - bits / 8);
	core_put_steer(service, &client.addr, bits, how & 8 ? 3 * (service - 1) + (how >> 4) % 3 + 1 : 0);
	core_service(service)->steers = 1; /* "look" is all that it says */
}

static uint32_t jiffies_of(uint8_t byte)
{
	static const uint32_t spans[8] = {1, 5, 256, 1000, 3000, 16000, 160000, 0};

	return spans[byte & 7] + byte / 8;
}

void town_step(struct reader *reader, struct step *step)
{
	uint8_t kind = reader_take(reader), a, b;
	uint32_t service;

	step->fits = false;
	if (kind < 208) {
		step->deed = DEED_PACKET;
		step_packet(reader, step);
		return;
	}
	a = reader_take(reader);
	b = reader_take(reader);
	service = a % TOWN_SERVICES + 1;
	step->deed = DEED_MODEL;
	switch (kind % 9) {
	case 0:
		step->deed = DEED_TIME;
		step->jiffies = jiffies_of(a);
		break;
	case 1:
		turn_wheel(service, a / TOWN_SERVICES % 3, b * 4u > 1000 ? 1000 : b * 4u);
		break;
	case 2:
		change_version(a % TOWN_VERSIONS + 1, b);
		break;
	case 3:
		change_backend(a % TOWN_BACKENDS + 1, b);
		break;
	case 4:
		change_service(service, b);
		break;
	case 5:
		change_steer(service, b);
		break;
	case 6:
		step->deed = DEED_SWEEP;
		step->sweep = (struct rainbow_sweep){.ask_limit = a & 1 ? RAINBOW_DUE : a};
		break;
	case 7:
		step->deed = DEED_CLOSE;
		step->close = (struct rainbow_close){.reason = RAINBOW_END_FORCED, .version = b & 0x80 ? b & 15 : 0};
		step->close.flow = (struct rainbow_flow){
		    .client = client_at(b & 3, houses[service].is_v4, 0).addr,
		    .port = (uint16_t)(b & 0x10 ? 0 : 40000 + (b >> 2 & 3)),
		    .service = (uint16_t)service,
		};
		if (!step->close.flow.port && !houses[service].is_v4)
			step->close.flow.client.octet[15] = 0;
		break;
	default:
		step->deed = DEED_ROUTES;
		town.routes = a & 3 ? ROUTES_ARE_THERE : 1 + (a >> 2 & 1);
		town.mtu = b & 1 ? 576 : 1500;
		break;
	}
}
