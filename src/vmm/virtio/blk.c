/*
 * vmm/virtio/blk.c - see blk.h
 *
 * A request (5.2.6), however the driver cut it into segments:
 *
 *      out part: type u32, reserved u32, sector u64 | data to write
 *      in part:  data read                          | status u8
 */
#include "vmm/virtio/blk.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEAD sizeof(struct virtio_blk_outhdr)
#define RANGES_MAX 16                   /* of one DISCARD or WRITE_ZEROES */
#define RANGE_SECTORS_MAX (1u << 22)    /* 2 GiB: others wait meanwhile */
/* Of the driver's segments two are the header and the status. */
#define SEG_MAX (VQ_SIZE_MAX - 2)

static bool inside(const struct blk *b, uint64_t sector, uint64_t n)
{
	return sector <= b->sectors && n <= b->sectors - sector;
}

/* All of n bytes at the file's offset `at`, or -errno; the end of the file is one. */
static int transfer(const struct blk *b, const struct iovec *from, unsigned n_from, uint64_t skip,
		    uint64_t n, uint64_t at, bool writing)
{
	/* 5.2.6.2: without FLUSH there is no cache to be flushed. */
	int flags = b->dev.features & (1ULL << VIRTIO_BLK_F_FLUSH) ? 0 : RWF_DSYNC;
	struct iovec iov[VQ_SIZE_MAX];

	while (n > 0) {
		int n_iov = vq_slice(from, n_from, skip, n, iov);
		ssize_t done = writing ? pwritev2(b->fd, iov, n_iov, (off_t)at, flags) :
					 preadv2(b->fd, iov, n_iov, (off_t)at, 0);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		skip += (uint64_t)done;
		at += (uint64_t)done;
		n -= (uint64_t)done;
	}
	return 0;
}

/* Returns the bytes read, or -errno. */
static int64_t do_read(const struct blk *b, const struct vq_req *req, uint64_t sector)
{
	uint64_t n = req->in_bytes - 1;

	if (n % BLK_SECTOR || n > INT32_MAX || !inside(b, sector, n / BLK_SECTOR))
		return -EINVAL;
	int r = transfer(b, req->iov + req->n_out, req->n_in, 0, n, sector * BLK_SECTOR, false);

	return r < 0 ? r : (int64_t)n;
}

static int do_write(const struct blk *b, const struct vq_req *req, uint64_t sector)
{
	uint64_t n = req->out_bytes - HEAD;

	if (b->read_only)
		return -EROFS;
	if (n % BLK_SECTOR || n > INT32_MAX || !inside(b, sector, n / BLK_SECTOR))
		return -EINVAL;
	return transfer(b, req->iov, req->n_out, HEAD, n, sector * BLK_SECTOR, true);
}

/* DISCARD and WRITE_ZEROES: a list of ranges (5.2.6). */
static int do_ranges(const struct blk *b, const struct vq_req *req, bool zeroes)
{
	struct virtio_blk_discard_write_zeroes range[RANGES_MAX];
	uint64_t bytes = req->out_bytes - HEAD;

	if (b->read_only)
		return -EROFS;
	if (bytes == 0 || bytes % sizeof(range[0]) || bytes > sizeof(range))
		return -EINVAL;
	vq_copy_out(req, HEAD, range, bytes);
	for (size_t i = 0; i < bytes / sizeof(range[0]); i++) {
		uint64_t sector = le64toh(range[i].sector);
		uint32_t n = le32toh(range[i].num_sectors), flags = le32toh(range[i].flags);
		/* A hole reads as zeros; what is zeroed without UNMAP keeps its place. */
		bool hole = !zeroes || (flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);

		if (flags & ~(zeroes ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u))
			return -EOPNOTSUPP;
		if (n > RANGE_SECTORS_MAX || !inside(b, sector, n))
			return -EINVAL;
		if (n > 0 && fallocate(b->fd, (hole ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) |
				       FALLOC_FL_KEEP_SIZE, (off_t)(sector * BLK_SECTOR),
				       (off_t)n * BLK_SECTOR) < 0)
			return -errno;
	}
	return 0;
}

