// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reading the document: see document.h. The parts of a service are read in document_service.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include "common/document_service.h"
#include "common/text.h"

/* An address that something in the document holds; two may not hold the same. */
struct claim {
	struct endpoint at;
	uint8_t protocol;
	size_t order; /* in the document */
	char path[FIELD_PATH_SIZE];
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *one = a, *two = b;
	int order = memcmp(&one->at.addr, &two->at.addr, sizeof(one->at.addr));

	order = order ? order : (one->at.port > two->at.port) - (one->at.port < two->at.port);
	order = order ? order : (one->protocol > two->protocol) - (one->protocol < two->protocol);
	return order ? order : (one->order > two->order) - (one->order < two->order);
}

static size_t count_backends(const struct document *document)
{
	size_t count = 0;

	for (size_t i = 0; i < document->service_count; i++)
		for (size_t j = 0; j < document->services[i].version_count; j++)
			count += document->services[i].versions[j].backend_count;
	return count;
}

static void claim(struct claim *claims, size_t *count, const struct endpoint *at, uint8_t protocol, const char *path)
{
	claims[*count] = (struct claim){.at = *at, .protocol = protocol, .order = *count};
	text_copy(claims[*count].path, sizeof(claims[*count].path), path);
	(*count)++;
}

static void claim_service(struct claim *claims, size_t *count, const struct document_service *service, size_t index)
{
	uint8_t protocol = service->protocol ? service->protocol : IPPROTO_TCP;
	char path[128];

	snprintf(path, sizeof(path), "services[%zu].address", index);
	claim(claims, count, &service->at, protocol, path);
	for (size_t j = 0; j < service->version_count; j++) {
		for (size_t k = 0; k < service->versions[j].backend_count; k++) {
			snprintf(path, sizeof(path), "services[%zu].versions[%zu].backends[%zu].address", index, j, k);
			claim(claims, count, &service->versions[j].backends[k].at, protocol, path);
		}
	}
}

static int check_claims(const struct claim *claims, size_t count, struct error *err)
{
	const struct claim *first = NULL; /* in the document, of those that are claimed again */
	char text[ADDR_TEXT_SIZE];

	for (size_t i = 1; i < count; i++) {
		const struct claim *again = &claims[i], *before = &claims[i - 1];

		if (addr_equal(&again->at.addr, &before->at.addr) && again->at.port == before->at.port &&
		    again->protocol == before->protocol && (!first || again->order < first->order))
			first = again;
	}
	if (!first)
		return 0;
	return error_set(err, ERROR_BAD_INPUT, first->path,
			 "%s/%s is named by %s already; a service or a backend has an address to itself",
			 endpoint_format(&first->at.addr, first->at.port, text), first->protocol == IPPROTO_UDP ? "udp" : "tcp",
			 (first - 1)->path);
}

static int check_addresses(const struct document *document, struct error *err)
{
	size_t count = 0, backends = count_backends(document);
	struct claim *claims;
	int rc;

	if (backends > RAINBOW_MAX_BACKENDS)
		return error_set(err, ERROR_BAD_INPUT, "services", "there are %zu backends; there can be %d", backends,
				 RAINBOW_MAX_BACKENDS);
	claims = calloc(document->service_count + backends + 1, sizeof(*claims));
	if (!claims)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	for (size_t i = 0; i < document->service_count; i++)
		claim_service(claims, &count, &document->services[i], i);
	qsort(claims, count, sizeof(*claims), compare_claims);
	rc = check_claims(claims, count, err);
	free(claims);
	return rc;
}

static int check_name(const struct document *document, size_t index, const struct field *object, struct error *err)
{
	struct field name;

	field_member(object, "name", &name);
	for (size_t i = 0; i < index; i++)
		if (!strcmp(document->services[i].name, document->services[index].name))
			return field_refuse(&name, err, "service %s is there already, as services[%zu]",
					    document->services[i].name, i);
	return 0;
}

static int read_services(const struct field *list, struct document *document, struct error *err)
{
	struct field object;
	int rc = field_check_array(list, RAINBOW_MAX_SERVICES, err);

	if (rc)
		return rc;
	document->services = calloc(json_array_size(list->json) + 1, sizeof(*document->services));
	if (!document->services)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	for (size_t i = 0; field_element(list, i, &object); i++) {
		document->service_count = i + 1;
		rc = document_service_read(&object, &document->services[i], err);
		rc = rc ? rc : check_name(document, i, &object, err);
		if (rc)
			return rc;
	}
	return check_addresses(document, err);
}

static int check_format(const struct field *object, struct error *err)
{
	struct field format;

	if (!field_member(object, "rainbow", &format))
		return field_refuse(&format, err, "is missing: a document begins with rainbow: %d, the number of its format",
				    DOCUMENT_FORMAT);
	if (!json_is_integer(format.json) || json_integer_value(format.json) != DOCUMENT_FORMAT)
		return field_refuse(&format, err, "must be %d, the only format that is known here", DOCUMENT_FORMAT);
	return 0;
}

int document_read(const json_t *json, struct document *document, struct error *err)
{
	static const char *const keys[] = {"rainbow", "services", NULL};
	struct field object, services;
	int rc;

	memset(document, 0, sizeof(*document));
	field_begin(&object, json, "");
	rc = field_check_object(&object, keys, err);
	rc = rc ? rc : check_format(&object, err);
	rc = rc ? rc : field_require(&object, "services", err);
	if (rc)
		return rc;
	field_member(&object, "services", &services);
	return read_services(&services, document, err);
}

void document_fini(struct document *document)
{
	for (size_t i = 0; i < document->service_count; i++)
		document_service_fini(&document->services[i]);
	free(document->services);
	memset(document, 0, sizeof(*document));
}

int document_check(const json_t *json, struct error *err)
{
	struct document document;
	int rc = document_read(json, &document, err);

	document_fini(&document);
	return rc;
}

bool document_wants_text(const char *path)
{
	static const char *const typed[] = {"rainbow", "http",     "max_versions", "client_prefix", "max_sessions", "weight",
					    "margin",  "quantile", "hard_max",     "min_samples",   "shadow",       NULL};
	const char *last = strrchr(path, '.');
	const char *key = last ? last + 1 : path;

	/* Its keys are labels, which may hold dots. */
	if (strstr(path, "].weights."))
		return false;
	for (size_t i = 0; typed[i]; i++)
		if (!strcmp(typed[i], key))
			return false;
	return true;
}

const struct document_version *document_find_version(const struct document_service *service, const char *label)
{
	for (size_t i = 0; i < service->version_count; i++)
		if (!strcmp(service->versions[i].label, label))
			return &service->versions[i];
	return NULL;
}
