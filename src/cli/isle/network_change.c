/* cli/isle/network_change.c - see network_change.h */
#include "cli/isle/network_change.h"

#include <string.h>

#include "base/json.h"

int network_known(struct engine *eng, const char *what, struct arena *a, const char **ret_name,
		  const char **ret_id, struct err *e)
{
	CLEANUP_JSON json_t *j = NULL;
	int r = net_network_inspect(&eng->net, what, &j, e);

	if (r < 0)
		return r;
	*ret_name = arena_strdup(a, json_string_value(json_object_get(j, "Name")));
	*ret_id = arena_strdup(a, json_string_value(json_object_get(j, "Id")));
	return 0;
}

static const char *true_name(const char *name)
{
	return strcmp(name, "default") == 0 ? NET_DEFAULT : name;
}

/* Room for one more; the list made explicit where only network_mode says it. */
static struct instance_network *list(struct instance *in, size_t *ret_n)
{
	const struct instance_config *c = &in->config;
	struct instance_network *v = arena_calloc(&in->arena, c->n_networks + 2, sizeof(*v));

	*ret_n = c->n_networks;
	if (c->n_networks)
		memcpy(v, c->networks, c->n_networks * sizeof(*v));
	else if (strcmp(c->network_mode, "none") != 0)
		v[(*ret_n)++] = (struct instance_network){ .name = c->network_mode };
	return v;
}

bool network_has(const struct instance *in, const char *name)
{
	const struct instance_config *c = &in->config;

	for (size_t i = 0; i < c->n_networks; i++)
		if (strcmp(true_name(c->networks[i].name), name) == 0)
			return true;
	return c->n_networks == 0 && strcmp(true_name(c->network_mode), name) == 0;
}

void network_add(struct instance *in, const struct instance_network *to)
{
	struct instance_config *c = &in->config;
	size_t n;

	c->networks = list(in, &n);
	c->networks[n] = *to;
	c->n_networks = n + 1;
	if (n == 0)
		c->network_mode = to->name;
}

void network_drop(struct instance *in, const char *name)
{
	struct instance_config *c = &in->config;
	size_t n, left = 0;
	struct instance_network *v = list(in, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(true_name(v[i].name), name) != 0)
			v[left++] = v[i];
	c->networks = v;
	c->n_networks = left;
	c->network_mode = left ? v[0].name : "none";
}

bool network_is_live(const struct instance *in)
{
	return in->status.pid > 0 && (in->status.state == INSTANCE_RUNNING ||
				      in->status.state == INSTANCE_PAUSED);
}
