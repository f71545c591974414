#!/bin/bash
# linux.seccomp: actions, arguments, flags, the notify listener.
. "${0%/*}/../lib/tap.sh"

# The numbers are x86_64's.
MKDIR=83 GETPID=39 SOCKET=41 PERSONALITY=135

# filtered RULES SCRIPT: allow but for RULES.
filtered() {
	inside_ok ".linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", architectures: [\"SCMP_ARCH_X86_64\"], syscalls: $1}" "$2"
}
need_x86() { [ "$(uname -m)" = x86_64 ] || need x86_64; }
have_x86_64() { [ "$(uname -m)" = x86_64 ]; }

t_errno_default_is_EPERM() {
	need_x86
	filtered '[{names: ["mkdir"], action: "SCMP_ACT_ERRNO"}]' "probe syscall $MKDIR 0; grep Seccomp: /proc/self/status"
	is "$(head -n 1 <<<"$out")" 1
	like "$out" $'Seccomp:\t2'
}

t_errno_given() {
	need_x86
	filtered '[{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 77}]' "probe syscall $MKDIR 0"
	is "$out" 77
}

t_default_action_errno_with_an_allow_list() {
	need_x86
	inside_ok '.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 88, architectures: ["SCMP_ARCH_X86_64"], syscalls: [{action: "SCMP_ACT_ALLOW",
		names: ["read", "write", "open", "openat", "close", "fstat", "newfstatat", "mmap", "mprotect", "munmap", "brk", "rt_sigaction", "rt_sigprocmask",
		"ioctl", "access", "execve", "exit", "exit_group", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom", "readlink",
		"readlinkat", "futex", "getpid", "writev", "fcntl", "uname", "prctl", "capget", "capset", "setuid", "setgid", "chdir", "getcwd", "dup", "dup2", "dup3", "sendmsg", "recvmsg",
		"close_range", "epoll_ctl", "nanosleep", "sigaltstack", "clone", "wait4", "getppid", "geteuid", "getuid", "getgid", "getegid", "lseek", "stat", "pread64", "faccessat2", "statx", "sendto", "recvfrom", "socket", "connect", "umask", "setgroups", "getdents64", "fstatfs", "tgkill", "gettid", "sched_getaffinity", "epoll_pwait", "epoll_create1", "madvise", "execveat", "pipe2", "fchdir", "keyctl", "sched_yield", "seccomp", "rt_sigreturn", "mincore", "getsid", "setsid", "timer_create", "timer_settime", "timer_delete"]}]}
		| .process.args = ["probe", "syscall", "83", "0"]' ''
	is "$out" 88
}

t_kill_process() {
	need_x86
	inside '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{names: ["personality"], action: "SCMP_ACT_KILL_PROCESS"}]} | .process.args = ["probe", "personality"]' ''
	is $rc 159
}

t_kill_thread_and_kill() {
	need_x86
	local a
	for a in SCMP_ACT_KILL SCMP_ACT_KILL_THREAD; do
		inside '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
			syscalls: [{names: ["personality"], action: $a}]} | .process.args = ["probe", "personality"]' '' --arg a $a
		is $rc 159
	done
}

t_trap() {
	need_x86
	inside '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{names: ["personality"], action: "SCMP_ACT_TRAP"}]} | .process.args = ["probe", "personality"]' ''
	is $rc 159
}

t_log_allows() {
	need_x86
	filtered '[{names: ["personality"], action: "SCMP_ACT_LOG"}]' "probe syscall $PERSONALITY 0xffffffff"
	is "$out" 0
}

t_trace_without_a_tracer_is_ENOSYS() {
	need_x86
	filtered '[{names: ["mkdir"], action: "SCMP_ACT_TRACE", errnoRet: 5}]' "probe syscall $MKDIR 0"
	is "$out" 38
}

