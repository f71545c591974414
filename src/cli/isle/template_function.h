#pragma once
/* cli/isle/template_function.h - the functions of templates, and printing.  Layer: cli. */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct template_function {
	const char *name;
	/* A new reference, or NULL when the arguments do not fit. */
	json_t *(*call)(json_t *const *v, size_t n);
};
extern const struct template_function template_functions[];
extern const size_t n_template_functions;

/* What {{if}} takes for true: as Go's templates, not empty and not zero. */
bool template_truth(const json_t *v);
/* Append v as Go's fmt prints it with %v. */
void template_print(struct buf *out, const json_t *v);
