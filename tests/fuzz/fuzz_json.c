/* Fuzz target: the JSON reader, path look-ups in its tree, and the string writer. */
#include <assert.h>
#include <stdint.h>

#include "base/json.h"
#include "base/json_tree.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP(buf_release) struct buf out = BUF_INIT(1u << 24);
	const struct json_node *root = NULL;
	struct err e = { 0 };
	const char *text = arena_strndup(&a, size ? (const char *)data : "", size);

	if (json_tree_parse("f", text, size, &a, &root, &e) == 0)
		assert(json_tree_at(root, text) && json_tree_at(root, "a.b[1].c"));
	json_add_string(&out, text);
	/* Whatever the bytes were, what is written must be JSON to others. */
	CLEANUP_JSON json_t *j = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
	assert(j);
	return 0;
}
