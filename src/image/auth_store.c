/*
 * image/auth_store.c - what `isle login` and `isle logout` write.  Layer: image.
 *
 * The file may have been written by another tool: keys that are not ours stay as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/auth.h"
#include "image/auth_file.h"

/* The folder of path, made with its parents, open: names below it are relative. */
static int open_folder(const char *path, struct arena *a, const char **ret_name, struct err *e)
{
	char *dir = arena_strdup(a, path), *slash = strrchr(dir, '/');

	*ret_name = slash ? path + (slash - dir) + 1 : path;
	if (!**ret_name)
		return err_set(e, EINVAL, "%s is a directory, not a file for credentials", path);
	if (!slash)
		return AT_FDCWD;
	slash[1] = '\0';
	for (char *p = strchr(dir + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return err_sys(e, errno, "make the directory %s", dir);
		*p = '/';
	}
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "open %s", dir) : fd;
}

/* Two logins at once: the second waits, and adds to what the first wrote. */
static int lock_folder(int dirfd, const char *name, const char *path, struct err *e)
{
	CLEANUP_FREE char *lock = xasprintf(".%s.lock", name);
	CLEANUP_FD int fd = openat(dirfd, lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_sys(e, errno, "lock %s", path);
	return take_fd(fd);
}

static int load(const char *path, json_t **ret, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(AUTH_FILE_BYTES_MAX);
	int r = auth_file_read(path, &b, e);

	if (r == 0)
		*ret = json_object();
	else if (r > 0)
		r = json_parse(path, b.data, b.len, ret, e);
	if (r < 0)
		return r;
	if (!json_is_object(*ret))
		return err_set(e, EINVAL, "%s is not a JSON object; move it away and log in again",
			       path);
	return 0;
}

static int save(int dirfd, const char *name, const char *path, const json_t *j, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(AUTH_FILE_BYTES_MAX);

	json_add(&b, j, JSON_INDENT(1));
	buf_add_str(&b, "\n");
	if (b.overflow)
		return err_set(e, EFBIG, "write %s: it would be longer than %u bytes", path,
			       AUTH_FILE_BYTES_MAX);
	int r = file_replace_at(dirfd, name, b.data, b.len, 0600);

	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

/* What both verbs begin with. */
struct edit {
	const char *path, *name;
	int dirfd, lock;
	json_t *doc;
	const char *helper;             /* that the file names for the host, or NULL */
	const char *key;                /* of "auths" that stands for the host, or NULL */
};

static void edit_release(struct edit *d)
{
	if (d->dirfd >= 0)
		fd_close(&d->dirfd);
	fd_close(&d->lock);
	json_decref(d->doc);
}

static int edit_begin(const char *host, struct arena *a, struct edit *d, struct err *e)
{
	const struct json_node *root;

	d->path = auth_file_path(a);
	if (!d->path)
		return err_set(e, EINVAL, "no place for credentials: HOME is not set; set it or "
			       "REGISTRY_AUTH_FILE");
	d->dirfd = open_folder(d->path, a, &d->name, e);
	if (d->dirfd < 0 && d->dirfd != AT_FDCWD)
		return d->dirfd;
	d->lock = lock_folder(d->dirfd, d->name, d->path, e);
	if (d->lock < 0)
		return d->lock;
	int r = load(d->path, &d->doc, e);

	if (r < 0)
		return r;
	CLEANUP(buf_release) struct buf b = BUF_INIT(AUTH_FILE_BYTES_MAX);

	json_add(&b, d->doc, JSON_COMPACT);
	r = json_tree_parse(d->path, b.data, b.len, a, &root, e);
	if (r < 0)
		return r;
	d->helper = auth_file_helper(root, host);
	d->key = auth_file_key(root, host);
	return 0;
}

static int give_helper(const char *helper, const char *host, const struct auth_credentials *c,
		       struct arena *a, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(AUTH_FILE_BYTES_MAX);
	struct auth_credentials none;

	buf_add_str(&b, "{\"ServerURL\":");
	json_add_string(&b, host);
	buf_add_str(&b, ",\"Username\":");
	json_add_string(&b, c->identity_token ? "<token>" : c->username);
	buf_add_str(&b, ",\"Secret\":");
	json_add_string(&b, c->identity_token ? c->identity_token : c->password);
	buf_add_str(&b, "}");
	return auth_helper(helper, "store", b.data, a, &none, e);
}

int auth_store(const char *host, const struct auth_credentials *c, struct arena *a,
	       const char **ret_where, struct err *e)
{
	CLEANUP(edit_release) struct edit d = { .dirfd = -1, .lock = -1 };
	int r = edit_begin(host, a, &d, e);

	if (r < 0)
		return r;
	if (d.helper) {
		*ret_where = arena_printf(a, "docker-credential-%s", d.helper);
		return give_helper(d.helper, host, c, a, e);
	}
	CLEANUP_JSON json_t *entry = json_object();
	const char *basic = auth_basic(c, a);
	json_t *auths = json_object_get(d.doc, "auths");

	if (!json_is_object(auths)) {
		json_object_set_new(d.doc, "auths", json_object());
		auths = json_object_get(d.doc, "auths");
	}
	if (c->identity_token)
		json_object_set_new(entry, "identitytoken", json_string(c->identity_token));
	else
		json_object_set_new(entry, "auth", json_string(basic + strlen("Basic ")));
	json_object_set(auths, d.key ? d.key : host, entry);
	*ret_where = d.path;
	return save(d.dirfd, d.name, d.path, d.doc, e);
}

int auth_erase(const char *host, struct arena *a, const char **ret_where, struct err *e)
{
	CLEANUP(edit_release) struct edit d = { .dirfd = -1, .lock = -1 };
	struct auth_credentials none;
	int r = edit_begin(host, a, &d, e);

	if (r < 0)
		return r;
	if (d.helper) {
		*ret_where = arena_printf(a, "docker-credential-%s", d.helper);
		r = auth_helper(d.helper, "erase", host, a, &none, e);
		return r < 0 ? r : 1;
	}
	*ret_where = d.path;
	if (!d.key || json_object_del(json_object_get(d.doc, "auths"), d.key) < 0)
		return 0;
	r = save(d.dirfd, d.name, d.path, d.doc, e);
	return r < 0 ? r : 1;
}
