/*
 * cgroup_devices.c - device rules: what the document says, what every container
 * gets, and folding both into what cgroup v1 can hold.
 *
 * runtime-spec config-linux.md#allowed-device-list: rules apply in order.  A v1
 * group has a default (all or nothing) and a list of exceptions to it, and takes
 * an exception away only if exactly that one was added (cgroup-v1/devices.rst), so
 * the rules are folded here and only the result is written.
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/*
 * Allowed after whatever the document says, as runc does it: the default devices of
 * config-linux.md#default-devices, ptys and tun.  mknod alone opens nothing.
 */
static const struct dev_rule builtin[] = {
	{ -1, -1, DEV_MKNOD, 'c', true, true },
	{ -1, -1, DEV_MKNOD, 'b', true, true },
	{ 1, 3, DEV_ALL, 'c', true, true },             /* null */
	{ 1, 5, DEV_ALL, 'c', true, true },             /* zero */
	{ 1, 7, DEV_ALL, 'c', true, true },             /* full */
	{ 1, 8, DEV_ALL, 'c', true, true },             /* random */
	{ 1, 9, DEV_ALL, 'c', true, true },             /* urandom */
	{ 5, 0, DEV_ALL, 'c', true, true },             /* tty */
	{ 5, 2, DEV_ALL, 'c', true, true },             /* ptmx */
	{ 136, -1, DEV_ALL, 'c', true, true },          /* pts/N, console */
	{ 10, 200, DEV_ALL, 'c', true, true },          /* net/tun */
};

static void rule_add(struct dev_rules *l, const struct dev_rule *r)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 32;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->n++] = *r;
}

void dev_rules_release(struct dev_rules *l)
{
	free(l->v);
	*l = (struct dev_rules){ 0 };
}

static int access_parse(const char *s, unsigned *ret)
{
	*ret = s && *s ? 0 : DEV_ALL;
	for (; s && *s; s++) {
		if (*s == 'r')
			*ret |= DEV_READ;
		else if (*s == 'w')
			*ret |= DEV_WRITE;
		else if (*s == 'm')
			*ret |= DEV_MKNOD;
		else if (*s != 'a')     /* a type's letter, which runc lets pass here */
			return -EINVAL;
	}
	return 0;
}

static int64_t number_of(struct opt_i64 v)
{
	return v.set && v.v >= 0 ? v.v : -1;
}

int dev_rules_make(const struct oci_resources *r, struct dev_rules *ret, struct err *e)
{
	*ret = (struct dev_rules){ 0 };
	for (size_t i = 0; r && i < r->n_devices; i++) {
		const struct oci_device_rule *d = &r->devices[i];
		struct dev_rule rule = {
			.allow = d->allow,
			.type = d->type ? d->type : 'a',
			.major = number_of(d->major),
			.minor = number_of(d->minor),
		};

		if (access_parse(d->access, &rule.access) < 0) {
			dev_rules_release(ret);
			return err_set(e, EINVAL, "linux.resources.devices[%zu].access: \"%s\" "
				       "is not made of r, w and m", i, d->access);
		}
		rule_add(ret, &rule);
	}
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		rule_add(ret, &builtin[i]);
	return 0;
}

static bool covers(int64_t wide, int64_t narrow)
{
	return wide == -1 || wide == narrow;
}

static bool rule_covers(const struct dev_rule *wide, const struct dev_rule *narrow)
{
	return wide->type == narrow->type && covers(wide->major, narrow->major) &&
	       covers(wide->minor, narrow->minor);
}

static bool overlap(int64_t a, int64_t b)
{
	return a == -1 || b == -1 || a == b;
}

static bool rule_overlaps(const struct dev_rule *a, const struct dev_rule *b)
{
	return a->type == b->type && overlap(a->major, b->major) &&
	       overlap(a->minor, b->minor) && (a->access & b->access);
}

/* The rule says what the default says: exceptions it covers go. */
static int fold_remove(struct dev_fold *f, const struct dev_rule *rule, struct err *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->except.n; i++) {
		struct dev_rule *x = &f->except.v[i];

		if (!rule_covers(rule, x) && rule_overlaps(rule, x) && !rule->builtin) {
			char new[80], old[80];

			dev_rule_print(rule, new);
			dev_rule_print(x, old);
			return err_set(e, EINVAL, "linux.resources.devices: cgroup v1 cannot "
				       "%s %s alone out of %s", rule->allow ? "allow" : "deny",
				       new, old);
		}
		if (rule_covers(rule, x))
			x->access &= ~rule->access;
		if (x->access)
			f->except.v[kept++] = *x;
	}
	f->except.n = kept;
	return 0;
}

static void fold_add(struct dev_fold *f, const struct dev_rule *rule)
{
	for (size_t i = 0; i < f->except.n; i++) {
		struct dev_rule *x = &f->except.v[i];

		if (x->type == rule->type && x->major == rule->major &&
		    x->minor == rule->minor) {
			x->access |= rule->access;
			return;
		}
	}
	rule_add(&f->except, rule);
}

int dev_fold(const struct dev_rules *l, struct dev_fold *ret, struct err *e)
{
	/* Nothing is allowed that is not said to be. */
	*ret = (struct dev_fold){ .allow = false };
	for (size_t i = 0; i < l->n; i++) {
		const struct dev_rule *rule = &l->v[i];

		if (rule->type == 'a') {
			ret->allow = rule->allow;
			ret->except.n = 0;
		} else if (rule->allow != ret->allow) {
			fold_add(ret, rule);
		} else if (fold_remove(ret, rule, e) < 0) {
			dev_rules_release(&ret->except);
			return -EINVAL;
		}
	}
	return 0;
}

void dev_unfold(const struct dev_fold *f, struct dev_rules *ret)
{
	*ret = (struct dev_rules){ 0 };
	rule_add(ret, &(struct dev_rule){ -1, -1, DEV_ALL, 'a', f->allow, false });
	for (size_t i = 0; i < f->except.n; i++)
		rule_add(ret, &f->except.v[i]);
}

static void number_print(int64_t v, char ret[24])
{
	if (v < 0)
		snprintf(ret, 24, "*");
	else
		snprintf(ret, 24, "%lld", (long long)v);
}

void dev_rule_print(const struct dev_rule *r, char ret[80])
{
	char major[24], minor[24];

	number_print(r->major, major);
	number_print(r->minor, minor);
	snprintf(ret, 80, "%c %s:%s %s%s%s", r->type, major, minor,
		 r->access & DEV_READ ? "r" : "", r->access & DEV_WRITE ? "w" : "",
		 r->access & DEV_MKNOD ? "m" : "");
}
