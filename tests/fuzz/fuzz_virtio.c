/*
 * Fuzz target: a guest that writes rings, registers and kicks as it likes.  Input: a byte
 * n, then n steps of eight bytes (what, offset, value), then what its memory holds.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "vmm/virtio/mmio.h"
#include "vmm/virtio/rng.h"

#define RAM 0x10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void step(struct vmmio *m, const uint8_t *s)
{
	uint32_t value, got;
	uint16_t offset;

	memcpy(&offset, s + 2, sizeof(offset));
	memcpy(&value, s + 4, sizeof(value));
	if (s[0] % 4 == 0)
		vmmio_read(m, offset, &got, 1U << s[1] % 3);
	else if (s[0] % 4 == 1)
		vmmio_write(m, offset % 0x100, &value, 4);
	else if (s[0] % 4 == 2)
		vmmio_write(m, offset, &value, 1U << s[1] % 3);
	else
		m->queue[0].kick.ready(&m->queue[0].kick, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t steps = size > 0 ? data[0] : 0;

	if (size < 1 + steps * 8)
		return 0;
	struct err e = { 0 };
	struct gmem mem;
	struct loop loop;
	struct rng rng;
	struct vmmio m;
	CLEANUP_FD int irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const uint8_t *ram = data + 1 + steps * 8;
	size_t n = size - 1 - steps * 8;

	if (gmem_init(&mem, RAM, &e) < 0 || loop_init(&loop, &e) < 0)
		return 0;
	memcpy(mem.region[0].host, ram, n < RAM ? n : RAM);
	rng_init(&rng);
	int r = vmmio_init(&m, &rng.dev, &mem, &loop, irq, &e);

	assert(r == 0);
	for (size_t i = 0; i < steps; i++)
		step(&m, data + 1 + i * 8);
	vmmio_release(&m);
	vdev_release(&rng.dev);
	loop_release(&loop);
	gmem_release(&mem);
	return 0;
}
