// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The model's storage: making, copying, finding. What an operator may do with it is in commands.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include "model.h"

/* The daemon can do nothing sensible without a few hundred bytes; the datapath goes on without it. */
static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* One more element at the end of an array. */
static void *append(void **array, size_t *count, const void *element, size_t size)
{
	char *grown = must(reallocarray(*array, *count + 1, size));
	char *place = grown + *count * size;

	memcpy(place, element, size);
	*array = grown;
	(*count)++;
	return place;
}

static void remove_at(void *array, size_t *count, size_t index, size_t size)
{
	char *place = (char *)array + index * size;

	(*count)--;
	memmove(place, place + size, (*count - index) * size);
}

static void *duplicate(const void *array, size_t count, size_t size)
{
	void *copy;

	if (!count)
		return NULL;
	copy = must(reallocarray(NULL, count, size));
	memcpy(copy, array, count * size);
	return copy;
}

struct service *service_new(void)
{
	struct service *service = must(calloc(1, sizeof(*service)));

	settings_init(&service->settings);
	return service;
}

struct service *service_clone(const struct service *service)
{
	struct service *copy = must(calloc(1, sizeof(*copy)));
	size_t i;

	*copy = *service;
	if (settings_copy(&copy->settings, &service->settings))
		abort();
	copy->versions = duplicate(service->versions, service->version_count, sizeof(*service->versions));
	copy->steers = duplicate(service->steers, service->steer_count, sizeof(*service->steers));
	for (i = 0; i < copy->version_count; i++) {
		struct version *version = &copy->versions[i];

		version->backends = duplicate(version->backends, version->backend_count, sizeof(*version->backends));
	}
	return copy;
}

void service_free(struct service *service)
{
	size_t i;

	if (!service)
		return;
	for (i = 0; i < service->version_count; i++)
		free(service->versions[i].backends);
	free(service->versions);
	free(service->steers);
	settings_fini(&service->settings);
	free(service);
}

void model_fini(struct model *model)
{
	size_t i;

	for (i = 0; i < model->count; i++)
		service_free(model->services[i]);
	model->count = 0;
}

static size_t model_place_of(const struct model *model, const char *name)
{
	size_t i = 0;

	while (i < model->count && strcmp(model->services[i]->name, name) < 0)
		i++;
	return i;
}

void model_replace(struct model *model, struct service *before, struct service *after)
{
	const struct service *named = before ? before : after;
	size_t place =
	    model_place_of(model, named->name); // cppcheck-suppress nullPointerRedundantCheck; one of the two is given
	struct service **at = &model->services[place];

	if (before && after) {
		*at = after;
	} else if (after) {
		memmove(at + 1, at, (model->count - place) * sizeof(*at));
		model->count++;
		*at = after;
	} else if (before) {
		model->count--;
		memmove(at, at + 1, (model->count - place) * sizeof(*at));
	}
	service_free(before);
}

struct service *model_find_service(const struct model *model, const char *name)
{
	size_t place = model_place_of(model, name);

	if (place < model->count && strcmp(model->services[place]->name, name) == 0)
		return model->services[place];
	return NULL;
}

const struct version *model_find_version(const struct model *model, uint32_t service, uint32_t version)
{
	size_t i;

	for (i = 0; i < model->count; i++)
		if (model->services[i]->id == service)
			return service_find_version_id(model->services[i], version);
	return NULL;
}

#define KNOWN_SIZE 200 /* of a list of names in an error */

/* "web, chat" into text; false: the next one and "and 99 more" would not fit. */
static bool list_word(char text[KNOWN_SIZE], const char *word)
{
	size_t used = strlen(text);

	if (used + strlen(word) + sizeof(", ") + sizeof(" and 99 more") > KNOWN_SIZE)
		return false;
	snprintf(text + used, KNOWN_SIZE - used, "%s%s", used ? ", " : "", word);
	return true;
}

static void list_rest(char text[KNOWN_SIZE], size_t rest)
{
	size_t used = strlen(text);

	if (rest)
		snprintf(text + used, KNOWN_SIZE - used, " and %zu more", rest);
}

int model_get_service(const struct model *model, const char *name, struct service **out, struct error *err)
{
	char known[KNOWN_SIZE] = "";
	size_t i = 0;

	*out = model_find_service(model, name);
	if (*out)
		return 0;
	while (i < model->count && list_word(known, model->services[i]->name))
		i++;
	list_rest(known, model->count - i);
	if (!model->count)
		return error_set(err, ERROR_NOT_FOUND, "service",
				 "there is no service %.64s, nor any other; add one: rainbowctl service add NAME ADDR:PORT",
				 name);
	return error_set(err, ERROR_NOT_FOUND, "service", "there is no service %.64s; there is: %s", name, known);
}

struct version *service_find_version(const struct service *service, const char *label)
{
	size_t i;

