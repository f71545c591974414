#pragma once
/*
 * container/features.h - what this runtime understands, for engines and for people.
 * Layer: container.  Spec: features.md, features-linux.md.
 */
#include <jansson.h>
#include <stdio.h>

/* The features document; a new reference. */
json_t *features_json(void);

/* "--version", in the lines and the order that engines read from runc and crun. */
void features_print_version(FILE *f, const char *program);
