/* Unit tests of vmm/virtio/vhost_user.h: a front end at the other end of a socket. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "vmm/virtio/rng.h"
#include "vmm/virtio/vhost_user.h"

#define RAM 0x100000
#define USER 0x7f5500000000ULL          /* where the front end says it mapped it */
#define DESC 0x1000
#define AVAIL 0x2000
#define USED 0x3000
#define BUFFER 0x8000
#define SIZE 8

struct fixture {
	struct vhost_user u;
	struct loop loop;
	struct rng rng;
	int front, ram, call, kick;
	uint8_t *mem;
	int ended;
};

static void ended(struct vhost_user *u)
{
	((struct fixture *)u)->ended++;
}

static int make(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err e = { 0 };
	int pair[2];

	f->ram = memfd_create("ram", MFD_CLOEXEC);
	f->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ftruncate(f->ram, RAM) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	f->mem = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, f->ram, 0);
	f->front = pair[0];
	rng_init(&f->rng);
	*state = f;
	if (loop_init(&f->loop, &e) < 0 ||
	    vhost_user_init(&f->u, &f->rng.dev, &f->loop, -1, pair[1], &e) < 0)
		return -1;
	f->u.ended = ended;
	return 0;
}

static int drop(void **state)
{
	struct fixture *f = *state;

	vhost_user_release(&f->u);
	vdev_release(&f->rng.dev);
	loop_release(&f->loop);
	munmap(f->mem, RAM);
	fd_close(&f->front);
	fd_close(&f->ram);
	fd_close(&f->call);
	fd_close(&f->kick);
	free(f);
	return 0;
}

/* ---- the front end ------------------------------------------------------------------------ */

static void serve(struct fixture *f)
{
	for (int i = 0; i < 8 && f->u.front.fd >= 0; i++)
		f->u.front.ready(&f->u.front, EPOLLIN);
}

static void send_raw(struct fixture *f, uint32_t request, uint32_t flags, const void *p,
		     uint32_t n, int fd)
{
	uint8_t b[VU_HEADER_BYTES + 512];
	uint32_t head[3] = { request, flags, n };

	memcpy(b, head, sizeof(head));
	if (n)
		memcpy(b + sizeof(head), p, n);
	assert_int_equal(fd_send(f->front, b, sizeof(head) + n, &fd, fd >= 0), 0);
	serve(f);
}

static void tell(struct fixture *f, uint32_t request, const void *p, uint32_t n, int fd)
{
	send_raw(f, request, VU_FLAG_VERSION, p, n, fd);
}

static void tell_u64(struct fixture *f, uint32_t request, uint64_t v, int fd)
{
	tell(f, request, &v, sizeof(v), fd);
}

static void tell_state(struct fixture *f, uint32_t request, uint32_t index, uint32_t num)
{
	struct vu_vring_state s = { index, num };

	tell(f, request, &s, sizeof(s), -1);
}

/* The payload of the reply that has come, or fail. */
static size_t reply(struct fixture *f, uint32_t request, void *p, size_t max)
{
	uint32_t head[3];

	assert_int_equal(recv(f->front, head, sizeof(head), 0), sizeof(head));
	assert_int_equal(head[0], request);
	assert_int_equal(head[1], VU_FLAG_VERSION | VU_FLAG_REPLY);
	assert_true(head[2] <= max);
	if (head[2])
		assert_int_equal(recv(f->front, p, head[2], 0), head[2]);
	return head[2];
}

static uint64_t ask_u64(struct fixture *f, uint32_t request)
{
	uint64_t v = 0;

	tell(f, request, NULL, 0, -1);
	assert_int_equal(reply(f, request, &v, sizeof(v)), sizeof(v));
	return v;
}

static void share(struct fixture *f, uint64_t size)
{
	struct vu_memory m = { .n = 1, .region = { { 0, size, USER, 0 } } };

	tell(f, VU_SET_MEM_TABLE, &m, 8 + sizeof(m.region[0]), f->ram);
}

static void negotiate(struct fixture *f)
{
	uint64_t features = ask_u64(f, VU_GET_FEATURES);

	assert_true(features & VU_F_PROTOCOL_FEATURES);
	assert_int_equal(ask_u64(f, VU_GET_PROTOCOL_FEATURES), VU_PROTOCOL_OFFERED);
	tell_u64(f, VU_SET_PROTOCOL_FEATURES, VU_PROTOCOL_OFFERED, -1);
	assert_int_equal(ask_u64(f, VU_GET_QUEUE_NUM), 1);
	tell(f, VU_SET_OWNER, NULL, 0, -1);
	tell_u64(f, VU_SET_FEATURES, 1ULL << VIRTIO_F_VERSION_1 | VU_F_PROTOCOL_FEATURES, -1);
}

