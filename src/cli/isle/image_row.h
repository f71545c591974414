#pragma once
/* cli/isle/image_row.h - how images and their names are shown.  Layer: cli. */
#include <jansson.h>

#include "engine/engine.h"
#include "image/registries.h"

#define NONE "<none>"

/* "host/path:tag" or "host/path@sha256:..." taken apart; in a, tag and digest may be NULL. */
struct image_name {
	const char *repository, *tag, *digest;
};
void image_name_split(const char *name, struct arena *a, struct image_name *ret);

/* "2024-05-01 10:00:00 +0200 CEST", "3 weeks ago" (0: "N/A"); the heap's. */
char *image_time_text(int64_t seconds);
char *image_age_text(int64_t seconds, int64_t now);
/* The 12 digits people know, or all with the algorithm; in a. */
const char *image_id_text(const char *id, bool whole, struct arena *a);

bool image_has_label(const struct image *i, const char *text);  /* "key" or "key=value" */

/* Docker's object of image inspect. */
MUST_CHECK int image_describe(struct engine *eng, const char *name, json_t **ret,
			      struct err *e);
