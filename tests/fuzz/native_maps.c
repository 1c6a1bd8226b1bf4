/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of native.h. An array's values lie apart, with poisoned bytes between; each value of a hash is an allocation of its own,
 * freed at once when it is deleted, since in the kernel another CPU may have it at once. Tries are searched one by one: slow, right.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "tests/fuzz/native.h"

#define MAPS_MAX 64
#define CHAINS   1024
#define GAP      32 /* poisoned bytes behind a value of an array */

struct entry {
	TAILQ_ENTRY(entry) order; /* the least recently used first */
	LIST_ENTRY(entry) chain;
	uint8_t *key;
	uint8_t *value;
};

struct native_map {
	const void *variable;
	struct native_definition definition;
	/* arrays */
	uint8_t *values;
	size_t stride;
	uint8_t *is_touched; /* since the last reset */
	uint32_t *touched;
	uint32_t touched_count;
	/* the others */
	TAILQ_HEAD(, entry) order;
	LIST_HEAD(, entry) chain[CHAINS];
	uint32_t count;
};

static struct native_map *maps[MAPS_MAX];
static size_t maps_count;

static void die(const char *what, const char *name)
{
	fprintf(stderr, "native: %s: %s\n", name, what);
	abort();
}

static void *must(void *memory)
{
	if (!memory)
		die("out of memory", "maps");
	return memory;
}

static bool is_array(const struct native_map *map)
{
	return map->definition.type == BPF_MAP_TYPE_ARRAY || map->definition.type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static void array_fini(struct native_map *map)
{
	if (map->values)
		native_unpoison(map->values, map->stride * map->definition.entries);
	free(map->values);
	free(map->is_touched);
	free(map->touched);
}

static void array_init(struct native_map *map)
{
	size_t entries = map->definition.entries, value = map->definition.value_size;
	uint32_t i;

	map->stride = (value + 7) / 8 * 8 + GAP;
	map->values = must(calloc(entries, map->stride));
	map->is_touched = must(calloc(entries, 1));
	map->touched = must(calloc(entries, sizeof(*map->touched)));
	map->touched_count = 0;
	for (i = 0; i < entries; i++)
		native_poison(map->values + map->stride * i + value, map->stride - value);
}

static void map_init(struct native_map *map)
{
	switch (map->definition.type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY: /* one CPU */
		array_init(map);
		return;
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
		TAILQ_INIT(&map->order);
		return;
	default:
		die("native_maps.c has no map of this type yet", map->definition.name);
	}
}

struct native_map *native_map_of(const void *variable, const struct native_definition *definition)
{
	struct native_map *map;
	size_t i;

	for (i = 0; i < maps_count; i++)
		if (maps[i]->variable == variable)
			return maps[i];
	if (maps_count == MAPS_MAX)
		die("too many maps; raise MAPS_MAX", definition->name);
	map = must(calloc(1, sizeof(*map)));
	map->variable = variable;
	map->definition = *definition;
	map->definition.name += *definition->name == '&';
	map_init(map);
	maps[maps_count++] = map;
	return map;
}

struct native_map *native_map_named(const char *name)
{
	size_t i;

	for (i = 0; i < maps_count; i++)
		if (strcmp(maps[i]->definition.name, name) == 0)
			return maps[i];
	return NULL;
}

const struct native_definition *native_definition_of(const struct native_map *map)
{
	return &map->definition;
}

/* --- arrays --------------------------------------------------------------------------------------------------------------- */

static uint8_t *array_value(struct native_map *map, uint32_t index)
{
	return map->values + map->stride * index;
}

static void *array_lookup(struct native_map *map, uint32_t index)
{
	if (index >= map->definition.entries)
		return NULL;
	if (!map->is_touched[index]) {
		map->is_touched[index] = 1;
		map->touched[map->touched_count++] = index;
	}
	return array_value(map, index);
}

static void array_reset(struct native_map *map)
{
	while (map->touched_count) {
		uint32_t index = map->touched[--map->touched_count];

		map->is_touched[index] = 0;
		memset(array_value(map, index), 0, map->definition.value_size);
	}
}

/* --- hashes and tries ------------------------------------------------------------------------------------------------------ */

static uint32_t chain_of(const struct native_map *map, const void *key)
{
	const uint8_t *octet = key;
	uint32_t hash = 2166136261u, i;

	for (i = 0; i < map->definition.key_size; i++)
		hash = (uint32_t)((hash ^ octet[i]) * 16777619ull);
	return hash % CHAINS;
}

static struct entry *entry_find(struct native_map *map, const void *key)
{
	struct entry *entry;

	LIST_FOREACH(entry, &map->chain[chain_of(map, key)], chain)
	if (memcmp(entry->key, key, map->definition.key_size) == 0)
		return entry;
	return NULL;
}

static void entry_remove(struct native_map *map, struct entry *entry)
{
	TAILQ_REMOVE(&map->order, entry, order);
	LIST_REMOVE(entry, chain);
	map->count--;
	free(entry->key);
	free(entry->value);
	free(entry);
}

static void entry_add(struct native_map *map, const void *key, const void *value)
{
	struct entry *entry = must(calloc(1, sizeof(*entry)));

	entry->key = must(malloc(map->definition.key_size));
	entry->value = must(malloc(map->definition.value_size));
	memcpy(entry->key, key, map->definition.key_size);
	memcpy(entry->value, value, map->definition.value_size);
	TAILQ_INSERT_TAIL(&map->order, entry, order);
	LIST_INSERT_HEAD(&map->chain[chain_of(map, key)], entry, chain);
	map->count++;
}

static void entry_use(struct native_map *map, struct entry *entry)
{
	if (map->definition.type != BPF_MAP_TYPE_LRU_HASH)
		return;
	TAILQ_REMOVE(&map->order, entry, order);
	TAILQ_INSERT_TAIL(&map->order, entry, order);
}

static bool prefix_is(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
	uint32_t rest = bits % 8;

	return memcmp(a, b, bits / 8) == 0 && (!rest || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0);
}

/* struct bpf_lpm_trie_key: a prefix length, then the bytes. */
static struct entry *trie_find(struct native_map *map, const void *key)
{
	struct entry *entry, *best = NULL;
	uint32_t asked, length, longest = 0;

	memcpy(&asked, key, 4);
	TAILQ_FOREACH(entry, &map->order, order)
	{
		memcpy(&length, entry->key, 4);
		if (length > asked || (best && length <= longest) ||
		    !prefix_is(entry->key + 4, (const uint8_t *)key + 4, length))
			continue;
		best = entry;
		longest = length;
	}
	return best;
}

/* --- what programs call ----------------------------------------------------------------------------------------------------- */

void *native_lookup(struct native_map *map, const void *key)
{
	struct entry *entry;
	uint32_t index;

	if (is_array(map)) {
		memcpy(&index, key, 4);
		return array_lookup(map, index);
	}
	entry = map->definition.type == BPF_MAP_TYPE_LPM_TRIE ? trie_find(map, key) : entry_find(map, key);
	if (!entry)
		return NULL;
	entry_use(map, entry);
	return entry->value;
}

long native_update(struct native_map *map, const void *key, const void *value, uint64_t flags)
{
	struct entry *entry;
	uint32_t index;
	void *old;

	if (flags > BPF_EXIST)
		return -EINVAL;
	if (is_array(map)) {
		memcpy(&index, key, 4);
		old = array_lookup(map, index);
		if (!old)
			return -E2BIG;
		if (flags == BPF_NOEXIST)
			return -EEXIST;
		memcpy(old, value, map->definition.value_size);
		return 0;
	}
	entry = entry_find(map, key);
	if (entry && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!entry && flags == BPF_EXIST)
		return -ENOENT;
	/* A new value, not the old one overwritten: who holds the old one does not see it change. */
	if (entry)
		entry_remove(map, entry);
	if (map->count >= map->definition.entries) {
		if (map->definition.type != BPF_MAP_TYPE_LRU_HASH)
			return map->definition.type == BPF_MAP_TYPE_LPM_TRIE ? -ENOSPC : -E2BIG;
		entry_remove(map, TAILQ_FIRST(&map->order));
	}
	entry_add(map, key, value);
	return 0;
}

long native_delete(struct native_map *map, const void *key)
{
	struct entry *entry;

	if (is_array(map))
		return -EINVAL;
	entry = entry_find(map, key);
	if (!entry)
		return -ENOENT;
	entry_remove(map, entry);
	return 0;
}

static long array_each(struct native_map *map, const uint32_t *indices, uint32_t count, native_each each, void *arg)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		uint32_t index = indices ? indices[i] : i;

		if (each(map, &index, array_value(map, index), arg))
			return i + 1;
	}
	return count;
}