static void set_ring(struct fixture *f)
{
	struct vu_vring_addr a = { .desc = USER + DESC, .avail = USER + AVAIL,
				   .used = USER + USED };

	tell_state(f, VU_SET_VRING_NUM, 0, SIZE);
	tell_state(f, VU_SET_VRING_BASE, 0, 0);
	tell(f, VU_SET_VRING_ADDR, &a, sizeof(a), -1);
	tell_u64(f, VU_SET_VRING_CALL, 0, f->call);
	tell_u64(f, VU_SET_VRING_KICK, 0, f->kick);
}

/* One request for 32 bytes of entropy; whether it was answered, with an interrupt. */
static int ask_entropy(struct fixture *f)
{
	struct vring_desc *d = (void *)(f->mem + DESC);
	struct vring_avail *a = (void *)(f->mem + AVAIL);
	const struct vring_used *u = (void *)(f->mem + USED);
	uint16_t was = u->idx;
	uint64_t one = 1, told;

	memset(f->mem + BUFFER, 0, 32);
	d[0] = (struct vring_desc){ .addr = BUFFER, .len = 32, .flags = VRING_DESC_F_WRITE };
	a->ring[a->idx % SIZE] = 0;
	a->idx++;
	assert_int_equal(write(f->kick, &one, sizeof(one)), sizeof(one));
	if (f->u.ring[0].started)
		f->u.ring[0].kick.ready(&f->u.ring[0].kick, EPOLLIN);
	if (u->idx == was)
		return 0;
	assert_int_equal(u->ring[was % SIZE].len, 32);
	assert_int_equal(read(f->call, &told, sizeof(told)), sizeof(told));
	return 1;
}

/* ---- cases -------------------------------------------------------------------------------- */

static void test_life(void **state)
{
	struct fixture *f = *state;
	struct vu_vring_state s;

	negotiate(f);
	share(f, RAM);
	set_ring(f);
	assert_int_equal(ask_entropy(f), 0);            /* not enabled */
	tell_state(f, VU_SET_VRING_ENABLE, 0, 1);
	/* What was waiting is worked when the ring starts. */
	assert_int_equal(((struct vring_used *)(void *)(f->mem + USED))->idx, 1);
	assert_true(read(f->call, &(uint64_t){ 0 }, 8) == 8);
	assert_int_equal(ask_entropy(f), 1);
	/* Stopped, it says where it was; started there, it goes on. */
	tell_state(f, VU_GET_VRING_BASE, 0, 0);
	assert_int_equal(reply(f, VU_GET_VRING_BASE, &s, sizeof(s)), sizeof(s));
	assert_int_equal(s.num, 2);
	assert_int_equal(ask_entropy(f), 0);
	set_ring(f);
	assert_int_equal(((struct vring_used *)(void *)(f->mem + USED))->idx, 5);
	assert_int_equal(f->ended, 0);
}

static void test_base_is_kept(void **state)
{
	struct fixture *f = *state;

	negotiate(f);
	share(f, RAM);
	set_ring(f);
	tell_state(f, VU_SET_VRING_ENABLE, 0, 1);
	assert_int_equal(ask_entropy(f), 1);
	/* Memory and rings are told anew while they run: nothing is done twice or lost. */
	share(f, RAM / 2);
	assert_int_equal(ask_entropy(f), 1);
	tell_state(f, VU_SET_VRING_ENABLE, 0, 0);
	assert_int_equal(ask_entropy(f), 0);
	tell_state(f, VU_SET_VRING_ENABLE, 0, 1);
	assert_int_equal(((struct vring_used *)(void *)(f->mem + USED))->idx, 3);
	tell(f, VU_RESET_DEVICE, NULL, 0, -1);
	assert_false(f->rng.dev.active);
	assert_int_equal(f->ended, 0);
}

static void test_without_protocol_features(void **state)
{
	struct fixture *f = *state;

	tell_u64(f, VU_SET_FEATURES, 1ULL << VIRTIO_F_VERSION_1, -1);
	share(f, RAM);
	set_ring(f);                                    /* enabled by its kick */
	assert_int_equal(ask_entropy(f), 1);
}

