/* vmm/x86_64/aml.c - see aml.h */
#include "vmm/x86_64/aml.h"

#include <assert.h>
#include <string.h>

/* ACPI 6.4, table 20.2 */
enum {
	OP_NAME = 0x08, OP_BYTE = 0x0a, OP_DWORD = 0x0c, OP_STRING = 0x0d, OP_SCOPE = 0x10,
	OP_BUFFER = 0x11, OP_PACKAGE = 0x12, OP_EXT = 0x5b, OP_EXT_DEVICE = 0x82,
};

/* Lengths are always written in three bytes, so that they can be filled in afterwards. */
#define LENGTH_BYTES 3

void aml_bytes(struct aml *a, const void *p, size_t n)
{
	if (a->overflow || n > a->max - a->n) {
		a->overflow = true;
		return;
	}
	memcpy(a->p + a->n, p, n);
	a->n += n;
}

static void byte(struct aml *a, uint8_t v)
{
	aml_bytes(a, &v, 1);
}

/* PkgLength counts itself: where it stands is what aml_close() needs. */
static size_t open_length(struct aml *a)
{
	size_t at = a->n;

	aml_bytes(a, "\0\0", LENGTH_BYTES);
	return at;
}

size_t aml_scope(struct aml *a, const char name[4])
{
	byte(a, OP_SCOPE);
	size_t at = open_length(a);

	aml_bytes(a, name, 4);
	return at;
}

size_t aml_device(struct aml *a, const char name[4])
{
	byte(a, OP_EXT);
	byte(a, OP_EXT_DEVICE);
	size_t at = open_length(a);

	aml_bytes(a, name, 4);
	return at;
}

/* 20.2.4: two more bytes follow; four low bits in the first, eight in each of them. */
void aml_close(struct aml *a, size_t opened)
{
	size_t n = a->n - opened;

	if (a->overflow)
		return;
	assert(n < 1 << 20);
	a->p[opened] = (uint8_t)(0x80 | (n & 0xf));
	a->p[opened + 1] = (uint8_t)(n >> 4);
	a->p[opened + 2] = (uint8_t)(n >> 12);
}

static void name_op(struct aml *a, const char name[4])
{
	byte(a, OP_NAME);
	aml_bytes(a, name, 4);
}

void aml_name_integer(struct aml *a, const char name[4], uint32_t v)
{
	name_op(a, name);
	byte(a, OP_DWORD);
	aml_bytes(a, &v, sizeof(v));
}

void aml_name_string(struct aml *a, const char name[4], const char *s)
{
	name_op(a, name);
	byte(a, OP_STRING);
	aml_bytes(a, s, strlen(s) + 1);
}

static uint32_t digit(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* 19.6.38: letters of five bits, then the digits; most significant byte first. */
void aml_name_eisa(struct aml *a, const char name[4], const char *id)
{
	uint32_t v = 0;

	for (int i = 0; i < 3; i++)
		v = v << 5 | (uint32_t)(id[i] - '@');
	for (int i = 3; i < 7; i++)
		v = v << 4 | digit(id[i]);
	aml_name_integer(a, name, __builtin_bswap32(v));
}

void aml_name_package(struct aml *a, const char name[4], const uint8_t *v, uint8_t n)
{
	name_op(a, name);
	byte(a, OP_PACKAGE);
	size_t at = open_length(a);

	byte(a, n);
	for (uint8_t i = 0; i < n; i++) {
		byte(a, OP_BYTE);
		byte(a, v[i]);
	}
	aml_close(a, at);
}

/* ---- resources ------------------------------------------------------------------------ */

static void add(struct aml_resources *r, const void *p, size_t n)
{
	assert(n <= sizeof(r->p) - r->n);
	memcpy(r->p + r->n, p, n);
	r->n += n;
}

void aml_res_memory(struct aml_resources *r, uint32_t start, uint32_t bytes)
{
	/* 6.4.3.4, 32-bit fixed memory range, writable */
	add(r, "\x86\x09\x00\x01", 4);
	add(r, &start, sizeof(start));
	add(r, &bytes, sizeof(bytes));
}

void aml_res_interrupt(struct aml_resources *r, uint32_t gsi)
{
	/* 6.4.3.6, extended interrupt: consumer (bit 0), edge (bit 1); one of them */
	add(r, "\x89\x06\x00\x03\x01", 5);
	add(r, &gsi, sizeof(gsi));
}

void aml_res_ports(struct aml_resources *r, uint16_t start, uint8_t n)
{
	/* 6.4.2.5, I/O ports, 16 bits decoded: lowest base, highest base, alignment, length */
	add(r, "\x47\x01", 2);
	add(r, &start, sizeof(start));
	add(r, &start, sizeof(start));
	add(r, &(uint8_t){ 1 }, 1);
	add(r, &n, 1);
}

void aml_name_resources(struct aml *a, const char name[4], const struct aml_resources *r)
{
	uint8_t n = (uint8_t)(r->n + 2);

	name_op(a, name);
	byte(a, OP_BUFFER);
	size_t at = open_length(a);

	byte(a, OP_BYTE);
	byte(a, n);
	aml_bytes(a, r->p, r->n);
	/* 6.4.2.9, end; a checksum of 0 is "not checked" */
	aml_bytes(a, "\x79\0", 2);
	aml_close(a, at);
}
