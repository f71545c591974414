/* cli/isle/update.c - isle update: limits and the restart policy, now and from now on. */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/isle/each.h"
#include "cli/isle/run_options.h"
#include "engine/life.h"
#include "proto/keeper.h"

/* What was given is laid over what the instance has. */
static int lay_over(const struct run_options *o, struct instance_config *c, struct err *e)
{
	const struct instance_config *n = &o->config;

	if (o->restart_set && n->restart != RESTART_NO && c->auto_remove)
		return err_set(e, EINVAL, "option --restart: the instance was made with --rm");
	if (n->memory && !n->memory_swap && c->memory_swap > 0 && n->memory > c->memory_swap)
		return err_set(e, EINVAL, "option --memory: it cannot be above what --memory-swap "
			       "says, so update that too");
	if (o->restart_set) {
		c->restart = n->restart;
		c->restart_max = n->restart_max;
	}
	/* One way of saying it replaces the other. */
	if (n->nano_cpus)
		c->cpu_period = c->cpu_quota = 0;
	if (n->cpu_period || n->cpu_quota)
		c->nano_cpus = 0;
	c->memory = n->memory ? n->memory : c->memory;
	c->memory_swap = n->memory_swap ? n->memory_swap : c->memory_swap;
	c->memory_reservation = n->memory_reservation ? n->memory_reservation
						      : c->memory_reservation;
	c->nano_cpus = n->nano_cpus ? n->nano_cpus : c->nano_cpus;
	c->cpu_shares = n->cpu_shares ? n->cpu_shares : c->cpu_shares;
	c->cpu_period = n->cpu_period ? n->cpu_period : c->cpu_period;
	c->cpu_quota = n->cpu_quota ? n->cpu_quota : c->cpu_quota;
	c->cpuset_cpus = n->cpuset_cpus ? n->cpuset_cpus : c->cpuset_cpus;
	c->cpuset_mems = n->cpuset_mems ? n->cpuset_mems : c->cpuset_mems;
	c->pids_limit = n->pids_limit ? n->pids_limit : c->pids_limit;
	c->blkio_weight = n->blkio_weight ? n->blkio_weight : c->blkio_weight;
	return run_limits_check(c, e);
}

struct live {
	struct oci_memory memory;
	struct oci_cpu cpu;
	struct oci_blkio blkio;
	struct oci_resources all;
};

static struct opt_i64 given(int64_t v)
{
	return (struct opt_i64){ .set = v != 0, .v = v };
}

static struct opt_u64 given_unsigned(int64_t v)
{
	return (struct opt_u64){ .set = v > 0, .v = (uint64_t)v };
}

/* What was given alone: the kernel keeps the rest. */
static void live_fill(const struct instance_config *n, struct live *l)
{
	const int64_t period = 100000;  /* of --cpus: Docker's */

	*l = (struct live){
		.memory = { .limit = given(n->memory), .swap = given(n->memory_swap),
			    .reservation = given(n->memory_reservation) },
		.cpu = { .shares = given_unsigned(n->cpu_shares),
			 .quota = given(n->cpu_quota), .period = given_unsigned(n->cpu_period),
			 .cpus = n->cpuset_cpus, .mems = n->cpuset_mems },
		.blkio = { .weight = given_unsigned(n->blkio_weight) },
		.all = { .pids_limit = given(n->pids_limit) },
	};
	if (n->nano_cpus) {
		l->cpu.period = given_unsigned(period);
		l->cpu.quota = given(n->nano_cpus * period / 1000000000);
	}
	l->all.memory = &l->memory;
	l->all.cpu = &l->cpu;
	l->all.block_io = &l->blkio;
}

static int tell_policy(struct isle_call *c, const struct instance *in, struct err *e)
{
	/* The two enumerations have one order. */
	const struct keeper_message m = {
		.kind = KEEPER_POLICY, .restart = (enum keeper_restart)in->config.restart,
		.max_retries = in->config.restart_max,
	};
	CLEANUP_FD int sock = life_connect(c->eng, in, e);
	int r = sock < 0 ? sock : keeper_send(sock, &m, 0);

	return r < 0 && sock >= 0 ? err_sys(e, -r, "tell %s's keeper", in->name) : r;
}

static bool has_limits(const struct instance_config *n)
{
	return n->memory || n->memory_swap || n->memory_reservation || n->nano_cpus ||
	       n->cpu_shares || n->cpu_period || n->cpu_quota || n->cpuset_cpus ||
	       n->cpuset_mems || n->pids_limit || n->blkio_weight;
}

static int apply_live(struct isle_call *c, struct instance *in, struct err *e)
{
	const struct run_options *o = c->target;
	const struct wall *wall;
	struct live live;
	int r = 0;

	live_fill(&o->config, &live);
	if (has_limits(&o->config)) {
		r = engine_wall(in->config.wall, &wall, e);
		if (r >= 0)
			r = wall->update(&c->eng->host, in->id, &live.all, e);
	}
	if (r >= 0 && o->restart_set)
		r = tell_policy(c, in, e);
	return r;
}

/* The kernel first: what it refuses is not recorded. */
static int update_one(struct isle_call *c, struct instance *in, struct err *e)
{
	int r = lay_over(c->target, &in->config, e);

	if (r >= 0 && instance_is_up(in))
		r = apply_live(c, in, e);
	if (r >= 0)
		r = instance_save(c->eng, in, e);
	if (r >= 0)
		each_event(c, in, "update");
	return r;
}

static int update(struct isle_call *c, struct err *e)
{
	const struct run_options *o = c->target;

	if (!o->restart_set && !has_limits(&o->config))
		return err_set(e, EINVAL, "nothing to update: give a limit or --restart");
	return each_instance(c, true, true, update_one, e);
}

const struct command command_update = {
	.name = "update",
	.aliases = "container update",
	.args = "INSTANCE...",
	.summary = "change limits and the restart policy of instances",
	.examples = "  isle update -m 512m --cpus 2 web\n",
	.options = { run_option_table + RUN_OPTIONS_COUNT - RUN_OPTIONS_LIMITS,
		     RUN_OPTIONS_LIMITS },
	.target_size = sizeof(struct run_options),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = update,
};
