// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The pin directory: mounting, making, taking, listing, removing. See pin_dir.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>
#include <bpf/bpf.h>
#include "common/log.h"
#include "rainbowd/pin_dir.h"

#define BPFFS_ROOT "/sys/fs/bpf"

const char *pin_dir_path(const struct pin_dir *dir, const char *name, char buf[PIN_PATH_SIZE])
{
	snprintf(buf, PIN_PATH_SIZE, "%s/%s", dir->path, name);
	return buf;
}

/* With "." or ".." a path that looks as if it were under the bpffs may lead elsewhere. */
static bool has_dots(const char *path)
{
	const char *part;

	for (part = strchr(path, '/'); part; part = strchr(part + 1, '/')) {
		size_t length = strcspn(part + 1, "/");

		if ((length == 1 && part[1] == '.') || (length == 2 && part[1] == '.' && part[2] == '.'))
			return true;
	}
	return false;
}

static int path_keep(struct pin_dir *dir, const char *path, struct error *err)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	if (path[0] != '/' || length < 2)
		return error_set(err, ERROR_BAD_INPUT, "pin-dir",
				 "the pin directory \"%s\" is no absolute path; give one under %s", path, BPFFS_ROOT);
	if (has_dots(path))
		return error_set(err, ERROR_BAD_INPUT, "pin-dir",
				 "the pin directory \"%s\" has \".\" or \"..\" in it; give it without", path);
	if (length >= sizeof(dir->path))
		return error_set(err, ERROR_BAD_INPUT, "pin-dir", "the pin directory's path is longer than %zu characters",
				 sizeof(dir->path) - 1);
	memcpy(dir->path, path, length);
	dir->path[length] = '\0';
	return 0;
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* The same of a directory that may go away meanwhile: 1, 0, or -ENOENT. */
static int look_for_bpffs(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return errno == ENOENT ? -ENOENT : 0;
	return fs.f_type == BPF_FS_MAGIC;
}

/* The deepest directory of the path that exists. */
static void path_existing(const char *path, char *out)
{
	struct stat st;

	strcpy(out, path);
	while (stat(out, &st) && strcmp(out, "/")) {
		char *slash = strrchr(out, '/');

		slash[slash == out] = '\0';
	}
}

static int bpffs_ensure(const struct pin_dir *dir, struct error *err)
{
	char existing[PIN_DIR_PATH_SIZE];
	int tries;

	/* Another rainbowd may be removing the directory: what was there a moment ago is looked for anew. */
	for (tries = 0; tries < 100; tries++) {
		int found;

		path_existing(dir->path, existing);
		found = look_for_bpffs(existing);
		if (found == 1)
			return 0;
		if (found == 0)
			break;
	}
	if (strncmp(dir->path, BPFFS_ROOT "/", strlen(BPFFS_ROOT "/")) || is_bpffs(BPFFS_ROOT))
		return error_set(err, ERROR_PRECONDITION, "pin-dir",
				 "%s is not on a bpffs; give a pin directory under %s, or first: mount -t bpf bpf %s",
				 dir->path, BPFFS_ROOT, existing);
	if (mount("bpf", BPFFS_ROOT, "bpf", 0, "mode=0700"))
		return error_set(err, ERROR_PRECONDITION, "pin-dir",
				 "a bpffs can not be mounted at %s: %s; run rainbowd as root, or first: mount -t bpf bpf %s",
				 BPFFS_ROOT, strerror(errno), BPFFS_ROOT);
	log_info("datapath", "mounted a bpffs at %s", BPFFS_ROOT);
	return 0;
}

/* 0, 1: a directory of the path went away meanwhile, or an error. */
static int path_make(const struct pin_dir *dir, struct error *err)
{
	char path[PIN_DIR_PATH_SIZE];
	char *slash = path;
	int made;

	strcpy(path, dir->path);
	do {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		made = mkdir(path, 0700) ? errno : 0;
		if (made == ENOENT)
			return 1;
		if (made && made != EEXIST)
			return error_set(err, ERROR_PRECONDITION, "pin-dir", "%s can not be made: %s; run rainbowd as root",
					 path, strerror(made));
		if (slash)
			*slash = '/';
	} while (slash);
	return 0;
}

/* Who holds the flock, by /proc/locks: "1: FLOCK  ADVISORY  WRITE 4711 00:1c:2345 0 EOF". 0: unknown. */
static int holder_find(int fd)
{
	char line[256], place[64];
	struct stat st;
	int pid, found = 0;
	FILE *locks;

	if (fstat(fd, &st))
		return 0;
	snprintf(place, sizeof(place), "%02x:%02x:%lu", major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino);
	locks = fopen("/proc/locks", "re");
	if (!locks)
		return 0;
	while (!found && fgets(line, sizeof(line), locks)) {
		char where[64];

		if (sscanf(line, "%*d: FLOCK %*s %*s %d %63s", &pid, where) == 2 && !strcmp(where, place))
			found = pid;
	}
	fclose(locks);
	return found;
}

