/* test_mount_options.c - each option name, alone and against its opposite. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "base/mem.h"
#include "container/rootfs.h"
#include "sys/calls.h"

#define ATIME_MASK MOUNT_ATTR__ATIME
#define OPTIONS_MAX 8

struct expect {
	const char *name;
	uint64_t attr_set, attr_clear, rec_set, rec_clear;
	unsigned long flags, flags_clear;
	unsigned propagation;
	const char *special;            /* name of the bool that becomes true */
};

#define SET(n, b)    { .name = n, .attr_set = b }
#define CLEAR(n, b)  { .name = n, .attr_clear = b }
#define ATIME(n, b)  { .name = n, .attr_set = b, .attr_clear = ATIME_MASK }
#define RSET(n, b)   { .name = n, .rec_set = b }
#define RCLEAR(n, b) { .name = n, .rec_clear = b }
#define RATIME(n, b) { .name = n, .rec_set = b, .rec_clear = ATIME_MASK }
#define ON(n, b)     { .name = n, .flags = b }
#define OFF(n, b)    { .name = n, .flags_clear = b }
#define PROP(n, b)   { .name = n, .propagation = b }
#define BOOL(n, s)   { .name = n, .special = s }

static const struct expect expects[] = {
	OFF("async", MS_SYNCHRONOUS), ON("sync", MS_SYNCHRONOUS), ON("dirsync", MS_DIRSYNC),
	ON("mand", MS_MANDLOCK), OFF("nomand", MS_MANDLOCK), ON("silent", MS_SILENT),
	OFF("loud", MS_SILENT), ON("iversion", MS_I_VERSION), OFF("noiversion", MS_I_VERSION),
	ON("lazytime", MS_LAZYTIME), OFF("nolazytime", MS_LAZYTIME),
	ON("acl", MS_POSIXACL), OFF("noacl", MS_POSIXACL),
	ON("bind", MS_BIND), ON("rbind", MS_BIND | MS_REC), ON("remount", MS_REMOUNT),
	{ .name = "defaults" }, { .name = "norelatime" }, { .name = "rnorelatime" },
	SET("ro", MOUNT_ATTR_RDONLY), CLEAR("rw", MOUNT_ATTR_RDONLY),
	SET("nosuid", MOUNT_ATTR_NOSUID), CLEAR("suid", MOUNT_ATTR_NOSUID),
	SET("nodev", MOUNT_ATTR_NODEV), CLEAR("dev", MOUNT_ATTR_NODEV),
	SET("noexec", MOUNT_ATTR_NOEXEC), CLEAR("exec", MOUNT_ATTR_NOEXEC),
	SET("nodiratime", MOUNT_ATTR_NODIRATIME), CLEAR("diratime", MOUNT_ATTR_NODIRATIME),
	SET("nosymfollow", MOUNT_ATTR_NOSYMFOLLOW), CLEAR("symfollow", MOUNT_ATTR_NOSYMFOLLOW),
	ATIME("noatime", MOUNT_ATTR_NOATIME), ATIME("atime", 0), ATIME("relatime", 0),
	ATIME("strictatime", MOUNT_ATTR_STRICTATIME), ATIME("nostrictatime", 0),
	RSET("rro", MOUNT_ATTR_RDONLY), RCLEAR("rrw", MOUNT_ATTR_RDONLY),
	RSET("rnosuid", MOUNT_ATTR_NOSUID), RCLEAR("rsuid", MOUNT_ATTR_NOSUID),
	RSET("rnodev", MOUNT_ATTR_NODEV), RCLEAR("rdev", MOUNT_ATTR_NODEV),
	RSET("rnoexec", MOUNT_ATTR_NOEXEC), RCLEAR("rexec", MOUNT_ATTR_NOEXEC),
	RSET("rnodiratime", MOUNT_ATTR_NODIRATIME), RCLEAR("rdiratime", MOUNT_ATTR_NODIRATIME),
	RSET("rnosymfollow", MOUNT_ATTR_NOSYMFOLLOW), RCLEAR("rsymfollow", MOUNT_ATTR_NOSYMFOLLOW),
	RATIME("rnoatime", MOUNT_ATTR_NOATIME), RATIME("ratime", 0), RATIME("rrelatime", 0),
	RATIME("rstrictatime", MOUNT_ATTR_STRICTATIME), RATIME("rnostrictatime", 0),
	PROP("shared", MS_SHARED), PROP("slave", MS_SLAVE), PROP("private", MS_PRIVATE),
	PROP("unbindable", MS_UNBINDABLE), PROP("rshared", MS_SHARED | MS_REC),
	PROP("rslave", MS_SLAVE | MS_REC), PROP("rprivate", MS_PRIVATE | MS_REC),
	PROP("runbindable", MS_UNBINDABLE | MS_REC),
	BOOL("tmpcopyup", "tmpcopyup"), BOOL("idmap", "idmap"), BOOL("ridmap", "ridmap"),
	BOOL("copy-symlink", "copy_symlink"), BOOL("dest-nofollow", "dest_nofollow"),
	BOOL("src-nofollow", "src_nofollow"),
};

static struct arena arena;

