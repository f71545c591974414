/* vmm/virtio/vhost_user_msg.c - messages of the vhost-user protocol.  See the header. */
#include "vmm/virtio/vhost_user_msg.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define CONFIG_HEAD offsetof(struct vu_config, payload)
#define MEMORY_HEAD offsetof(struct vu_memory, region)

/* What may come: payload from min to max bytes with at most fds descriptors. */
static const struct vu_shape {
	const char *name;               /* NULL: not a request we know */
	uint16_t min, max;
	uint8_t fds;
	bool replies;
} shapes[VU_REQUEST_MAX + 1] = {
	[VU_GET_FEATURES] = { "GET_FEATURES", 0, 0, 0, true },
	[VU_SET_FEATURES] = { "SET_FEATURES", 8, 8, 0, false },
	[VU_SET_OWNER] = { "SET_OWNER", 0, 0, 0, false },
	[VU_RESET_OWNER] = { "RESET_OWNER", 0, 0, 0, false },
	[VU_SET_MEM_TABLE] = { "SET_MEM_TABLE", MEMORY_HEAD, sizeof(struct vu_memory),
			       VU_REGIONS_MAX, false },
	[VU_SET_VRING_NUM] = { "SET_VRING_NUM", 8, 8, 0, false },
	[VU_SET_VRING_ADDR] = { "SET_VRING_ADDR", 40, 40, 0, false },
	[VU_SET_VRING_BASE] = { "SET_VRING_BASE", 8, 8, 0, false },
	[VU_GET_VRING_BASE] = { "GET_VRING_BASE", 8, 8, 0, true },
	[VU_SET_VRING_KICK] = { "SET_VRING_KICK", 8, 8, 1, false },
	[VU_SET_VRING_CALL] = { "SET_VRING_CALL", 8, 8, 1, false },
	[VU_SET_VRING_ERR] = { "SET_VRING_ERR", 8, 8, 1, false },
	[VU_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", 0, 0, 0, true },
	[VU_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", 8, 8, 0, false },
	[VU_GET_QUEUE_NUM] = { "GET_QUEUE_NUM", 0, 0, 0, true },
	[VU_SET_VRING_ENABLE] = { "SET_VRING_ENABLE", 8, 8, 0, false },
	[VU_GET_CONFIG] = { "GET_CONFIG", CONFIG_HEAD, sizeof(struct vu_config), 0, true },
	[VU_SET_CONFIG] = { "SET_CONFIG", CONFIG_HEAD, sizeof(struct vu_config), 0, false },
	[VU_RESET_DEVICE] = { "RESET_DEVICE", 0, 0, 0, false },
};

static const struct vu_shape *shape_of(uint32_t request)
{
	return request < ARRAY_LEN(shapes) && shapes[request].name ? &shapes[request] : NULL;
}

const char *vu_request_name(uint32_t request)
{
	const struct vu_shape *s = shape_of(request);

	return s ? s->name : "?";
}

bool vu_request_replies(uint32_t request)
{
	const struct vu_shape *s = shape_of(request);

	return s && s->replies;
}

int vu_msg_header(const uint8_t *p, struct vu_msg *ret, struct err *e)
{
	uint32_t word[3];

	memcpy(word, p, sizeof(word));
	const struct vu_shape *s = shape_of(word[0]);
	if (!s)
		return err_set(e, EPROTO, "the front end sent request %u, which was not offered",
			       word[0]);
	if ((word[1] & VU_FLAG_VERSION_MASK) != VU_FLAG_VERSION || (word[1] & VU_FLAG_REPLY))
		return err_set(e, EPROTO, "%s: flags 0x%x are not those of a request", s->name,
			       word[1]);
	if (word[2] < s->min || word[2] > s->max)
		return err_set(e, EPROTO, "%s: payload of %u bytes, not %u to %u", s->name,
			       word[2], s->min, s->max);
	memset(ret, 0, sizeof(*ret));
	ret->request = word[0];
	ret->flags = word[1];
	ret->size = word[2];
	return (int)word[2];
}

/* Counts inside a payload against its size and the descriptors that came. */
static int check_counts(const struct vu_msg *m, const char *name, size_t n_fds, struct err *e)
{
	switch (m->request) {
	case VU_SET_MEM_TABLE:
		if (m->memory.n > VU_REGIONS_MAX || m->memory.n != n_fds ||
		    m->size != MEMORY_HEAD + m->memory.n * sizeof(struct vu_region))
			return err_set(e, EPROTO, "%s: %u regions with %zu descriptors in %u "
				       "bytes", name, m->memory.n, n_fds, m->size);
		return 0;
	case VU_GET_CONFIG:
	case VU_SET_CONFIG:
		if (m->config.size > VU_CONFIG_MAX || m->size != CONFIG_HEAD + m->config.size)
			return err_set(e, EPROTO, "%s: %u bytes in a payload of %u", name,
				       m->config.size, m->size);
		return 0;
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
	case VU_SET_VRING_ERR:
		if (n_fds != !(m->u64 & VU_VRING_NO_FD))
			return err_set(e, EPROTO, "%s: %zu descriptors came", name, n_fds);
		return 0;
	default:
		return 0;
	}
}

int vu_msg_payload(struct vu_msg *m, const uint8_t *p, size_t n_fds, struct err *e)
{
	const struct vu_shape *s = shape_of(m->request);

	if (!s)
		return err_set(e, EPROTO, "request %u is not known", m->request);
	if (m->size > s->max || n_fds > s->fds)
		return err_set(e, EPROTO, "%s: %u bytes and %zu descriptors", s->name, m->size,
			       n_fds);
	memcpy(&m->u64, p, m->size);
	return check_counts(m, s->name, n_fds, e);
}
