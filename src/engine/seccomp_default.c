/*
 * engine/seccomp_default.c - Docker's default seccomp profile as data, see seccomp_default.h
 *
 * An allow list: what is not named fails with EPERM.  What an instance is given more of by
 * a capability it gets the calls of as well, and clone(2) may make namespaces only with
 * CAP_SYS_ADMIN.  Facts: Docker's "Seccomp security profiles for Docker", the profile of
 * Docker 20.10 (tests/data/docker-seccomp.json is what it sends a runtime by default).
 */
#include "engine/seccomp_default.h"

#include <linux/capability.h>
#include <stdio.h>

#include "base/mem.h"

#if defined(__x86_64__)
#define ARCHITECTURES "[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]"
#define OF_THE_ARCHITECTURE "[\"arch_prctl\",\"modify_ldt\"]"
#elif defined(__aarch64__)
#define ARCHITECTURES "[\"SCMP_ARCH_AARCH64\",\"SCMP_ARCH_ARM\"]"
#define OF_THE_ARCHITECTURE "[\"arm_fadvise64_64\",\"arm_sync_file_range\"," \
	"\"sync_file_range2\",\"breakpoint\",\"cacheflush\",\"set_tls\"]"
#elif defined(__riscv)
#define ARCHITECTURES "[\"SCMP_ARCH_RISCV64\"]"
#define OF_THE_ARCHITECTURE "[\"riscv_flush_icache\"]"
#else
#error "the architecture's own calls: add them here, from the documentation of Docker"
#endif

