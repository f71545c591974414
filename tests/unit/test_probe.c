/* Unit tests of vmm/probe.h: what this host's /dev/kvm can, and that it is remembered. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "vmm/probe.h"

#define CACHE "kvm"

static char dir[] = "/tmp/isle-probe.XXXXXX";
static int dirfd_ = -1;

static int make(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_DIRECTORY | O_CLOEXEC);
	return dirfd_ < 0 ? -1 : 0;
}

static int drop(void **state)
{
	(void)state;
	unlinkat(dirfd_, CACHE, 0);
	fd_close(&dirfd_);
	return rmdir(dir);
}

/* Why /dev/kvm is out of the question for this process, or 0. */
static int device_error(void)
{
	CLEANUP_FD int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

static void test_answer(void **state)
{
	struct vmm_probe p;
	struct err e = { 0 };
	sigset_t before = { 0 }, after = { 0 };

	(void)state;
	sigprocmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(vmm_probe(&p, &e), 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(p.kvm == VMM_KVM_USABLE, p.why[0] == 0);
	assert_int_equal(p.kvm == VMM_KVM_ABSENT, device_error() != 0);
	assert_true(p.ns > 0);
	print_message("# %s: %s (%d us)\n", vmm_kvm_name(p.kvm), p.why, (int)(p.ns / 1000));
	/* The rig's is a real one, and a test there says so. */
	if (getenv("ISLE_KVM"))
		assert_string_equal(vmm_kvm_name(p.kvm), getenv("ISLE_KVM"));
}

static void test_many(void **state)
{
	struct vmm_probe first, p;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(vmm_probe(&first, &e), 0);
	/* Nothing is left behind that the next one would meet: descriptors, timers, signals. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(vmm_probe(&p, &e), 0);
		assert_int_equal(p.kvm, first.kvm);
	}
	CLEANUP_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && fd < 20);
}

static void test_remembered(void **state)
{
	struct vmm_probe p, again;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(vmm_probe_cached(dirfd_, CACHE, &p, &e), 0);
	assert_true(p.ns > 0);
	assert_int_equal(vmm_probe_cached(dirfd_, CACHE, &again, &e), 0);
	assert_int_equal(again.kvm, p.kvm);
	assert_string_equal(again.why, p.why);
	if (p.kvm == VMM_KVM_ABSENT)
		assert_int_equal(faccessat(dirfd_, CACHE, F_OK, 0), -1);
	else
		assert_int_equal(again.ns, 0);
}

/* A file that is not of this boot, or not whole, is not believed. */
static void test_not_believed(void **state)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1024);
	struct vmm_probe p;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(vmm_probe_cached(dirfd_, CACHE, &p, &e), 0);
	if (p.kvm == VMM_KVM_ABSENT)
		skip();
	assert_int_equal(file_read_at(dirfd_, CACHE, &b), 0);
	for (size_t cut = 0; cut + strlen(p.why) + 2 <= b.len; cut++) {
		assert_int_equal(file_replace_at(dirfd_, CACHE, b.data, cut, 0600), 0);
		assert_int_equal(vmm_probe_cached(dirfd_, CACHE, &p, &e), 0);
		if (p.ns == 0)
			fail_msg("believed after %zu of %zu bytes", cut, b.len);
		cut += 7;
	}
	b.data[0] ^= 1;
	assert_int_equal(file_replace_at(dirfd_, CACHE, b.data, b.len, 0600), 0);
	assert_int_equal(vmm_probe_cached(dirfd_, CACHE, &p, &e), 0);
	assert_true(p.ns > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer), cmocka_unit_test(test_many),
		cmocka_unit_test(test_remembered), cmocka_unit_test(test_not_believed),
	};

	return cmocka_run_group_tests_name("probe", tests, make, drop);
}
