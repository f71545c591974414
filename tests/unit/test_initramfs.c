/* Unit tests of vm/initramfs.h and vm/modules.h; cpio(1) reads what is written. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "vm/initramfs.h"
#include "vm/modules.h"

static const char dep[] =
	"kernel/drivers/virtio/virtio_mmio.ko: kernel/drivers/virtio/virtio.ko "
	"kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/fs/fuse/fuse.ko:\n"
	"kernel/fs/fuse/virtiofs.ko: kernel/fs/fuse/fuse.ko kernel/drivers/virtio/virtio.ko "
	"kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/net/packed.ko.xz:\n"
	"kernel/net/outside.ko: ../../etc/x.ko\n";

static void test_bytes(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(initramfs_dir(&b, "etc", 0755, &e), 0);
	/* 110 bytes of header and "etc" with its end: padded to a multiple of four. */
	assert_int_equal(b.len, 116);
	assert_memory_equal(b.data, "070701" "00000001" "000041ed" "00000000" "00000000"
			    "00000001" "00000000" "00000000" "00000000" "00000000" "00000000"
			    "00000000" "00000004" "00000000" "etc\0", 114);
	assert_int_equal(initramfs_file(&b, "etc/x", 0644, "abcde", 5, &e), 0);
	assert_int_equal(b.len, 116 + 116 + 8);
	assert_memory_equal(b.data + b.len - 8, "abcde\0\0\0", 8);
	assert_int_equal(initramfs_end(&b, &e), 0);
	assert_int_equal(b.len % 4, 0);
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "", "/etc", "a//b", "a/", ".", "../x", "a/../b", "a/." };
	CLEANUP(buf_release) struct buf b = BUF_INIT(256);
	struct err e = { 0 };
	char name[INITRAMFS_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(initramfs_dir(&b, bad[i], 0755, &e), -EINVAL);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(initramfs_dir(&b, name, 0755, &e), -EINVAL);
	assert_int_equal(b.len, 0);
	assert_int_equal(initramfs_file(&b, "f", 0644, name, 200, &e), -EFBIG);
}

/* cpio(1) unpacks it: names, kinds, modes and content. */
static void test_machine(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(INITRAMFS_BYTES_MAX);
	CLEANUP(buf_release) struct buf list = BUF_INIT(4096);
	char dir[] = "/tmp/isle-initramfs.XXXXXX";
	const char *modules[] = { "sub/one.ko", "two.ko" };
	struct err e = { 0 };

	(void)state;
	if (system("command -v cpio >/dev/null") != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	CLEANUP_FD int d = open(dir, O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(d, "sub", 0755), 0);
	CLEANUP_FD int sub = openat(d, "sub", O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_replace_at(sub, "one.ko", "1", 1, 0600), 0);
	assert_int_equal(file_replace_at(d, "two.ko", "22", 2, 0600), 0);
	assert_int_equal(file_replace_at(d, "agent", "\177ELF", 4, 0600), 0);
	CLEANUP_FREE char *program = xasprintf("%s/agent", dir);
	struct initramfs_parts p = { program, dir, modules, 2 };
	assert_int_equal(initramfs_make(&p, &b, &e), 0);
	assert_int_equal(file_replace_at(d, "initrd", b.data, b.len, 0600), 0);
	CLEANUP_FREE char *command = xasprintf(
		"cd %s && mkdir out && cd out && cpio --quiet -idm --nonmatching dev/console "
		"<../initrd && cpio --quiet -itv 'dev/*' <../initrd | cut -c1-10 >../list && "
		"find . -type f -printf '%%P %%m\\n' | LC_ALL=C sort >>../list && "
		"cat etc/isle/modules modules/one.ko modules/two.ko >>../list", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(file_read_at(d, "list", &list), 0);
	assert_string_equal(list.data, "crw-------\netc/isle/modules 644\ninit 755\n"
			    "modules/one.ko 644\nmodules/two.ko 644\n"
			    "/modules/one.ko\n/modules/two.ko\n122");
	modules[1] = "absent.ko";
	b.len = 0;
	assert_int_equal(initramfs_make(&p, &b, &e), -ENOENT);
	CLEANUP_FREE char *clean = xasprintf("rm -r %s", dir);
	assert_int_equal(system(clean), 0);
}

static void test_order(void **state)
{
	struct modules m = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(modules_add(&m, "virtiofs", dep, NULL, &e), 0);
	assert_int_equal(modules_add(&m, "virtio-mmio", dep, NULL, &e), 0);
	assert_int_equal(m.n, 5);
	assert_string_equal(m.path[0], "kernel/drivers/virtio/virtio_ring.ko");
	assert_string_equal(m.path[1], "kernel/drivers/virtio/virtio.ko");
	assert_string_equal(m.path[2], "kernel/fs/fuse/fuse.ko");
	assert_string_equal(m.path[3], "kernel/fs/fuse/virtiofs.ko");
	assert_string_equal(m.path[4], "kernel/drivers/virtio/virtio_mmio.ko");
	assert_int_equal(modules_add(&m, "overlay", dep, "kernel/fs/overlayfs/overlay.ko\n", &e),
			 0);
	assert_int_equal(m.n, 5);
	assert_int_equal(modules_add(&m, "over", dep, "kernel/fs/overlayfs/overlay.ko\n", &e),
			 -ENOENT);
	assert_int_equal(modules_add(&m, "fuse", NULL, NULL, &e), -ENOENT);
	assert_int_equal(modules_add(&m, "packed", dep, NULL, &e), -EOPNOTSUPP);
	assert_int_equal(modules_add(&m, "outside", dep, NULL, &e), -EPROTO);
	assert_int_equal(m.n, 5);
	modules_release(&m);
	assert_null(m.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