/* Everyone's. */
static const char allowed[] = "["
	"\"_llseek\",\"_newselect\",\"accept\",\"accept4\",\"access\",\"adjtimex\",\"alarm\","
	"\"bind\",\"brk\",\"capget\",\"capset\",\"chdir\",\"chmod\",\"chown\",\"chown32\","
	"\"clock_adjtime\",\"clock_adjtime64\",\"clock_getres\",\"clock_getres_time64\","
	"\"clock_gettime\",\"clock_gettime64\",\"clock_nanosleep\",\"clock_nanosleep_time64\","
	"\"close\",\"close_range\",\"connect\",\"copy_file_range\",\"creat\",\"dup\",\"dup2\","
	"\"dup3\",\"epoll_create\",\"epoll_create1\",\"epoll_ctl\",\"epoll_ctl_old\","
	"\"epoll_pwait\",\"epoll_pwait2\",\"epoll_wait\",\"epoll_wait_old\",\"eventfd\","
	"\"eventfd2\",\"execve\",\"execveat\",\"exit\",\"exit_group\",\"faccessat\","
	"\"faccessat2\",\"fadvise64\",\"fadvise64_64\",\"fallocate\",\"fanotify_mark\","
	"\"fchdir\",\"fchmod\",\"fchmodat\",\"fchown\",\"fchown32\",\"fchownat\",\"fcntl\","
	"\"fcntl64\",\"fdatasync\",\"fgetxattr\",\"flistxattr\",\"flock\",\"fork\","
	"\"fremovexattr\",\"fsetxattr\",\"fstat\",\"fstat64\",\"fstatat64\",\"fstatfs\","
	"\"fstatfs64\",\"fsync\",\"ftruncate\",\"ftruncate64\",\"futex\",\"futex_time64\","
	"\"futimesat\",\"get_robust_list\",\"get_thread_area\",\"getcpu\",\"getcwd\","
	"\"getdents\",\"getdents64\",\"getegid\",\"getegid32\",\"geteuid\",\"geteuid32\","
	"\"getgid\",\"getgid32\",\"getgroups\",\"getgroups32\",\"getitimer\",\"getpeername\","
	"\"getpgid\",\"getpgrp\",\"getpid\",\"getppid\",\"getpriority\",\"getrandom\","
	"\"getresgid\",\"getresgid32\",\"getresuid\",\"getresuid32\",\"getrlimit\",\"getrusage\","
	"\"getsid\",\"getsockname\",\"getsockopt\",\"gettid\",\"gettimeofday\",\"getuid\","
	"\"getuid32\",\"getxattr\",\"inotify_add_watch\",\"inotify_init\",\"inotify_init1\","
	"\"inotify_rm_watch\",\"io_cancel\",\"io_destroy\",\"io_getevents\",\"io_setup\","
	"\"io_submit\",\"io_uring_enter\",\"io_uring_register\",\"io_uring_setup\",\"ioctl\","
	"\"ioprio_get\",\"ioprio_set\",\"ipc\",\"kill\",\"landlock_add_rule\","
	"\"landlock_create_ruleset\",\"landlock_restrict_self\",\"lchown\",\"lchown32\","
	"\"lgetxattr\",\"link\",\"linkat\",\"listen\",\"listxattr\",\"llistxattr\","
	"\"lremovexattr\",\"lseek\",\"lsetxattr\",\"lstat\",\"lstat64\",\"madvise\","
	"\"membarrier\",\"memfd_create\",\"memfd_secret\",\"mincore\",\"mkdir\",\"mkdirat\","
	"\"mknod\",\"mknodat\",\"mlock\",\"mlock2\",\"mlockall\",\"mmap\",\"mmap2\",\"mprotect\","
	"\"mq_getsetattr\",\"mq_notify\",\"mq_open\",\"mq_timedreceive\","
	"\"mq_timedreceive_time64\",\"mq_timedsend\",\"mq_timedsend_time64\",\"mq_unlink\","
	"\"mremap\",\"msgctl\",\"msgget\",\"msgrcv\",\"msgsnd\",\"msync\",\"munlock\","
	"\"munlockall\",\"munmap\",\"name_to_handle_at\",\"nanosleep\",\"newfstatat\",\"open\","
	"\"openat\",\"openat2\",\"pause\",\"pidfd_getfd\",\"pidfd_open\",\"pidfd_send_signal\","
	"\"pipe\",\"pipe2\",\"pkey_alloc\",\"pkey_free\",\"pkey_mprotect\",\"poll\",\"ppoll\","
	"\"ppoll_time64\",\"prctl\",\"pread64\",\"preadv\",\"preadv2\",\"prlimit64\","
	"\"process_mrelease\",\"pselect6\",\"pselect6_time64\",\"pwrite64\",\"pwritev\","
	"\"pwritev2\",\"read\",\"readahead\",\"readdir\",\"readlink\",\"readlinkat\",\"readv\","
	"\"recv\",\"recvfrom\",\"recvmmsg\",\"recvmmsg_time64\",\"recvmsg\",\"remap_file_pages\","
	"\"removexattr\",\"rename\",\"renameat\",\"renameat2\",\"restart_syscall\",\"rmdir\","
	"\"rseq\",\"rt_sigaction\",\"rt_sigpending\",\"rt_sigprocmask\",\"rt_sigqueueinfo\","
	"\"rt_sigreturn\",\"rt_sigsuspend\",\"rt_sigtimedwait\",\"rt_sigtimedwait_time64\","
	"\"rt_tgsigqueueinfo\",\"sched_get_priority_max\",\"sched_get_priority_min\","
	"\"sched_getaffinity\",\"sched_getattr\",\"sched_getparam\",\"sched_getscheduler\","
	"\"sched_rr_get_interval\",\"sched_rr_get_interval_time64\",\"sched_setaffinity\","
	"\"sched_setattr\",\"sched_setparam\",\"sched_setscheduler\",\"sched_yield\",\"seccomp\","
	"\"select\",\"semctl\",\"semget\",\"semop\",\"semtimedop\",\"semtimedop_time64\","
	"\"send\",\"sendfile\",\"sendfile64\",\"sendmmsg\",\"sendmsg\",\"sendto\","
	"\"set_robust_list\",\"set_thread_area\",\"set_tid_address\",\"setfsgid\",\"setfsgid32\","
	"\"setfsuid\",\"setfsuid32\",\"setgid\",\"setgid32\",\"setgroups\",\"setgroups32\","
	"\"setitimer\",\"setpgid\",\"setpriority\",\"setregid\",\"setregid32\",\"setresgid\","
	"\"setresgid32\",\"setresuid\",\"setresuid32\",\"setreuid\",\"setreuid32\",\"setrlimit\","
	"\"setsid\",\"setsockopt\",\"setuid\",\"setuid32\",\"setxattr\",\"shmat\",\"shmctl\","
	"\"shmdt\",\"shmget\",\"shutdown\",\"sigaction\",\"sigaltstack\",\"signal\",\"signalfd\","
	"\"signalfd4\",\"sigpending\",\"sigprocmask\",\"sigreturn\",\"sigsuspend\",\"socket\","
	"\"socketcall\",\"socketpair\",\"splice\",\"stat\",\"stat64\",\"statfs\",\"statfs64\","
	"\"statx\",\"symlink\",\"symlinkat\",\"sync\",\"sync_file_range\",\"syncfs\",\"syscall\","
	"\"sysinfo\",\"syslog\",\"tee\",\"tgkill\",\"time\",\"timer_create\",\"timer_delete\","
	"\"timer_getoverrun\",\"timer_gettime\",\"timer_gettime64\",\"timer_settime\","
	"\"timer_settime64\",\"timerfd\",\"timerfd_create\",\"timerfd_gettime\","
	"\"timerfd_gettime64\",\"timerfd_settime\",\"timerfd_settime64\",\"times\",\"tkill\","
	"\"truncate\",\"truncate64\",\"ugetrlimit\",\"umask\",\"uname\",\"unlink\",\"unlinkat\","
	"\"utime\",\"utimensat\",\"utimensat_time64\",\"utimes\",\"vfork\",\"wait4\",\"waitid\","
	"\"waitpid\",\"write\",\"writev\"""]";

