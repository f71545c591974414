#pragma once
/*
 * vmm/virtio/vhost_user_msg.h - messages of the vhost-user protocol.  Layer: vmm.
 *
 * Encoding and validation only, so that it can be fuzzed; vhost_user.c acts on them.
 *
 *      u32 request | u32 flags: version 1, bit 2 reply, bit 3 need_reply | u32 size | payload
 *
 * Host byte order: both ends are one machine.  Spec: QEMU docs/interop/vhost-user.rst.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define VU_HEADER_BYTES 12
#define VU_FDS_MAX 8            /* SET_MEM_TABLE: one a region */
#define VU_REGIONS_MAX 8
#define VU_CONFIG_MAX 256       /* VHOST_USER_MAX_CONFIG_SIZE of front ends */

enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_RESET_DEVICE = 34,
	VU_REQUEST_MAX = 34,
};

/* Feature bit of the transport itself, beside the device's. */
#define VU_F_PROTOCOL_FEATURES (1ULL << 30)

/* Protocol features that we offer. */
#define VU_PROTOCOL_MQ (1ULL << 0)
#define VU_PROTOCOL_REPLY_ACK (1ULL << 3)
#define VU_PROTOCOL_CONFIG (1ULL << 9)
#define VU_PROTOCOL_RESET_DEVICE (1ULL << 13)
#define VU_PROTOCOL_OFFERED \
	(VU_PROTOCOL_MQ | VU_PROTOCOL_REPLY_ACK | VU_PROTOCOL_CONFIG | VU_PROTOCOL_RESET_DEVICE)

#define VU_FLAG_VERSION 1u
#define VU_FLAG_VERSION_MASK 3u
#define VU_FLAG_REPLY 4u
#define VU_FLAG_NEED_REPLY 8u

/* Of the u64 of SET_VRING_KICK, _CALL and _ERR. */
#define VU_VRING_INDEX_MASK 0xffu
#define VU_VRING_NO_FD 0x100u

struct vu_vring_state {
	uint32_t index, num;
};

struct vu_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;        /* addresses of the front end's process */
};

struct vu_region {
	uint64_t guest, size, user, mmap_offset;
};

struct vu_memory {
	uint32_t n, padding;
	struct vu_region region[VU_REGIONS_MAX];
};

struct vu_config {
	uint32_t offset, size, flags;
	uint8_t payload[VU_CONFIG_MAX];
};

struct vu_msg {
	uint32_t request, flags, size;          /* size: bytes of payload */
	union {
		uint64_t u64;
		struct vu_vring_state state;
		struct vu_vring_addr addr;
		struct vu_memory memory;
		struct vu_config config;
	};
};

/* No request that we know has more. */
#define VU_PAYLOAD_MAX \
	(sizeof(struct vu_config) > sizeof(struct vu_memory) ? sizeof(struct vu_config) : \
							       sizeof(struct vu_memory))

_Static_assert(offsetof(struct vu_msg, u64) >= VU_HEADER_BYTES, "payload is not laid over it");

/*
 * The header of the next message.  Returns the bytes of payload that follow it, at most
 * VU_PAYLOAD_MAX; -EPROTO for what no message may be.
 */
MUST_CHECK int vu_msg_header(const uint8_t *p, struct vu_msg *ret, struct err *e);

/*
 * The payload that belongs to the header in *m, and how many descriptors came with it.
 * Afterwards sizes and counts inside are consistent; addresses and indices are not
 * checked: only the device knows how many queues there are.
 */
MUST_CHECK int vu_msg_payload(struct vu_msg *m, const uint8_t *p, size_t n_fds, struct err *e);

/* "SET_VRING_NUM", or "?". */
const char *vu_request_name(uint32_t request);

/* The spec wants a reply of its own to this request, apart from REPLY_ACK. */
bool vu_request_replies(uint32_t request);
