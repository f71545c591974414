/* sys/kvm.c - see kvm.h */
#include "sys/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/fd.h"

int kvm_call(int fd, unsigned long request, void *arg)
{
	int r;

	do
		r = ioctl(fd, request, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int kvm_call_number(int fd, unsigned long request, unsigned long n)
{
	int r;

	do
		r = ioctl(fd, request, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int kvm_open(void)
{
	CLEANUP_FD int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int r = kvm_call_number(fd, KVM_GET_API_VERSION, 0);

	if (r < 0)
		return r;
	return r == KVM_API_VERSION ? take_fd(fd) : -ENOTSUP;
}

int kvm_run(int vcpu)
{
	int r = ioctl(vcpu, KVM_RUN, 0);

	return r < 0 ? -errno : 0;
}

int kvm_create_vcpu(int kvm, int vm, unsigned index, struct kvm_run **ret, size_t *ret_bytes)
{
	int bytes = kvm_call_number(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (bytes < 0)
		return bytes;
	CLEANUP_FD int fd = kvm_call_number(vm, KVM_CREATE_VCPU, index);

	if (fd < 0)
		return fd;
	void *p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	*ret_bytes = (size_t)bytes;
	return take_fd(fd);
}