/* Parse up to OPTIONS_MAX names, NULL-terminated. */
static int parse(const char *const *names, struct mount_options *ret, struct err *e)
{
	static const char *v[OPTIONS_MAX + 1];
	struct oci_mount m = { .destination = "/x", .options = { .v = v } };

	while (names[m.options.n] && m.options.n < OPTIONS_MAX) {
		v[m.options.n] = names[m.options.n];
		m.options.n++;
	}
	return mount_options_parse(&m, &arena, ret, e);
}

static bool has(const struct mount_options *o, const char *special)
{
	return (o->tmpcopyup && strcmp(special, "tmpcopyup") == 0) ||
	       (o->idmap && strcmp(special, "idmap") == 0) ||
	       (o->ridmap && strcmp(special, "ridmap") == 0) ||
	       (o->copy_symlink && strcmp(special, "copy_symlink") == 0) ||
	       (o->dest_nofollow && strcmp(special, "dest_nofollow") == 0) ||
	       (o->src_nofollow && strcmp(special, "src_nofollow") == 0);
}

static void test_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expects); i++) {
		const struct expect *x = &expects[i];
		const char *const names[] = { x->name, NULL };
		struct mount_options o;

		assert_int_equal(parse(names, &o, NULL), 0);
		if (o.attr_set != x->attr_set || o.attr_clear != x->attr_clear ||
		    o.rec_set != x->rec_set || o.rec_clear != x->rec_clear ||
		    o.flags != x->flags || o.flags_clear != x->flags_clear || o.n_data != 0)
			fail_msg("%s: set %#lx clear %#lx rset %#lx rclear %#lx flags %#lx -%#lx",
				 x->name, (long)o.attr_set, (long)o.attr_clear, (long)o.rec_set,
				 (long)o.rec_clear, o.flags, o.flags_clear);
		assert_int_equal(o.n_propagation, x->propagation != 0);
		assert_int_equal(o.propagation[0], x->propagation);
		assert_int_equal(o.tmpcopyup + o.idmap + o.ridmap + o.copy_symlink +
				 o.dest_nofollow + o.src_nofollow, x->special != NULL);
		assert_true(!x->special || has(&o, x->special));
	}
}

/* The list for "features" and the cases above are the same set. */
static void test_names(void **state)
{
	const char *const *names = mount_option_names();
	size_t n = 0;

	(void)state;
	for (; names[n]; n++) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_LEN(expects); i++)
			found |= strcmp(names[n], expects[i].name) == 0;
		if (!found)
			fail_msg("%s has no case", names[n]);
	}
	assert_int_equal(n, ARRAY_LEN(expects));
}

static void test_last_wins(void **state)
{
	const char *const a[] = { "ro", "nosuid", "rw", "dev", "nodev", NULL };
	const char *const b[] = { "noatime", "strictatime", "nodiratime", NULL };
	const char *const c[] = { "noatime", "nostrictatime", NULL };
	const char *const d[] = { "sync", "async", "nolazytime", "lazytime", NULL };
	const char *const f[] = { "rro", "rrw", "rnoatime", "ratime", NULL };
	struct mount_options o;

	(void)state;
	assert_int_equal(parse(a, &o, NULL), 0);
	assert_int_equal(o.attr_set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	assert_int_equal(o.attr_clear, MOUNT_ATTR_RDONLY);
	assert_int_equal(parse(b, &o, NULL), 0);
	assert_int_equal(o.attr_set, MOUNT_ATTR_STRICTATIME | MOUNT_ATTR_NODIRATIME);
	assert_int_equal(parse(c, &o, NULL), 0);
	assert_int_equal(o.attr_set, MOUNT_ATTR_NOATIME);
	assert_int_equal(parse(d, &o, NULL), 0);
	assert_int_equal(o.flags, MS_LAZYTIME);
	assert_int_equal(o.flags_clear, MS_SYNCHRONOUS);
	assert_int_equal(parse(f, &o, NULL), 0);
	assert_int_equal(o.rec_set, 0);
	assert_int_equal(o.rec_clear, MOUNT_ATTR_RDONLY | ATIME_MASK);
}

static void test_data(void **state)
{
	const char *const a[] = { "mode=755", "nosuid", "size=64k", "RO", "newinstance", NULL };
	struct mount_options o;

	(void)state;
	assert_int_equal(parse(a, &o, NULL), 0);
	assert_int_equal(o.n_data, 4);
	assert_string_equal(o.data[0], "mode=755");
	assert_string_equal(o.data[1], "size=64k");
	assert_string_equal(o.data[2], "RO");
	assert_string_equal(o.data[3], "newinstance");
	assert_int_equal(o.attr_set, MOUNT_ATTR_NOSUID);
}

static void test_propagation(void **state)
{
	const char *const a[] = { "rslave", "shared", NULL };
	const char *const many[] = { "shared", "slave", "shared", "slave", "shared", NULL };
	struct mount_options o;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(parse(a, &o, NULL), 0);
	assert_int_equal(o.n_propagation, 2);
	assert_int_equal(o.propagation[0], MS_SLAVE | MS_REC);
	assert_int_equal(o.propagation[1], MS_SHARED);
	assert_int_equal(parse(many, &o, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "/x"));
}

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each), cmocka_unit_test(test_names),
		cmocka_unit_test(test_last_wins), cmocka_unit_test(test_data),
		cmocka_unit_test(test_propagation),
	};

	return cmocka_run_group_tests_name("mount options", tests, NULL, release);
}
