#!/bin/bash
# The main cases again where openat2(2) is refused, as by old kernels and old seccomp
# profiles: paths are then walked by hand, and must be as safe.
. "${0%/*}/../lib/tap.sh"

t_openat2_is_really_refused() {
	# 437 is openat2 on every architecture.
	is "$("$TAP_TOOLS/noopenat2" "$TAP_TOOLS/probe" syscall 437)" 38
}

tap_more() {
	local f
	have_isle || return 0
	export ISLE_RACES=${ISLE_RACES:-15}
	export RUNTIME_WRAP=$TAP_TOOLS/noopenat2
	tap_relay "$TESTS_LIB/../cli/20-create.t" "no openat2" created_then root_path missing_root program
	tap_relay "$TESTS_LIB/../cli/23-exec.t" "no openat2" output_and_status cwd user_namespace
	tap_relay "$TESTS_LIB/../cli/40-mounts.t" "no openat2"
	tap_relay "$TESTS_LIB/../cli/41-rootfs.t" "no openat2"
	tap_relay "$TESTS_LIB/../cli/80-security.t" "no openat2" symlink race mount mask console pts sysctl tmpcopyup passwd cwd device
}

tap_main "$@"