static int64_t get_id(const struct blk *b, const struct vq_req *req)
{
	if (req->in_bytes - 1 < sizeof(b->id))
		return -EINVAL;
	return (int64_t)vq_copy_in(req, 0, b->id, sizeof(b->id));
}

/* Bytes put before the status, or -errno. */
static int64_t perform(const struct blk *b, const struct vq_req *req)
{
	struct virtio_blk_outhdr h;

	vq_copy_out(req, 0, &h, sizeof(h));
	uint64_t sector = le64toh(h.sector);

	switch (le32toh(h.type)) {
	case VIRTIO_BLK_T_IN:
		return do_read(b, req, sector);
	case VIRTIO_BLK_T_OUT:
		return do_write(b, req, sector);
	case VIRTIO_BLK_T_FLUSH:
		return fdatasync(b->fd) < 0 ? -errno : 0;
	case VIRTIO_BLK_T_GET_ID:
		return get_id(b, req);
	case VIRTIO_BLK_T_DISCARD:
		return do_ranges(b, req, false);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return do_ranges(b, req, true);
	default:
		return -EOPNOTSUPP;
	}
}

/* The bytes written for the guest, or -EPROTO for what has no header or no room for a status. */
static int answer(const struct blk *b, const struct vq_req *req)
{
	if (req->out_bytes < HEAD || req->in_bytes < 1)
		return -EPROTO;
	int64_t r = perform(b, req);
	uint8_t status = r >= 0 ? VIRTIO_BLK_S_OK :
			 r == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;

	vq_copy_in(req, req->in_bytes - 1, &status, 1);
	return r > 0 ? (int)r + 1 : 1;
}

static void kick(struct vdev *d, unsigned q)
{
	struct vq *vq = &d->vq[q];
	struct vq_req req;
	int r;

	vq_refuse_kicks(vq);
	do {
		while ((r = vq_pop(vq, &req)) > 0) {
			r = answer((const struct blk *)d, &req);
			if (r < 0)
				break;
			vq_put(vq, &req, (uint32_t)r);
			vdev_notify(d, q);
		}
	} while (r == 0 && vq_want_kicks(vq));
	if (r < 0)
		vdev_fail(d, q, "malformed ring, or a request without header or status");
}

static void config_read(struct vdev *d, uint32_t offset, void *p, uint32_t n)
{
	const struct blk *b = (const struct blk *)d;
	struct virtio_blk_config c = {
		.capacity = htole64(b->sectors), .seg_max = htole32(SEG_MAX),
		.blk_size = htole32(BLK_SECTOR), .num_queues = htole16(1),
		.max_discard_sectors = htole32(RANGE_SECTORS_MAX),
		.max_discard_seg = htole32(RANGES_MAX),
		.discard_sector_alignment = htole32(4096 / BLK_SECTOR),
		.max_write_zeroes_sectors = htole32(RANGE_SECTORS_MAX),
		.max_write_zeroes_seg = htole32(RANGES_MAX), .write_zeroes_may_unmap = 1,
	};

	memcpy(p, (const uint8_t *)&c + offset, n);
}

static const struct vdev_ops ops = {
	.name = "blk", .id = VIRTIO_ID_BLOCK, .config_bytes = sizeof(struct virtio_blk_config),
	.n_queues = 1, .queue_size = VQ_SIZE_MAX, .config_read = config_read, .kick = kick,
};

int blk_init(struct blk *b, int fd, bool read_only, const char *id, struct err *e)
{
	/* Of a block device too, whose st_size says nothing. */
	off_t end = lseek(fd, 0, SEEK_END);
	uint64_t offered = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
			   1ULL << VIRTIO_BLK_F_FLUSH;

	if (end < 0)
		return err_sys(e, errno, "size of the disk's file");
	offered |= read_only ? 1ULL << VIRTIO_BLK_F_RO :
			       1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	*b = (struct blk){ .fd = fd, .read_only = read_only,
			   .sectors = (uint64_t)end / BLK_SECTOR };
	memcpy(b->id, id, strnlen(id, sizeof(b->id)));
	vdev_init(&b->dev, &ops, offered);
	return 0;
}