static void test_reply_ack(void **state)
{
	struct fixture *f = *state;
	uint64_t v = 1;

	tell_u64(f, VU_SET_PROTOCOL_FEATURES, VU_PROTOCOL_REPLY_ACK, -1);
	send_raw(f, VU_SET_OWNER, VU_FLAG_VERSION | VU_FLAG_NEED_REPLY, NULL, 0, -1);
	assert_int_equal(reply(f, VU_SET_OWNER, &v, sizeof(v)), sizeof(v));
	assert_int_equal(v, 0);
	/* One that has a reply of its own is not acknowledged besides. */
	send_raw(f, VU_GET_QUEUE_NUM, VU_FLAG_VERSION | VU_FLAG_NEED_REPLY, NULL, 0, -1);
	assert_int_equal(reply(f, VU_GET_QUEUE_NUM, &v, sizeof(v)), sizeof(v));
	assert_int_equal(recv(f->front, &v, 1, MSG_DONTWAIT), -1);
}

static void test_config(void **state)
{
	struct fixture *f = *state;
	struct vu_config c = { .offset = 0, .size = 4 };

	/* That device has none: an error is a reply without payload. */
	tell(f, VU_GET_CONFIG, &c, 12 + 4, -1);
	assert_int_equal(reply(f, VU_GET_CONFIG, &c, sizeof(c)), 0);
	tell(f, VU_SET_CONFIG, &c, 12 + 4, -1);
	assert_int_equal(f->ended, 0);
}

static void test_in_pieces(void **state)
{
	struct fixture *f = *state;
	uint32_t head[3] = { VU_SET_FEATURES, VU_FLAG_VERSION, 8 };
	uint64_t v = 1ULL << VIRTIO_F_VERSION_1;
	uint8_t b[20];

	memcpy(b, head, 12);
	memcpy(b + 12, &v, 8);
	for (size_t i = 0; i < sizeof(b); i++) {
		assert_int_equal(f->rng.dev.features, 0);
		assert_int_equal(send(f->front, b + i, 1, 0), 1);
		serve(f);
	}
	assert_int_equal(f->rng.dev.features, v);
	/* And one that ends within. */
	assert_int_equal(send(f->front, b, 5, 0), 5);
	fd_close(&f->front);
	serve(f);
	assert_int_equal(f->ended, 1);
}

/* ---- what ends the connection -------------------------------------------------------------- */

static void refused(struct fixture *f)
{
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->u.front.fd, -1);
	/* A reset, if some of what was sent was not read. */
	assert_true(recv(f->front, &(char){ 0 }, 1, 0) <= 0);
}

static void test_unknown_request(void **state)
{
	tell(*state, 99, NULL, 0, -1);
	refused(*state);
}

static void test_wrong_version(void **state)
{
	send_raw(*state, VU_GET_FEATURES, 2, NULL, 0, -1);
	refused(*state);
}

static void test_wrong_size(void **state)
{
	tell(*state, VU_SET_FEATURES, "abcd", 4, -1);
	refused(*state);
}

static void test_features_not_offered(void **state)
{
	tell_u64(*state, VU_SET_FEATURES, 1ULL << 63, -1);
	refused(*state);
}

static void test_no_such_ring(void **state)
{
	tell_state(*state, VU_SET_VRING_NUM, 1, SIZE);
	refused(*state);
}

static void test_ring_too_large(void **state)
{
	tell_state(*state, VU_SET_VRING_NUM, 0, 4096);
	refused(*state);
}

static void test_descriptor_not_wanted(void **state)
{
	struct fixture *f = *state;

	tell(f, VU_SET_OWNER, NULL, 0, f->ram);
	refused(f);
}

static void test_descriptor_missing(void **state)
{
	tell_u64(*state, VU_SET_VRING_KICK, 0, -1);
	refused(*state);
}

static void test_memory_beyond_the_file(void **state)
{
	share(*state, 2 * RAM);
	refused(*state);
}

static void test_memory_that_wraps(void **state)
{
	struct fixture *f = *state;
	struct vu_memory m = { .n = 1, .region = { { UINT64_MAX - 4095, 8192, USER, 0 } } };

	tell(f, VU_SET_MEM_TABLE, &m, 8 + sizeof(m.region[0]), f->ram);
	refused(f);
}

static void test_ring_outside_of_memory(void **state)
{
	struct fixture *f = *state;

	negotiate(f);
	share(f, 0x1000);
	set_ring(f);
	tell_state(f, VU_SET_VRING_ENABLE, 0, 1);
	refused(f);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_life), CASE(test_base_is_kept), CASE(test_without_protocol_features),
		CASE(test_reply_ack), CASE(test_config), CASE(test_in_pieces),
		CASE(test_unknown_request), CASE(test_wrong_version), CASE(test_wrong_size),
		CASE(test_features_not_offered), CASE(test_no_such_ring), CASE(test_ring_too_large),
		CASE(test_descriptor_not_wanted), CASE(test_descriptor_missing),
		CASE(test_memory_beyond_the_file), CASE(test_memory_that_wraps),
		CASE(test_ring_outside_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
