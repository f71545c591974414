/*
 * container/mount_options.c - the words of a mount's "options".
 *
 * Spec: config.md#linux-mount-options, whose table OPTIONS is, in its order; the rows
 * after it are names that runc and crun understand besides.  What is not in the table
 * is the file system's business (SHOULD there) and goes to fsconfig(2).
 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "base/mem.h"
#include "container/rootfs.h"
#include "sys/calls.h"

enum option_kind {
	NOTHING,        /* the default, or without meaning for the mount calls */
	ATTR,           /* a MOUNT_ATTR_* of the mount: value set, or cleared */
	ATTR_OFF,
	ATIME,          /* one of the MOUNT_ATTR__ATIME modes: chosen, or left */
	ATIME_OFF,
	REC,            /* the same for the whole tree */
	REC_OFF,
	REC_ATIME,
	REC_ATIME_OFF,
	FLAG,           /* an MS_* of the call */
	SUPER,          /* an MS_* of the file system: set, or cleared */
	SUPER_OFF,
	PROPAGATION,
	TMPCOPYUP,
	IDMAP,
	RIDMAP,
	COPY_SYMLINK,
	DEST_NOFOLLOW,
	SRC_NOFOLLOW
};

#define OPTIONS(X) \
	X("async",          SUPER_OFF,     MS_SYNCHRONOUS) \
	X("atime",          ATIME_OFF,     MOUNT_ATTR_NOATIME) \
	X("bind",           FLAG,          MS_BIND) \
	X("defaults",       NOTHING,       0) \
	X("dev",            ATTR_OFF,      MOUNT_ATTR_NODEV) \
	X("diratime",       ATTR_OFF,      MOUNT_ATTR_NODIRATIME) \
	X("dirsync",        SUPER,         MS_DIRSYNC) \
	X("exec",           ATTR_OFF,      MOUNT_ATTR_NOEXEC) \
	X("iversion",       SUPER,         MS_I_VERSION) \
	X("lazytime",       SUPER,         MS_LAZYTIME) \
	X("loud",           SUPER_OFF,     MS_SILENT) \
	X("mand",           SUPER,         MS_MANDLOCK) \
	X("noatime",        ATIME,         MOUNT_ATTR_NOATIME) \
	X("nodev",          ATTR,          MOUNT_ATTR_NODEV) \
	X("nodiratime",     ATTR,          MOUNT_ATTR_NODIRATIME) \
	X("noexec",         ATTR,          MOUNT_ATTR_NOEXEC) \
	X("noiversion",     SUPER_OFF,     MS_I_VERSION) \
	X("nolazytime",     SUPER_OFF,     MS_LAZYTIME) \
	X("nomand",         SUPER_OFF,     MS_MANDLOCK) \
	X("norelatime",     ATIME_OFF,     MOUNT_ATTR_RELATIME) \
	X("nostrictatime",  ATIME_OFF,     MOUNT_ATTR_STRICTATIME) \
	X("nosuid",         ATTR,          MOUNT_ATTR_NOSUID) \
	X("nosymfollow",    ATTR,          MOUNT_ATTR_NOSYMFOLLOW) \
	X("private",        PROPAGATION,   MS_PRIVATE) \
	X("ratime",         REC_ATIME_OFF, MOUNT_ATTR_NOATIME) \
	X("rbind",          FLAG,          MS_BIND | MS_REC) \
	X("rdev",           REC_OFF,       MOUNT_ATTR_NODEV) \
	X("rdiratime",      REC_OFF,       MOUNT_ATTR_NODIRATIME) \
	X("relatime",       ATIME,         MOUNT_ATTR_RELATIME) \
	X("remount",        FLAG,          MS_REMOUNT) \
	X("rexec",          REC_OFF,       MOUNT_ATTR_NOEXEC) \
	X("rnoatime",       REC_ATIME,     MOUNT_ATTR_NOATIME) \
	X("rnodev",         REC,           MOUNT_ATTR_NODEV) \
	X("rnodiratime",    REC,           MOUNT_ATTR_NODIRATIME) \
	X("rnoexec",        REC,           MOUNT_ATTR_NOEXEC) \
	X("rnorelatime",    REC_ATIME_OFF, MOUNT_ATTR_RELATIME) \
	X("rnostrictatime", REC_ATIME_OFF, MOUNT_ATTR_STRICTATIME) \
	X("rnosuid",        REC,           MOUNT_ATTR_NOSUID) \
	X("rnosymfollow",   REC,           MOUNT_ATTR_NOSYMFOLLOW) \
	X("ro",             ATTR,          MOUNT_ATTR_RDONLY) \
	X("rprivate",       PROPAGATION,   MS_PRIVATE | MS_REC) \
	X("rrelatime",      REC_ATIME,     MOUNT_ATTR_RELATIME) \
	X("rro",            REC,           MOUNT_ATTR_RDONLY) \
	X("rrw",            REC_OFF,       MOUNT_ATTR_RDONLY) \
	X("rshared",        PROPAGATION,   MS_SHARED | MS_REC) \
	X("rslave",         PROPAGATION,   MS_SLAVE | MS_REC) \
	X("rstrictatime",   REC_ATIME,     MOUNT_ATTR_STRICTATIME) \
	X("rsuid",          REC_OFF,       MOUNT_ATTR_NOSUID) \
	X("rsymfollow",     REC_OFF,       MOUNT_ATTR_NOSYMFOLLOW) \
	X("runbindable",    PROPAGATION,   MS_UNBINDABLE | MS_REC) \
	X("rw",             ATTR_OFF,      MOUNT_ATTR_RDONLY) \
	X("shared",         PROPAGATION,   MS_SHARED) \
	X("silent",         SUPER,         MS_SILENT) \
	X("slave",          PROPAGATION,   MS_SLAVE) \
	X("strictatime",    ATIME,         MOUNT_ATTR_STRICTATIME) \
	X("suid",           ATTR_OFF,      MOUNT_ATTR_NOSUID) \
	X("symfollow",      ATTR_OFF,      MOUNT_ATTR_NOSYMFOLLOW) \
	X("sync",           SUPER,         MS_SYNCHRONOUS) \
	X("tmpcopyup",      TMPCOPYUP,     0) \
	X("unbindable",     PROPAGATION,   MS_UNBINDABLE) \
	X("idmap",          IDMAP,         0) \
	X("ridmap",         RIDMAP,        0) \
	/* Not in the spec: runc */ \
	X("acl",            SUPER,         MS_POSIXACL) \
	X("noacl",          SUPER_OFF,     MS_POSIXACL) \
	/* Not in the spec: crun */ \
	X("copy-symlink",   COPY_SYMLINK,  0) \
	X("dest-nofollow",  DEST_NOFOLLOW, 0) \
	X("src-nofollow",   SRC_NOFOLLOW,  0)