static int conflict_set(const struct pin_dir *dir, int fd, struct error *err)
{
	char who[32] = "";
	int pid = holder_find(fd);

	if (pid > 0)
		snprintf(who, sizeof(who), " (process %d)", pid);
	return error_set(err, ERROR_CONFLICT, "pin-dir", "another rainbowd%s holds %s; stop it first, or use another --pin-dir",
			 who, dir->path);
}

/* Whether the path still leads to what fd has open: its former holder may have removed it before we had the lock. */
static bool is_same(const char *path, int fd)
{
	struct stat by_path, by_fd;

	return !stat(path, &by_path) && !fstat(fd, &by_fd) && by_path.st_dev == by_fd.st_dev && by_path.st_ino == by_fd.st_ino;
}

/* 0, 1: it went away meanwhile, or an error. */
static int path_take(struct pin_dir *dir, struct error *err)
{
	int fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return error_set(err, ERROR_PRECONDITION, "pin-dir", "%s can not be opened: %s", dir->path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int rc = errno == EWOULDBLOCK ? conflict_set(dir, fd, err)
					      : error_set(err, ERROR_INTERNAL, "pin-dir", "%s can not be locked: %s", dir->path,
							  strerror(errno));
		close(fd);
		return rc;
	}
	if (!is_same(dir->path, fd)) {
		close(fd);
		return 1;
	}
	dir->fd = fd;
	return 0;
}

int pin_dir_open(struct pin_dir *dir, const char *path, bool make, struct error *err)
{
	int tries, rc;

	*dir = (struct pin_dir){.fd = -1};
	rc = path_keep(dir, path, err);
	if (!rc && make)
		rc = bpffs_ensure(dir, err);
	for (tries = 0; !rc && tries < 16; tries++) {
		if (make)
			rc = path_make(dir, err);
		if (!rc)
			rc = path_take(dir, err);
		if (rc != 1)
			return rc;
		if (!make)
			return error_set(err, ERROR_NOT_FOUND, "pin-dir", "nothing is pinned in %s", dir->path);
		rc = 0;
	}
	return rc ? rc
		  : error_set(err, ERROR_CONFLICT, "pin-dir", "%s is removed as fast as it is made; what does that?",
			      dir->path);
}

void pin_dir_close(struct pin_dir *dir)
{
	if (dir->fd >= 0)
		close(dir->fd);
	dir->fd = -1;
}

bool pin_dir_has(const struct pin_dir *dir, const char *name)
{
	return !faccessat(dir->fd, name, F_OK, 0);
}

/* bpf(2) takes paths alone. */
static const char *held_path(const struct pin_dir *dir, const char *name, char buf[PIN_PATH_SIZE])
{
	if (access("/proc/self/fd", F_OK))
		return pin_dir_path(dir, name, buf);
	snprintf(buf, PIN_PATH_SIZE, "/proc/self/fd/%d/%s", dir->fd, name);
	return buf;
}

int pin_dir_get(const struct pin_dir *dir, const char *name)
{
	char path[PIN_PATH_SIZE];
	int fd = bpf_obj_get(held_path(dir, name, path));

	return fd < 0 ? -errno : fd;
}

int pin_dir_put(const struct pin_dir *dir, const char *name, int fd)
{
	char path[PIN_PATH_SIZE];

	return bpf_obj_pin(fd, held_path(dir, name, path)) ? -errno : 0;
}

int pin_dir_unlink(const struct pin_dir *dir, const char *name)
{
	return unlinkat(dir->fd, name, 0) && errno != ENOENT ? -errno : 0;
}

int pin_dir_each(const struct pin_dir *dir, void (*each)(const char *name, void *arg), void *arg, struct error *err)
{
	DIR *listing = opendir(dir->path);
	struct dirent *entry;

	if (!listing)
		return error_set(err, ERROR_INTERNAL, "pin-dir", "%s can not be listed: %s", dir->path, strerror(errno));
	while ((entry = readdir(listing)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			each(entry->d_name, arg);
	closedir(listing);
	return 0;
}

int pin_dir_remove(const struct pin_dir *dir, struct error *err)
{
	char above[PIN_DIR_PATH_SIZE];
	char *slash;

	if (rmdir(dir->path) && errno != ENOENT)
		return error_set(err, ERROR_PRECONDITION, "pin-dir", "%s stays: %s; rainbow's own pins are removed", dir->path,
				 errno == ENOTEMPTY ? "it holds pins that are not rainbow's" : strerror(errno));
	strcpy(above, dir->path);
	slash = strrchr(above, '/');
	*slash = '\0';
	/* Fails where something else lives there, or at the root of the bpffs: as it should. */
	if (slash != above)
		rmdir(above);
	return 0;
}
