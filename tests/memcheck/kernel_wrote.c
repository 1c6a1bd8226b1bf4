// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Preloaded into rainbowd under valgrind. valgrind 3.19 does not know what some commands of bpf(2) write; it would take their
 * output for uninitialised. Each function here is libbpf's own, and then tells valgrind what the kernel wrote, no byte more.
 */
#include <dlfcn.h>
#include <bpf/bpf.h>
#include <valgrind/memcheck.h>

int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, __u32 *count,
			 const struct bpf_map_batch_opts *opts)
{
	int (*real)(int, void *, void *, void *, void *, __u32 *, const struct bpf_map_batch_opts *) =
	    dlsym(RTLD_NEXT, "bpf_map_lookup_batch");
	int rc = real(fd, in_batch, out_batch, keys, values, count, opts);
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return rc;
	VALGRIND_MAKE_MEM_DEFINED(out_batch, sizeof(__u32));
	VALGRIND_MAKE_MEM_DEFINED(keys, (size_t)*count * info.key_size);
	VALGRIND_MAKE_MEM_DEFINED(values, (size_t)*count * info.value_size);
	return rc;
}

int bpf_prog_test_run_opts(int fd, struct bpf_test_run_opts *opts)
{
	int (*real)(int, struct bpf_test_run_opts *) = dlsym(RTLD_NEXT, "bpf_prog_test_run_opts");
	int rc = real(fd, opts);

	/* A program of type syscall writes into the context that it was given. */
	if (!rc)
		VALGRIND_MAKE_MEM_DEFINED(opts->ctx_in, opts->ctx_size_in);
	return rc;
}