struct option_row {
	const char *name;
	enum option_kind kind;
	unsigned value;
};

#define ROW(name, kind, value) { name, kind, value },
static const struct option_row rows[] = { OPTIONS(ROW) };
#define NAME(name, kind, value) name,
static const char *const names[] = { OPTIONS(NAME) NULL };

const char *const *mount_option_names(void)
{
	return names;
}

static const struct option_row *row_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* The last word about a bit wins, as with mount(8). */
static void bit(uint64_t *on, uint64_t *off, uint64_t value)
{
	*on |= value;
	*off &= ~value;
}

/*
 * The access time modes are values of one field, which mount_setattr(2) wants
 * cleared whole before a mode is set.
 */
static void atime(uint64_t *set, uint64_t *clear, uint64_t mode)
{
	*set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) | mode;
	*clear |= MOUNT_ATTR__ATIME;
}

/* "not this mode" is relatime, unless an option before chose a third one. */
static void atime_off(uint64_t *set, uint64_t *clear, uint64_t mode)
{
	uint64_t now = *set & MOUNT_ATTR__ATIME;
	bool chosen = (*clear & MOUNT_ATTR__ATIME) != 0;

	/* The kernel does without relatime only where another mode is asked for. */
	if (mode != MOUNT_ATTR_RELATIME && (!chosen || now == mode))
		atime(set, clear, MOUNT_ATTR_RELATIME);
}

static int add_propagation(struct mount_options *o, unsigned value, const struct oci_mount *m,
			   struct err *e)
{
	if (o->n_propagation == ARRAY_LEN(o->propagation))
		return err_set(e, EINVAL, "mount at %s: more than %zu propagation options",
			       m->destination, ARRAY_LEN(o->propagation));
	o->propagation[o->n_propagation++] = value;
	return 0;
}

static void super(struct mount_options *o, const struct option_row *row)
{
	if (row->kind == SUPER) {
		o->flags |= row->value;
		o->flags_clear &= ~(unsigned long)row->value;
	} else {
		o->flags &= ~(unsigned long)row->value;
		o->flags_clear |= row->value;
	}
}

static int apply(struct mount_options *o, const struct option_row *row,
		 const struct oci_mount *m, struct err *e)
{
	switch (row->kind) {
	case NOTHING:
		break;
	case ATTR:
		bit(&o->attr_set, &o->attr_clear, row->value);
		break;
	case ATTR_OFF:
		bit(&o->attr_clear, &o->attr_set, row->value);
		break;
	case ATIME:
		atime(&o->attr_set, &o->attr_clear, row->value);
		break;
	case ATIME_OFF:
		atime_off(&o->attr_set, &o->attr_clear, row->value);
		break;
	case REC:
		bit(&o->rec_set, &o->rec_clear, row->value);
		break;
	case REC_OFF:
		bit(&o->rec_clear, &o->rec_set, row->value);
		break;
	case REC_ATIME:
		atime(&o->rec_set, &o->rec_clear, row->value);
		break;
	case REC_ATIME_OFF:
		atime_off(&o->rec_set, &o->rec_clear, row->value);
		break;
	case FLAG:
		o->flags |= row->value;
		break;
	case SUPER:
	case SUPER_OFF:
		super(o, row);
		break;
	case PROPAGATION:
		return add_propagation(o, row->value, m, e);
	case TMPCOPYUP:
		o->tmpcopyup = true;
		break;
	case IDMAP:
		o->idmap = true;
		break;
	case RIDMAP:
		o->ridmap = true;
		break;
	case COPY_SYMLINK:
		o->copy_symlink = true;
		break;
	case DEST_NOFOLLOW:
		o->dest_nofollow = true;
		break;
	case SRC_NOFOLLOW:
		o->src_nofollow = true;
		break;
	}
	return 0;
}

int mount_options_parse(const struct oci_mount *m, struct arena *a,
			struct mount_options *ret, struct err *e)
{
	*ret = (struct mount_options){ 0 };
	ret->data = arena_calloc(a, m->options.n + 1, sizeof(*ret->data));

	for (size_t i = 0; i < m->options.n; i++) {
		const struct option_row *row = row_find(m->options.v[i]);

		if (!row) {
			ret->data[ret->n_data++] = m->options.v[i];
			continue;
		}
		int r = apply(ret, row, m, e);
		if (r < 0)
			return r;
	}
	return 0;
}
