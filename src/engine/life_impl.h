#pragma once
/* engine/life_impl.h - between life*.c alone.  Layer: engine. */
#include "engine/instance_impl.h"
#include "engine/life.h"

/* Directories of the image's layers, bottom first, at least one; room for one more. */
MUST_CHECK int life_lower_dirs(struct engine *eng, const struct instance *in, struct arena *a,
			       struct oci_strv *ret, struct err *e);
/* upper, work and rootfs. */
MUST_CHECK int life_make_dirs(struct engine *eng, const struct instance *in, struct err *e);

/* Fill volumes that are new and empty with what the image has at their place. */
MUST_CHECK int life_fill_volumes(struct engine *eng, struct instance *in, struct err *e);
/* Merge the image's config into in->config: what was not said on the command line. */
MUST_CHECK int life_merge(struct engine *eng, struct instance *in, const struct image *img,
			  struct err *e);

/* <instance>/keeper.json; own_network: the keeper is born in a namespace of its own. */
MUST_CHECK int life_write_keeper(struct engine *eng, const struct instance *in, bool own_network,
				 struct err *e);
/* hosts, hostname and resolv.conf. */
MUST_CHECK int life_write_files(struct engine *eng, const struct instance *in, struct err *e);

/* What a start made and an end takes back: addresses, shared memory, the row's mark. */
MUST_CHECK int life_give_back(struct engine *eng, struct instance *in, struct err *e);
bool life_has_networks(const struct instance_config *c);

char *life_socket_path(const struct engine *eng, const char *id);       /* the heap's */
/* Of --stop-signal; SIGTERM for none, 0 for what is no signal's name. */
int life_signal_number(const char *name);
int64_t life_stop_timeout_ms(const struct engine *eng, const struct instance *in);