t_arguments_with_every_operator() {
	need_x86
	local op yes no
	# The second argument is compared with 100: a value that matches, one that does not.
	while read -r op yes no; do
		filtered "[{names: [\"mkdir\"], action: \"SCMP_ACT_ERRNO\", errnoRet: 55, args: [{index: 1, value: 100, op: \"SCMP_CMP_$op\"}]}]" \
			"probe syscall $MKDIR 0 $yes; probe syscall $MKDIR 0 $no"
		is "$out" "55
14" "$op"
	done <<-E
	EQ 100 101
	NE 99 100
	LT 99 100
	LE 100 101
	GE 100 99
	GT 101 100
	E
	filtered '[{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 55, args: [{index: 1, value: 240, valueTwo: 16, op: "SCMP_CMP_MASKED_EQ"}]}]' \
		"probe syscall $MKDIR 0 0x1f; probe syscall $MKDIR 0 0x2f"
	is "$out" "55
14"
}

t_two_arguments_are_both_needed() {
	need_x86
	filtered '[{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 55, args: [{index: 1, value: 1, op: "SCMP_CMP_EQ"}, {index: 2, value: 2, op: "SCMP_CMP_EQ"}]}]' \
		"probe syscall $MKDIR 0 1 2; probe syscall $MKDIR 0 1 3"
	is "$out" "55
14"
}

t_same_argument_twice_means_either() {
	need_x86
	filtered '[{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 55, args: [{index: 1, value: 1, op: "SCMP_CMP_EQ"}, {index: 1, value: 2, op: "SCMP_CMP_EQ"}]}]' \
		"probe syscall $MKDIR 0 1; probe syscall $MKDIR 0 2; probe syscall $MKDIR 0 3"
	is "$out" "55
55
14"
}

t_64_bit_values() {
	need_x86
	inside '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 55,
		args: [{index: 1, value: 4294967297, op: "SCMP_CMP_EQ"}]}]} | .process.args = ["sh", "-c", $s]' '' --arg s "probe syscall $MKDIR 0 4294967297; probe syscall $MKDIR 0 1"
	is "$out" "55
14"
}

t_unknown_names_are_ignored() {
	inside_ok '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["no_such_call", "mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 55}]}' \
		"probe syscall $MKDIR 0"
	is "$out" 55
}

t_wrong_documents_are_refused() {
	inside_bad "" '.linux.seccomp = {defaultAction: "SCMP_ACT_FOO"}'
	inside_bad "" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_FOO"]}'
	inside_bad "" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_FOO"]}'
	inside_bad "" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_BAR"}]}'
	inside_bad "" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO", args: [{index: 9, value: 1, op: "SCMP_CMP_EQ"}]}]}'
	inside_bad "" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO", args: [{index: 1, value: 1, op: "SCMP_CMP_XX"}]}]}'
}

t_startContainer_hooks_are_under_the_filter() {
	need isle
	inside '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
			syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS"}]}
		| .process.rlimits = [{type: "RLIMIT_CORE", soft: 0, hard: 0}]
		| .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "exec mkdir /tmp/x"]}]' 'echo started'
	[ $rc != 0 ]
	says "error running startContainer hook #0:"
	says "bad system call"
}

t_flags() {
	differs runc "1.1.5 has none"
	local f
	for f in SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW SECCOMP_FILTER_FLAG_TSYNC; do
		[ $ENGINE = runc ] && [ $f = SECCOMP_FILTER_FLAG_TSYNC ] && continue
		inside_ok '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", flags: [$f], syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 55}]}' \
			"probe syscall $MKDIR 0" --arg f $f
		is "$out" 55
	done
}

t_many_architectures() {
	need_x86
	inside_ok '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
		syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 55}]}' "probe syscall $MKDIR 0"
	is "$out" 55
}

t_with_and_without_no_new_privileges() {
	need_x86
	local n
	for n in true false; do
		inside_ok '.process.noNewPrivileges = '$n' | .process.user = {uid: 1000, gid: 1000} | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
			syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 55}]}' "probe syscall $MKDIR 0; grep NoNewPrivs /proc/self/status"
		is "$(head -n 1 <<<"$out")" 55
	done
}

