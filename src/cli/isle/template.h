#pragma once
/*
 * cli/isle/template.h - the part of Go's text/template that --format users type.  Layer: cli.
 *
 *   {{.Field.Sub}} {{json .X}} {{.X | json}} {{index .Labels "k"}} {{len .X}} {{join .X ","}}
 *   {{upper .X}} {{lower .X}} {{title .X}} {{split .X ","}} {{truncate .X 3}} {{pad .X 1 2}}
 *   {{println .X}} {{print .X}} {{printf "%s" .X}} {{eq .X "a"}} ne and or not lt le gt ge
 *   {{if .X}}...{{else if .Y}}...{{else}}...{{end}}  {{with .X}}...{{end}}
 *   {{range .X}}...{{end}}  {{range $k, $v := .X}}...{{end}}  {{$v := .X}}  {{- trims -}}
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Append text with its actions carried out on dot.  -EINVAL names the place in the text and
 * what was wrong; a field that is not there is an error when it would be printed.
 */
MUST_CHECK int template_run(const char *text, const json_t *dot, struct buf *out,
			    struct err *e);
