/* cli/vmm/probe.c - isle-vmm probe: can /dev/kvm of this host run a kernel?  Layer: cli. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/vmm/verb.h"
#include "vmm/probe.h"

static const struct option options[] = { OPTION_HELP };

/* Exit status: 0 usable, 1 absent, 2 software-only, 3 the probe itself failed. */
#define STATUS_FAILED 3

static int run(struct vmm_call *c, struct err *e)
{
	struct vmm_probe p;

	c->status = STATUS_FAILED;
	int r = vmm_probe(&p, e);
	if (r < 0)
		return r;
	printf("%s%s%s (%" PRIu64 " us)\n", vmm_kvm_name(p.kvm), *p.why ? ": " : "", p.why,
	       p.ns / 1000);
	if (fflush(stdout) != 0)
		return err_sys(e, errno, "write to standard output");
	c->status = (int)p.kvm;
	return 0;
}

const struct vmm_verb verb_probe = {
	.name = "probe", .args = "",
	.summary = "tell whether /dev/kvm can run a kernel: exit status 0 yes, 1 absent, 2 no",
	.options = { options, ARRAY_LEN(options) }, .target_size = 1,
	.run = run,
};
