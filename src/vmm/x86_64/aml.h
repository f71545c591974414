#pragma once
/*
 * vmm/x86_64/aml.h - ACPI machine language, as much as devices without methods need.
 * Layer: vmm.
 *
 * Bytes are appended to a buffer of fixed size; what does not fit sets overflow, which the
 * caller looks at once, at the end.  What has a length is opened and closed:
 *
 *      size_t d = aml_device(a, "COM1");
 *      aml_name_eisa(a, "_HID", "PNP0501");
 *      aml_close(a, d);
 *
 * Spec: ACPI 6.4, 20.2 (grammar), 6.4 (resource descriptors).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *p;
	size_t n, max;
	bool overflow;
};

void aml_bytes(struct aml *a, const void *p, size_t n);

/* Each returns what aml_close() wants.  Names are segments of four: "_SB_", "COM1". */
size_t aml_scope(struct aml *a, const char name[4]);
size_t aml_device(struct aml *a, const char name[4]);
void aml_close(struct aml *a, size_t opened);

void aml_name_integer(struct aml *a, const char name[4], uint32_t v);
void aml_name_string(struct aml *a, const char name[4], const char *s);
/* id: three capital letters and four hexadecimal digits, as "PNP0501". */
void aml_name_eisa(struct aml *a, const char name[4], const char *id);
/* A package of n small integers. */
void aml_name_package(struct aml *a, const char name[4], const uint8_t *v, uint8_t n);

/* A buffer of resource descriptors under "_CRS": open, add, close. */
struct aml_resources {
	uint8_t p[64];
	size_t n;
};
void aml_res_memory(struct aml_resources *r, uint32_t start, uint32_t bytes);
/* Edge-triggered, active high, exclusive. */
void aml_res_interrupt(struct aml_resources *r, uint32_t gsi);
void aml_res_ports(struct aml_resources *r, uint16_t start, uint8_t n);
/* With the end tag. */
void aml_name_resources(struct aml *a, const char name[4], const struct aml_resources *r);
