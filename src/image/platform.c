/* image/platform.c - see platform.h */
#include "image/platform.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/mem.h"

#define LIST_BYTES_MAX 400

/* uname -m, Go's GOARCH and variant. */
static const struct {
	const char *machine, *architecture, *variant;
} machines[] = {
	{ "x86_64", "amd64", NULL }, { "i686", "386", NULL }, { "i386", "386", NULL },
	{ "aarch64", "arm64", "v8" }, { "armv7l", "arm", "v7" }, { "armv6l", "arm", "v6" },
	{ "armv8l", "arm", "v8" }, { "ppc64le", "ppc64le", NULL }, { "s390x", "s390x", NULL },
	{ "riscv64", "riscv64", NULL }, { "loongarch64", "loong64", NULL },
	{ "mips64", "mips64", NULL },
};

void platform_host(struct image_platform *ret)
{
	static struct utsname u;        /* its text is lent out where the table has none */

	*ret = (struct image_platform){ .os = "linux", .architecture = "amd64" };
	if (uname(&u) < 0)
		return;
	ret->architecture = u.machine;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (strcmp(machines[i].machine, u.machine) == 0)
			*ret = (struct image_platform){ "linux", machines[i].architecture,
							machines[i].variant };
}

/* Other words people use: containerd's platforms.normalizeArch. */
static void normalize(struct image_platform *p)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		if (strcmp(p->architecture, machines[i].machine) != 0)
			continue;
		p->architecture = machines[i].architecture;
		if (!p->variant)
			p->variant = machines[i].variant;
		break;
	}
	if (strcmp(p->architecture, "armhf") == 0)
		*p = (struct image_platform){ p->os, "arm", "v7" };
	/* arm64 has had one variant: v8 is none. */
	if (strcmp(p->architecture, "arm64") == 0 && p->variant && strcmp(p->variant, "v8") == 0)
		p->variant = NULL;
	if (strcmp(p->architecture, "amd64") == 0 && p->variant && strcmp(p->variant, "v1") == 0)
		p->variant = NULL;
}

int platform_parse(const char *text, struct arena *a, struct image_platform *ret,
		   struct err *e)
{
	struct image_platform host;
	const char *part[3] = { "" };
	char *rest = arena_strdup(a, text), *p;
	size_t n = 0;

	platform_host(&host);
	while ((p = strsep(&rest, "/"))) {
		if (n == ARRAY_LEN(part) || !*p ||
		    p[strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789_.-")])
			return err_set(e, EINVAL, "\"%.80s\" is no platform: expected "
				       "OS/ARCHITECTURE[/VARIANT], such as linux/arm64", text);
		part[n++] = p;
	}
	bool os_first = n > 1 || strcmp(part[0], "linux") == 0;
	*ret = (struct image_platform){
		.os = os_first ? part[0] : "linux",
		.architecture = n > 1 ? part[1] : os_first ? host.architecture : part[0],
		.variant = n > 2 ? part[2] : NULL,
	};
	normalize(ret);
	return 0;
}

char *platform_format(const struct image_platform *p, struct arena *a)
{
	return arena_printf(a, "%s/%s%s%s", p->os ? p->os : "unknown",
			    p->architecture ? p->architecture : "unknown",
			    p->variant ? "/" : "", p->variant ? p->variant : "");
}

/* "v7": 7; no or another variant: 0. */
static int variant_number(const char *v)
{
	return v && v[0] == 'v' && v[1] >= '0' && v[1] <= '9' && !v[2] ? v[1] - '0' : 0;
}

/* How well d serves want: 0 not at all, else more is better. */
static int rank(const struct image_platform *have, const struct image_platform *want)
{
	struct image_platform d = *have;

	if (!d.os || !d.architecture)
		return 0;
	normalize(&d);
	if (strcmp(d.os, want->os) != 0 || strcmp(d.architecture, want->architecture) != 0)
		return 0;
	if ((!d.variant && !want->variant) ||
	    (d.variant && want->variant && strcmp(d.variant, want->variant) == 0))
		return 100;
	int v = variant_number(d.variant), w = variant_number(want->variant);
	/* An arm without a variant is a v7; amd64 without one runs no higher level. */
	if (w == 0 && strcmp(want->architecture, "arm") == 0)
		w = 7;
	return v <= w ? 1 + v : 0;
}

int platform_choose(const struct image_index *index, const struct image_platform *want,
		    struct arena *a, const struct image_descriptor **ret, struct err *e)
{
	CLEANUP(buf_release) struct buf list = BUF_INIT(LIST_BYTES_MAX);
	struct image_platform w = *want;
	int best = 0;

	normalize(&w);
	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct image_descriptor *d = &index->manifests[i];
		int score = rank(&d->platform, &w);

		if (score > best) {
			best = score;
			*ret = d;
		}
		buf_printf(&list, "%s%s", i ? ", " : "", platform_format(&d->platform, a));
	}
	if (best > 0)
		return 0;
	if (index->n_manifests == 1 && !index->manifests[0].platform.os) {
		*ret = &index->manifests[0];
		return 0;
	}
	if (index->n_manifests == 0)
		return err_set(e, ENOENT, "the index has no image");
	return err_set(e, ENOENT, "there is no image for %s; there are: %s",
		       platform_format(&w, a), list.data);
}