	for (i = 0; i < service->version_count; i++)
		if (strcmp(service->versions[i].label, label) == 0)
			return &service->versions[i];
	return NULL;
}

struct version *service_find_version_id(const struct service *service, uint32_t id)
{
	size_t i;

	for (i = 0; i < service->version_count; i++)
		if (service->versions[i].id == id)
			return &service->versions[i];
	return NULL;
}

int service_get_version(const struct service *service, const char *label, struct version **out, struct error *err)
{
	char known[KNOWN_SIZE] = "";
	size_t i = 0;

	*out = service_find_version(service, label);
	if (*out)
		return 0;
	while (i < service->version_count && list_word(known, service->versions[i].label))
		i++;
	list_rest(known, service->version_count - i);
	if (!service->version_count)
		return error_set(err, ERROR_NOT_FOUND, "version",
				 "service %s has no version yet; add one: rainbowctl version add %s LABEL --backend ADDR:PORT",
				 service->name, service->name);
	return error_set(err, ERROR_NOT_FOUND, "version", "service %s has no version %.64s; it has: %s", service->name, label,
			 known);
}

struct version *service_append_version(struct service *service, const struct version *version)
{
	return append((void **)&service->versions, &service->version_count, version, sizeof(*version));
}

void service_remove_version(struct service *service, struct version *version)
{
	free(version->backends);
	remove_at(service->versions, &service->version_count, (size_t)(version - service->versions), sizeof(*version));
}

struct steer *service_append_steer(struct service *service, const struct steer *steer)
{
	return append((void **)&service->steers, &service->steer_count, steer, sizeof(*steer));
}

void service_remove_steer(struct service *service, struct steer *steer)
{
	remove_at(service->steers, &service->steer_count, (size_t)(steer - service->steers), sizeof(*steer));
}

/* The bits of a range counted as the kernel's trie counts them: an IPv4 one has 96 in front. */
static unsigned int cidr_depth(const struct cidr *range)
{
	return addr_is_v4(&range->addr) ? range->bits + 96u : range->bits;
}

static bool cidr_equal(const struct cidr *a, const struct cidr *b)
{
	return a->bits == b->bits && addr_equal(&a->addr, &b->addr);
}

struct steer *service_find_steer(const struct service *service, const struct cidr *range)
{
	size_t i;

	for (i = 0; i < service->steer_count; i++)
		if (cidr_equal(&service->steers[i].range, range))
			return &service->steers[i];
	return NULL;
}

const struct steer *service_steer_of(const struct service *service, const struct rainbow_addr *addr)
{
	const struct steer *best = NULL;
	const struct version *version;
	size_t i;

	for (i = 0; i < service->steer_count; i++) {
		const struct steer *steer = &service->steers[i];

		if (cidr_contains(&steer->range, addr) && (!best || cidr_depth(&steer->range) > cidr_depth(&best->range)))
			best = steer;
	}
	version = best ? service_find_version_id(service, best->version) : NULL;
	return version && version->state == RAINBOW_VERSION_ACTIVE ? best : NULL;
}

struct backend *version_find_backend(const struct version *version, const struct endpoint *at)
{
	size_t i;

	for (i = 0; i < version->backend_count; i++) {
		struct backend *backend = &version->backends[i];

		if (backend->at.port == at->port && addr_equal(&backend->at.addr, &at->addr))
			return backend;
	}
	return NULL;
}

struct backend *version_find_backend_id(const struct version *version, uint32_t id)
{
	size_t i;

	for (i = 0; i < version->backend_count; i++)
		if (version->backends[i].id == id)
			return &version->backends[i];
	return NULL;
}

struct backend *version_append_backend(struct version *version, const struct backend *backend)
{
	return append((void **)&version->backends, &version->backend_count, backend, sizeof(*backend));
}

void version_remove_backend(struct version *version, struct backend *backend)
{
	remove_at(version->backends, &version->backend_count, (size_t)(backend - version->backends), sizeof(*backend));
}

size_t version_active_backends(const struct version *version)
{
	size_t i, count = 0;

	for (i = 0; i < version->backend_count; i++)
		count += !version->backends[i].leaving;
	return count;
}

const struct service *model_find_endpoint(const struct model *model, const struct endpoint *at, uint8_t protocol,
					  const struct version **version, const struct backend **backend)
{
	size_t i, j;

	*version = NULL;
	*backend = NULL;
	for (i = 0; i < model->count; i++) {
		const struct service *service = model->services[i];

		if (service->protocol != protocol)
			continue;
		if (service->at.port == at->port && addr_equal(&service->at.addr, &at->addr))
			return service;
		for (j = 0; j < service->version_count; j++) {
			*backend = version_find_backend(&service->versions[j], at);
			if (!*backend)
				continue;
			*version = &service->versions[j];
			return service;
		}
	}
	return NULL;
}
