/* Fuzz target: what registries say in headers, and files of credentials. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "image/auth.h"
#include "image/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const char *text = arena_strndup(&a, size ? (const char *)data : "", size);
	struct auth_challenge c = { 0 };
	uint64_t first, last, total;
	char *out;
	size_t n;

	if (auth_challenge_parse(text, &a, &c) == 0 && c.scheme == AUTH_BEARER)
		assert(c.realm);
	if (http_content_range(text, &first, &last, &total) == 0)
		assert(first <= last && last < total);
	(void)!http_retry_after(text, 0, &total);
	assert(strlen(http_url_shown(text, &a)) <= strlen(text));
	(void)http_same_origin(text, "https://h/");
	if (auth_unbase64(text, &a, &out, &n) == 0)
		assert(n <= strlen(text));
	return 0;
}
