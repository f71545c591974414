/* engine/capabilities.c - see capabilities.h */
#include "engine/capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <strings.h>
#include <sys/prctl.h>

#include "base/mem.h"
#include "base/nearest.h"

#define BIT(cap) (UINT64_C(1) << (cap))

/* Docker's, "Runtime privilege and Linux capabilities" of docker run's reference. */
#define DEFAULTS (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) | \
		  BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | \
		  BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) | \
		  BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE))

/* Those this process could hand on. */
static uint64_t available(void)
{
	uint64_t mask = 0;

	for (int cap = 0; cap < 64 && oci_cap_name(cap); cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			mask |= BIT(cap);
	return mask;
}

static const char *cap_name_at(const void *list, size_t i)
{
	const char *name = oci_cap_name((int)i);

	(void)list;
	return name ? name : "";
}

static int read_names(const char *option, const struct oci_strv *v, uint64_t *ret_mask,
		      bool *ret_all, struct err *e)
{
	*ret_mask = 0;
	*ret_all = false;
	for (size_t i = 0; i < v->n; i++) {
		int cap = oci_cap_from_name(v->v[i]);

		if (strcasecmp(v->v[i], "ALL") == 0) {
			*ret_all = true;
		} else if (cap < 0) {
			const char *near = nearest_name(v->v[i], CAP_LAST_CAP + 1, cap_name_at,
							NULL);
			return err_set(e, EINVAL, "%s %.40s: no such capability%s%s%s", option,
				       v->v[i], near ? ": did you mean " : "", near ? near : "",
				       near ? "?" : "; see capabilities(7)");
		} else {
			*ret_mask |= BIT(cap);
		}
	}
	return 0;
}

int capabilities_resolve(bool privileged, const struct oci_strv *add, const struct oci_strv *drop,
			 uint64_t *ret, struct err *e)
{
	uint64_t added = 0, dropped = 0, mask;
	bool add_all = false, drop_all = false;

	int r = read_names("--cap-add", add, &added, &add_all, e);
	if (r == 0)
		r = read_names("--cap-drop", drop, &dropped, &drop_all, e);
	if (r < 0)
		return r;
	/* As Docker: "drop ALL, add X" is X; "add ALL, drop X" is all but X. */
	if (privileged)
		mask = UINT64_MAX;
	else if (add_all)
		mask = drop_all ? 0 : UINT64_MAX & ~dropped;
	else if (drop_all)
		mask = added;
	else
		mask = (DEFAULTS & ~dropped) | added;
	*ret = mask & available();
	return 0;
}
