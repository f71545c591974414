/* Fuzz target: frames from a guest (first byte even) or to one. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "proto/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_message m;
	int n;

	if (size == 0)
		return 0;
	enum agent_side from = *data % 2 ? AGENT_FROM_HOST : AGENT_FROM_GUEST;
	data++;
	size--;
	while ((n = agent_decode(data, size, from, &m)) > 0) {
		struct buf b = BUF_INIT(AGENT_FRAME_MAX);

		/* What is taken is what would be sent. */
		assert((size_t)n <= size && agent_kind_side(m.kind) == from);
		int r = agent_encode(&m, &b);
		assert(r == 0 && b.len == (size_t)n && memcmp(b.data, data, b.len) == 0);
		buf_release(&b);
		data += n;
		size -= (size_t)n;
	}
	return 0;
}
