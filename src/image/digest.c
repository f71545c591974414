/* image/digest.c - see digest.h */
#include "image/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"

struct digest {
	EVP_MD_CTX *ctx;
	const char *name;
};

static int is(const char *like, const char *name)
{
	size_t n = strlen(name);

	return strncmp(like, name, n) == 0 && (like[n] == ':' || !like[n]);
}

int digest_new(const char *like, struct digest **ret, struct err *e)
{
	const EVP_MD *md = NULL;
	const char *name = NULL;
	struct digest *d;

	if (!like || is(like, "sha256")) {
		md = EVP_sha256();
		name = "sha256";
	} else if (is(like, "sha512")) {
		md = EVP_sha512();
		name = "sha512";
	}
	if (!md)
		return err_set(e, EINVAL, "digest \"%s\": only sha256 and sha512 are known", like);
	d = xcalloc(1, sizeof(*d));
	d->name = name;
	d->ctx = EVP_MD_CTX_new();
	/* Fails for want of memory only, or in a FIPS set-up without SHA-2. */
	if (!d->ctx || EVP_DigestInit_ex(d->ctx, md, NULL) != 1) {
		digest_free(d);
		return err_set(e, ENOMEM, "libcrypto gives no %s", name);
	}
	*ret = d;
	return 0;
}

void digest_add(struct digest *d, const void *p, size_t n)
{
	EVP_DigestUpdate(d->ctx, p, n);
}

static void hex(char *text, const char *name, const unsigned char *md, unsigned n)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = strlen(name);

	memcpy(text, name, at);
	text[at++] = ':';
	for (unsigned i = 0; i < n; i++) {
		text[at++] = digits[md[i] >> 4];
		text[at++] = digits[md[i] & 15];
	}
	text[at] = '\0';
}

void digest_text(struct digest *d, char text[DIGEST_TEXT_MAX])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	EVP_DigestFinal_ex(d->ctx, md, &n);
	hex(text, d->name, md, n);
}

void digest_free(struct digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void digest_cleanup(struct digest **d)
{
	digest_free(*d);
	*d = NULL;
}

void digest_of(const void *p, size_t n, char text[DIGEST_TEXT_MAX])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	EVP_Digest(p, n, md, &len, EVP_sha256(), NULL);
	hex(text, "sha256", md, len);
}