t_is_per_profile_not_from_a_cache_of_another() {
	need_x86
	local e
	for e in 60 61 60; do
		filtered "[{names: [\"mkdir\"], action: \"SCMP_ACT_ERRNO\", errnoRet: $e}]" "probe syscall $MKDIR 0"
		is "$out" $e
	done
}

t_a_torn_cache_is_not_believed() {
	need_x86
	need isle
	local f
	filtered '[{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 60}]' "probe syscall $MKDIR 0"
	is "$out" 60
	find "$T/state" -path '*seccomp*' -type f | while read -r f; do truncate -s 100 "$f"; done
	filtered '[{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 60}]' "probe syscall $MKDIR 0"
	is "$out" 60
	find "$T/state" -path '*seccomp*' -type f | while read -r f; do head -c 5000 /dev/urandom >"$f"; done
	filtered '[{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 60}]' "probe syscall $MKDIR 0"
	is "$out" 60
}

# notified DEFAULT SCRIPT: an agent that answers mkdir with errno 99.
notified() {
	"$TAP_TOOLS/host" agent "$T/agent" 99 >"$T/seen" 2>&1 &
	AGENT=$!
	until_ok test -S "$T/agent"
	bundle 'sh($s) | .annotations = {k: "v"} | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: ($t + "/agent"), listenerMetadata: "meta",
		syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}' --arg t "$T" --arg s "$1"
}

t_notify() {
	need_x86
	differs runc "Debian's libseccomp bindings"
	notified "probe syscall $MKDIR 0"
	good rt run --bundle "$B" "$ID"
	is "$out" 99
	local msg
	msg=$(head -n 1 seen)
	jq -e --arg id "$ID" '.fds == ["seccompFd"] and .metadata == "meta" and .state.id == $id and .state.annotations.k == "v"
		and .pid > 0 and (.ociVersion == "0.2.0")' <<<"$msg" >/dev/null || fail "$msg"
	has "$(cat seen)" "syscall $MKDIR"
}

t_listener_without_a_notified_call() {
	need_x86
	differs runc "1.1 sends nothing"
	notified :
	jq 'del(.linux.seccomp.syscalls)' "$B/config.json" >"$T/c" && cp "$T/c" "$B/config.json"
	good rt run --bundle "$B" "$ID"
	until_ok test -s seen
	jq -e '.fds == ["seccompFd"]' <<<"$(head -n 1 seen)" >/dev/null || fail "$(cat seen)"
}

t_notify_of_exec() {
	need_x86
	differs runc "Debian's libseccomp bindings"
	notified 'sleep 1000'
	good rt run -d --bundle "$B" "$ID"
	kill $AGENT; rm -f "$T/agent"
	"$TAP_TOOLS/host" agent "$T/agent" 98 >"$T/seen2" 2>&1 &
	until_ok test -S "$T/agent"
	in_it probe syscall $MKDIR 0
	is "$out" 98
	jq -e '.pid > 0 and .state.status == "running"' <<<"$(head -n 1 seen2)" >/dev/null
}

t_notify_without_a_listener_path_is_refused() {
	inside_bad "" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}'
}

t_notify_with_a_listener_that_is_not_there() {
	inside_bad "" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/no/agent", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}'
}

t_notify_on_everything_starts() {
	need_x86
	need isle
	"$TAP_TOOLS/host" agent "$T/agent" 0 1000 >"$T/seen" 2>&1 &
	until_ok test -S "$T/agent"
	bundle '.process.args = ["/bin/echo", "hi"] | .linux.seccomp = {defaultAction: "SCMP_ACT_NOTIFY", listenerPath: ($t + "/agent")}' --arg t "$T"
	good timeout 20 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID"
	is "$out" hi
}

tap_main "$@"
