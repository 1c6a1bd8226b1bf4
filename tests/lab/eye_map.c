// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The eye looks at pinned maps: reads every element and types it by the map's BTF, with bpftool's names and shapes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "tests/lab/eye.h"

struct map {
	int fd;
	struct bpf_map_info info;
	struct btf *btf;
	size_t value_size; /* of one CPU, as the kernel pads it */
	int cpus;          /* 0: a map that is not per CPU */
	char *key, *value;
};

static jv type_value(const struct btf *btf, __u32 id, const char *data);

static jv int_value(const struct btf_type *type, const char *data)
{
	int is_signed = btf_int_encoding(type) & BTF_INT_SIGNED;
	__u64 value = 0;

	memcpy(&value, data, type->size); /* little-endian, as all that this lab runs on */
	if (is_signed && type->size < 8 && value >> (type->size * 8 - 1))
		value |= ~0ull << (type->size * 8);
	return jv_number(is_signed ? (double)(__s64)value : (double)value);
}

static jv enum_value(const struct btf *btf, const struct btf_type *type, const char *data)
{
	const struct btf_enum *one = btf_enum(type);
	int value, i;

	memcpy(&value, data, sizeof(value));
	for (i = 0; i < btf_vlen(type); i++) {
		if (one[i].val == value)
			return jv_string(btf__name_by_offset(btf, one[i].name_off));
	}
	return jv_number(value);
}

static jv array_value(const struct btf *btf, const struct btf_type *type, const char *data)
{
	const struct btf_array *array = btf_array(type);
	const struct btf_type *element = btf__type_by_id(btf, (__u32)btf__resolve_type(btf, array->type));
	__s64 size = btf__resolve_size(btf, array->type);
	const char *name = btf__name_by_offset(btf, element->name_off);
	jv values = jv_array();
	__u32 i;

	if (!strcmp(name, "char")) {
		jv_free(values);
		return jv_string_sized(data, (int)strnlen(data, array->nelems));
	}
	for (i = 0; i < array->nelems; i++)
		values = jv_array_append(values, type_value(btf, array->type, data + (size_t)size * i));
	return values;
}

/* bpftool shows those in hexadecimal. */
static jv bitfield_value(__u32 size, __u32 offset, const char *data)
{
	unsigned long long value = 0;
	char text[24];

	memcpy(&value, data + offset / 8, (offset % 8 + size + 7) / 8);
	snprintf(text, sizeof(text), "0x%llx", value >> offset % 8 & ((1ull << size) - 1));
	return jv_string(text);
}

static jv member_value(const struct btf *btf, const struct btf_type *type, __u32 i, const char *data)
{
	__u32 size = btf_member_bitfield_size(type, i), offset = btf_member_bit_offset(type, i);

	return size ? bitfield_value(size, offset, data) : type_value(btf, btf_members(type)[i].type, data + offset / 8);
}

static jv members_value(const struct btf *btf, const struct btf_type *type, const char *data)
{
	const struct btf_member *member = btf_members(type);
	jv values = jv_object();
	int i;

	for (i = 0; i < btf_vlen(type); i++)
		values = jv_object_set(values, jv_string(btf__name_by_offset(btf, member[i].name_off)),
				       member_value(btf, type, (__u32)i, data));
	return values;
}

static jv type_value(const struct btf *btf, __u32 id, const char *data)
{
	const struct btf_type *type = btf__type_by_id(btf, (__u32)btf__resolve_type(btf, id));

	switch (btf_kind(type)) {
	case BTF_KIND_INT:
		return int_value(type, data);
	case BTF_KIND_ENUM:
		return enum_value(btf, type, data);
	case BTF_KIND_ARRAY:
		return array_value(btf, type, data);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return members_value(btf, type, data);
	default:
		return jv_null();
	}
}

/* --- elements ------------------------------------------------------------------------------------------------------------ */

static int map_is_per_cpu(const struct map *map)
{
	return map->info.type == BPF_MAP_TYPE_PERCPU_HASH || map->info.type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static int map_open(struct map *map, const char *pin)
{
	__u32 length = sizeof(map->info);
	size_t copies;

	map->fd = bpf_obj_get(pin);
	if (map->fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(map->fd, &map->info, &length))
		return -errno;
	map->btf = btf__load_from_kernel_by_id(map->info.btf_id);
	if (!map->btf)
		return -errno;
	map->cpus = map_is_per_cpu(map) ? libbpf_num_possible_cpus() : 0;
	map->value_size = map->cpus ? (map->info.value_size + 7) / 8 * 8 : map->info.value_size;
	copies = map->cpus ? (size_t)map->cpus : 1;
	map->key = calloc(2, map->info.key_size);
	map->value = calloc(copies, map->value_size);
	return map->key && map->value ? 0 : -ENOMEM;
}

static void map_close(struct map *map)
{
	free(map->key);
	free(map->value);
	btf__free(map->btf);
	if (map->fd >= 0)
		close(map->fd);
}

static int is_never_written(const struct map *map)
{
	return map->info.type == BPF_MAP_TYPE_ARRAY && !map->value[0] &&
	       !memcmp(map->value, map->value + 1, map->value_size - 1);
}

static jv map_element(const struct map *map, const char *key)
{
	jv element = jv_object_set(jv_object(), jv_string("key"), type_value(map->btf, map->info.btf_key_type_id, key));
	jv values = jv_array();
	int i;

	if (!map->cpus) {
		jv_free(values);
		return jv_object_set(element, jv_string("value"),
				     type_value(map->btf, map->info.btf_value_type_id, map->value));
	}
	for (i = 0; i < map->cpus; i++) {
		const char *value = map->value + map->value_size * (size_t)i;
		jv one = jv_object_set(jv_object(), jv_string("cpu"), jv_number(i));

		values = jv_array_append(
		    values, jv_object_set(one, jv_string("value"), type_value(map->btf, map->info.btf_value_type_id, value)));
	}
	return jv_object_set(element, jv_string("values"), values);
}

jv eye_map(const char *pin)
{
	struct map map = {.fd = -1};
	jv elements = jv_array();
	int code = map_open(&map, pin);
	char *next, *previous = NULL;

	if (code) {
		map_close(&map);
		jv_free(elements);
		return eye_nothing("%s: %s", pin, strerror(-code));
	}
	next = map.key;
	while (!bpf_map_get_next_key(map.fd, previous, next)) {
		if (!bpf_map_lookup_elem(map.fd, next, map.value) && !is_never_written(&map))
			elements = jv_array_append(elements,
						   jv_object_set(jv_object(), jv_string("formatted"), map_element(&map, next)));
		previous = next;
		next = next == map.key ? map.key + map.info.key_size : map.key;
	}
	map_close(&map);
	return elements;
}
