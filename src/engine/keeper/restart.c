/* engine/keeper/restart.c - when an instance that ended is started again: Docker's rules. */
#include "engine/keeper/parts.h"

#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 60000
#define RAN_WELL_MS 10000

bool restart_decide(struct restart *r, enum keeper_restart policy, unsigned max,
		    int exit_code, uint64_t ran_ms, uint64_t *ret_ms)
{
	/* The delay grows also where nothing is restarted: policies change while it runs. */
	if (ran_ms >= RAN_WELL_MS || r->delay_ms == 0)
		r->delay_ms = DELAY_FIRST_MS;
	else if (r->delay_ms < DELAY_MAX_MS)
		r->delay_ms *= 2;
	if (r->delay_ms > DELAY_MAX_MS)
		r->delay_ms = DELAY_MAX_MS;
	*ret_ms = r->delay_ms;
	if (policy == KEEPER_RESTART_NO)
		return false;
	if (policy == KEEPER_RESTART_ON_FAILURE &&
	    (exit_code == 0 || (max && r->count >= max)))
		return false;
	r->count++;
	return true;
}
