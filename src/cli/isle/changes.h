#pragma once
/* cli/isle/changes.h - what an instance changed, for diff and commit.  Layer: cli. */
#include "engine/instance.h"
#include "image/diff.h"

/*
 * All of its upper directory against the layers below, sorted; *ret is the arena's of in.
 * Those that change_is_ours() tells are among them.
 */
MUST_CHECK int changes_of(struct engine *eng, struct instance *in, struct diff_change **ret,
			  size_t *ret_n, struct err *e);

/*
 * The files that stand below our mounts of the same names are made by the start, not by the
 * program: Docker keeps them in a layer of their own, which its diff does not show and its
 * commit does not take.
 */
bool change_is_ours(const struct diff_change *d);