/* By a list of keys, since the callback may delete. */
static long hash_each(struct native_map *map, native_each each, void *arg)
{
	uint32_t size = map->definition.key_size, count = 0, i;
	uint8_t *keys = must(malloc((size_t)size * map->count + 1));
	struct entry *entry;
	long shown = 0;

	TAILQ_FOREACH(entry, &map->order, order)
	memcpy(keys + (size_t)size * count++, entry->key, size);
	for (i = 0; i < count; i++) {
		entry = entry_find(map, keys + (size_t)size * i);
		if (!entry)
			continue;
		shown++;
		if (each(map, entry->key, entry->value, arg))
			break;
	}
	free(keys);
	return shown;
}

/* A program's walk of an array touches nothing: it changes there what somebody has looked up before. */
long native_for_each(struct native_map *map, native_each each, void *arg)
{
	if (!is_array(map))
		return hash_each(map, each, arg);
	return array_each(map, NULL, map->definition.entries, each, arg);
}

long native_for_each_touched(struct native_map *map, native_each each, void *arg)
{
	return is_array(map) ? array_each(map, map->touched, map->touched_count, each, arg) : hash_each(map, each, arg);
}

long native_loop(uint32_t count, native_step step, void *arg)
{
	uint32_t i;

	if (count > 1 << 23)
		return -E2BIG;
	for (i = 0; i < count; i++)
		if (step(i, arg))
			return i + 1;
	return count;
}

/* --- as new ----------------------------------------------------------------------------------------------------------------- */

static void hash_reset(struct native_map *map)
{
	struct entry *entry;

	while ((entry = TAILQ_FIRST(&map->order)))
		entry_remove(map, entry);
}

void native_resize(struct native_map *map, uint32_t entries)
{
	if (map->definition.entries == entries)
		return;
	if (is_array(map))
		array_fini(map);
	else
		hash_reset(map);
	map->definition.entries = entries;
	if (is_array(map))
		array_init(map);
}

void native_reset(void)
{
	size_t i;

	for (i = 0; i < maps_count; i++) {
		if (is_array(maps[i]))
			array_reset(maps[i]);
		else
			hash_reset(maps[i]);
	}
}