/* PER_LINUX, PER_LINUX32, the same with UNAME26, and the question (personality(2)). */
static const uint32_t personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

/* What one capability opens more. */
static const struct { int cap; const char *names; } by_capability[] = {
	{ CAP_DAC_READ_SEARCH, "[\"open_by_handle_at\"]" },
	{ CAP_SYS_ADMIN, "[\"bpf\",\"clone\",\"clone3\",\"fanotify_init\",\"fsconfig\","
		"\"fsmount\",\"fsopen\",\"fspick\",\"lookup_dcookie\",\"mount\","
		"\"mount_setattr\",\"move_mount\",\"open_tree\",\"perf_event_open\","
		"\"quotactl\",\"quotactl_fd\",\"setdomainname\",\"sethostname\",\"setns\","
		"\"syslog\",\"umount\",\"umount2\",\"unshare\"]" },
	{ CAP_SYS_BOOT, "[\"reboot\"]" },
	{ CAP_SYS_CHROOT, "[\"chroot\"]" },
	{ CAP_SYS_MODULE, "[\"delete_module\",\"init_module\",\"finit_module\"]" },
	{ CAP_SYS_PACCT, "[\"acct\"]" },
	{ CAP_SYS_PTRACE, "[\"kcmp\",\"process_madvise\"]" },
	{ CAP_SYS_RAWIO, "[\"iopl\",\"ioperm\"]" },
	{ CAP_SYS_TIME, "[\"settimeofday\",\"stime\",\"clock_settime\","
		"\"clock_settime64\"]" },
	{ CAP_SYS_TTY_CONFIG, "[\"vhangup\"]" },
	{ CAP_SYS_NICE, "[\"get_mempolicy\",\"mbind\",\"set_mempolicy\","
		"\"set_mempolicy_home_node\"]" },
	{ CAP_SYSLOG, "[\"syslog\"]" },
	{ CAP_BPF, "[\"bpf\"]" },
	{ CAP_PERFMON, "[\"perf_event_open\"]" },
};

/* All CLONE_NEW* but CLONE_NEWTIME, which clone(2) cannot ask for. */
#define CLONE_NAMESPACES "2114060288"

static void put_rule(struct json_writer *w, const char *names, const char *args)
{
	json_open(w, NULL, '{');
	json_put_raw(w, "names", names);
	json_put_string(w, "action", "SCMP_ACT_ALLOW");
	if (args)
		json_put_raw(w, "args", args);
	json_close(w, '}');
}

/*
 * clone3(2) has its flags behind a pointer, out of a filter's sight: ENOSYS makes libc fall
 * back to clone(2), whose flags are the first argument (the second on s390).
 */
static void put_clone_rules(struct json_writer *w)
{
	put_rule(w, "[\"clone\"]", "[{\"index\":0,\"value\":" CLONE_NAMESPACES
		 ",\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}]");
	json_put_raw(w, NULL, "{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\","
		     "\"errnoRet\":38}");
}

void seccomp_put_default(struct json_writer *w, uint64_t caps)
{
	json_open(w, "seccomp", '{');
	json_put_string(w, "defaultAction", "SCMP_ACT_ERRNO");
	json_put_int(w, "defaultErrnoRet", 1);
	json_put_raw(w, "architectures", ARCHITECTURES);
	json_open(w, "syscalls", '[');
	put_rule(w, allowed, NULL);
	/* Harmless since Linux 4.8 made ptrace unable to step around a filter. */
	put_rule(w, "[\"process_vm_readv\",\"process_vm_writev\",\"ptrace\"]", NULL);
	for (size_t i = 0; i < ARRAY_LEN(personalities); i++) {
		char args[80];

		snprintf(args, sizeof(args), "[{\"index\":0,\"value\":%u,"
			 "\"op\":\"SCMP_CMP_EQ\"}]", personalities[i]);
		put_rule(w, "[\"personality\"]", args);
	}
	put_rule(w, OF_THE_ARCHITECTURE, NULL);
	for (size_t i = 0; i < ARRAY_LEN(by_capability); i++)
		if (caps >> by_capability[i].cap & 1)
			put_rule(w, by_capability[i].names, NULL);
	if (!(caps >> CAP_SYS_ADMIN & 1))
		put_clone_rules(w);
	json_close(w, ']');
	json_close(w, '}');
}
