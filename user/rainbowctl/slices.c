// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See slices.h. What an EndpointSlice says is in its API reference: a condition that is missing means ready, only the first address counts. */
#include <stdio.h>
#include <string.h>
#include "common/addr.h"
#include "common/document.h"
#include "common/error.h"
#include "rainbowctl/slices.h"

#define SERVICE_NAME "kubernetes.io/service-name"
#define KEY_SIZE     512 /* NAMESPACE/NAME: 63 and 253 characters */

struct reader {
	const struct slices *from;
	json_t *pods, *services; /* by NAMESPACE/NAME */
	json_t *found;           /* services of the document by name */
	json_t *places;          /* the namespace of each */
	struct slices_left_out *left_out;
	struct error *err;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const json_t *metadata(const json_t *object)
{
	return json_object_get(object, "metadata");
}

static const char *label_of(const json_t *object, const char *label)
{
	return text_of(json_object_get(metadata(object), "labels"), label);
}

static const char *key_of(const char *place, const char *name, char key[KEY_SIZE])
{
	snprintf(key, KEY_SIZE, "%s/%s", place, name);
	return key;
}

/* Items of a List have a kind; those of a PodList do not. */
static bool is_kind(const json_t *list, const json_t *item, const char *kind)
{
	const char *own = text_of(item, "kind"), *of_list = text_of(list, "kind");
	size_t length = strlen(kind);

	if (*own)
		return !strcmp(own, kind);
	return !strncmp(of_list, kind, length) && !strcmp(of_list + length, "List");
}

typedef int take_item(struct reader *reader, const json_t *item);

static int each(struct reader *reader, const char *kind, take_item *take)
{
	for (size_t i = 0; i < sizeof(reader->from->lists) / sizeof(reader->from->lists[0]); i++) {
		const json_t *list = reader->from->lists[i], *items = json_object_get(list, "items"), *item;
		size_t j;
		int rc = is_kind(NULL, list, kind) ? take(reader, list) : 0;

		if (rc)
			return rc;
		json_array_foreach(items, j, item)
		{
			rc = is_kind(list, item, kind) ? take(reader, item) : 0;
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int keep_pod(struct reader *reader, const json_t *pod)
{
	char key[KEY_SIZE];

	json_object_set(reader->pods, key_of(text_of(metadata(pod), "namespace"), text_of(metadata(pod), "name"), key),
			(json_t *)pod);
	return 0;
}

static int keep_service(struct reader *reader, const json_t *service)
{
	char key[KEY_SIZE];

	json_object_set(reader->services,
			key_of(text_of(metadata(service), "namespace"), text_of(metadata(service), "name"), key),
			(json_t *)service);
	return 0;
}

/* --- ports and addresses ---------------------------------------------------------------------------------------------------------- */

/* The one that is asked for, or the only one; NULL: neither. */
static const json_t *port_of(const json_t *ports, const char *name)
{
	const json_t *port;
	size_t i;

	if (!name)
		return json_array_size(ports) == 1 ? json_array_get(ports, 0) : NULL;
	json_array_foreach(ports, i, port)
	{
		if (!strcmp(text_of(port, "name"), name))
			return port;
	}
	return NULL;
}

static int refuse_port(struct reader *reader, const json_t *slice, const json_t *ports)
{
	const char *name = text_of(metadata(slice), "name");
	char names[200] = "";
	const json_t *port;
	size_t length = 0, i;

	json_array_foreach(ports, i, port)
	{
		if (length < sizeof(names))
			length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s", i ? ", " : "",
						   text_of(port, "name"));
	}
	if (!i)
		return error_set(reader->err, ERROR_BAD_INPUT, "--service-port", "slice %.100s has no port", name);
	if (reader->from->service_port)
		return error_set(reader->err, ERROR_BAD_INPUT, "--service-port", "slice %.100s has no port %.60s; it has: %s",
				 name, reader->from->service_port, names);
	return error_set(reader->err, ERROR_BAD_INPUT, "--service-port", "slice %.100s has several ports: %s; say which", name,
			 names);
}

static const char *join(const char *ip, json_int_t port, char text[ADDR_TEXT_SIZE])
{
	snprintf(text, ADDR_TEXT_SIZE, strchr(ip, ':') ? "[%.45s]:%d" : "%.45s:%d", ip, (int)port);
	return text;
}

/* What clients dial: the load balancer's address, else the cluster's. False: the Service has none. */
static bool dialled(const struct reader *reader, const json_t *service, char text[ADDR_TEXT_SIZE])
{
	const json_t *spec = json_object_get(service, "spec");
	const json_t *balancer = json_object_get(json_object_get(service, "status"), "loadBalancer");
	const char *ip = text_of(json_array_get(json_object_get(balancer, "ingress"), 0), "ip");
	const json_t *port = port_of(json_object_get(spec, "ports"), reader->from->service_port);

	if (!*ip)
		ip = text_of(spec, "clusterIP");
	if (!*ip || !strcmp(ip, "None") || !json_is_integer(json_object_get(port, "port")))
		return false;
	join(ip, json_integer_value(json_object_get(port, "port")), text);
	return true;
}

/* --- what is found ------------------------------------------------------------------------------------------------------------------ */

/* The service of this name, made if it is not there. Its address may come with a later slice. */
static json_t *found_service(struct reader *reader, const char *app, const json_t *slice, const char *protocol)
{
	json_t *service = json_object_get(reader->found, app);
	const char *name = label_of(slice, SERVICE_NAME);
	char address[ADDR_TEXT_SIZE], key[KEY_SIZE];

	if (!service) {
		service = json_pack("{s:s, s:s, s:s, s:[]}", "name", app, "address", "", "protocol", protocol, "versions");
		json_object_set_new(reader->found, app, service);
	}
	if (reader->from->address)
		json_object_set_new(service, "address", json_string(reader->from->address));
	else if ((!*text_of(service, "address") || !strcmp(name, app)) &&
		 dialled(reader, json_object_get(reader->services, key_of(text_of(metadata(slice), "namespace"), name, key)),
			 address))
		json_object_set_new(service, "address", json_string(address));
	return service;
}

static json_t *found_backends(json_t *service, const char *label)
{
	json_t *versions = json_object_get(service, "versions"), *version;
	size_t i;

	json_array_foreach(versions, i, version)
	{
		if (!strcmp(text_of(version, "label"), label))
			return json_object_get(version, "backends");
	}
	version = json_pack("{s:s, s:[]}", "label", label, "backends");
	json_array_append_new(versions, version);
	return json_object_get(version, "backends");
}

/* An endpoint may stand in two slices while it moves from one to the other. */
static void add_backend(json_t *backends, const char *address)
{
	const json_t *backend;
	size_t i;

	json_array_foreach(backends, i, backend)
	{
		if (!strcmp(text_of(backend, "address"), address))
			return;
	}
	json_array_append_new(backends, json_pack("{s:s}", "address", address));
}

static int check_place(struct reader *reader, const char *app, const json_t *slice)
{
	const char *here = text_of(metadata(slice), "namespace");
	const json_t *place = json_object_get(reader->places, app);

	if (!place)
		json_object_set_new(reader->places, app, json_string(here));
	else if (strcmp(json_string_value(place), here))
		return error_set(
		    reader->err, ERROR_BAD_INPUT, "app",
		    "service %.60s is in two namespaces, %.60s and %.60s; give the list of one: kubectl -n NAMESPACE", app,
		    json_string_value(place), here);
	return 0;
}

/* --- endpoints ------------------------------------------------------------------------------------------------------------------------ */

static bool is_backend(struct reader *reader, const json_t *endpoint)
{
	const json_t *conditions = json_object_get(endpoint, "conditions");

	if (json_is_true(json_object_get(conditions, "terminating")))
		reader->left_out->terminating++;
	else if (json_is_false(json_object_get(conditions, "ready")))
		reader->left_out->not_ready++;
	else
		return true;
	return false;
}

/* The label of the endpoint's pod, else of its slice; "": neither has it. */
static const char *endpoint_label(const struct reader *reader, const json_t *slice, const json_t *endpoint, const char *label)
{
	const json_t *target = json_object_get(endpoint, "targetRef");
	const char *place = text_of(target, "namespace"), *text;
	char key[KEY_SIZE];

	if (!*place)
		place = text_of(metadata(slice), "namespace");
	text = label_of(json_object_get(reader->pods, key_of(place, text_of(target, "name"), key)), label);
	return *text ? text : label_of(slice, label);
}

static int refuse_unlabelled(struct reader *reader, const json_t *slice, const char *address, const char *label)
{
	return error_set(
	    reader->err, ERROR_BAD_INPUT, label,
	    "endpoint %.60s of slice %.100s has no label %s, neither on its pod nor on its slice; give the pods too, with "
	    "--pods, or in the same list: kubectl get endpointslices,pods,services -o json",
	    address, text_of(metadata(slice), "name"), label);
}

static int take_endpoint(struct reader *reader, const json_t *slice, const json_t *endpoint, const json_t *port)
{
	const char *ip = json_string_value(json_array_get(json_object_get(endpoint, "addresses"), 0));
	const char *app = endpoint_label(reader, slice, endpoint, "app");
	const char *version = endpoint_label(reader, slice, endpoint, "version");
	const char *protocol = strcmp(text_of(port, "protocol"), "UDP") ? "tcp" : "udp";
	char address[ADDR_TEXT_SIZE];
	int rc;

	if (!ip)
		return error_set(reader->err, ERROR_BAD_INPUT, "addresses", "slice %.100s has an endpoint without an address",
				 text_of(metadata(slice), "name"));
	if (!*app || !*version)
		return refuse_unlabelled(reader, slice, ip, *app ? "version" : "app");
	rc = check_place(reader, app, slice);
	if (!rc)
		add_backend(found_backends(found_service(reader, app, slice, protocol), version),
			    join(ip, json_integer_value(json_object_get(port, "port")), address));
	return rc;
}

static int take_slice(struct reader *reader, const json_t *slice)
{
	const json_t *ports = json_object_get(slice, "ports"), *port = port_of(ports, reader->from->service_port);
	const json_t *endpoints = json_object_get(slice, "endpoints"), *endpoint;
	size_t i;
	int rc = 0;

	if (!json_array_size(endpoints))
		return 0;
	if (!strcmp(text_of(slice, "addressType"), "FQDN"))
		return error_set(reader->err, ERROR_BAD_INPUT, "addressType",
				 "slice %.100s holds names, not addresses, to which no packet can be sent",
				 text_of(metadata(slice), "name"));
	if (!json_is_integer(json_object_get(port, "port")))
		return refuse_port(reader, slice, ports);
	json_array_foreach(endpoints, i, endpoint)
	{
		if (!rc && is_backend(reader, endpoint))
			rc = take_endpoint(reader, slice, endpoint, port);
	}
	return rc;
}

/* --- the document ------------------------------------------------------------------------------------------------------------------ */

/* Of a dual-stack service, the backends of the address's family. */
static void drop_other_family(struct reader *reader, json_t *service)
{
	bool v6 = *text_of(service, "address") == '[';
	json_t *versions = json_object_get(service, "versions");

	for (size_t i = json_array_size(versions); i-- > 0;) {
		json_t *backends = json_object_get(json_array_get(versions, i), "backends");

		for (size_t j = json_array_size(backends); j-- > 0;) {
			if ((*text_of(json_array_get(backends, j), "address") == '[') == v6)
				continue;
			json_array_remove(backends, j);
			reader->left_out->other_family++;
		}
		if (!json_array_size(backends))
			json_array_remove(versions, i);
	}
}

static int finish(struct reader *reader, json_t **document)
{
	json_t *services = json_array(), *service;
	const char *name;
	int rc = 0;

	*document = json_pack("{s:i, s:o}", "rainbow", DOCUMENT_FORMAT, "services", services);
	json_object_foreach(reader->found, name, service)
	{
		if (!rc && !*text_of(service, "address"))
			rc = error_set(reader->err, ERROR_BAD_INPUT, "--address",
				       "what clients of %.60s dial is not known; give --address ADDR:PORT, or the Services in "
				       "the same list: "
				       "kubectl get endpointslices,pods,services -o json",
				       name);
		drop_other_family(reader, service);
		json_array_append(services, service);
	}
	if (!rc && !json_array_size(services))
		rc = error_set(reader->err, ERROR_BAD_INPUT, "--file",
			       "there is no endpoint that is ready in it: it should be what "
			       "kubectl get endpointslices -o json prints");
	if (!rc && reader->from->address && json_array_size(services) > 1)
		rc = error_set(reader->err, ERROR_BAD_INPUT, "--address",
			       "there are %zu services, and one address is given; select one: "
			       "kubectl get endpointslices -l app=NAME",
			       json_array_size(services));
	return rc ? rc : document_check(*document, reader->err);
}

int slices_read(const struct slices *slices, json_t **document, struct slices_left_out *left_out, struct error *err)
{
	struct reader reader = {
	    .from = slices,
	    .pods = json_object(),
	    .services = json_object(),
	    .found = json_object(),
	    .places = json_object(),
	    .left_out = left_out,
	    .err = err,
	};
	int rc = each(&reader, "Pod", keep_pod);

	*left_out = (struct slices_left_out){0};
	*document = NULL;
	rc = rc ? rc : each(&reader, "Service", keep_service);
	rc = rc ? rc : each(&reader, "EndpointSlice", take_slice);
	rc = rc ? rc : finish(&reader, document);
	if (rc) {
		json_decref(*document);
		*document = NULL;
	}
	json_decref(reader.pods);
	json_decref(reader.services);
	json_decref(reader.found);
	json_decref(reader.places);
	return rc;
}
