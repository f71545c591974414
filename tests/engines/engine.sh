# tests/engines/engine.sh - what the engine tests share, over tests/lib/tap.sh.
#
# Each file of this folder runs a real engine from Debian's packages with $RUNTIME as its
# runtime.  It happens in a network namespace of its own (bridges, addresses and packet
# filter rules stay there), in tap.sh's mount namespace with a fresh /run (sockets, locks
# and mounts stay there), with every file below $TAP_DIR and every cgroup below $CGROUP.
# Daemons are ended by process id when the file ends.
#
#	RUNTIME=runc tests/engines/docker.t             against another runtime
#	tests/engines/docker.t 'exec' 'exit code'       some of the cases
# shellcheck shell=bash

if [ -z "${ENGINE_NETNS-}" ] && [ "$(id -u)" = 0 ]; then
	export ENGINE_NETNS=1
	exec unshare -n bash "$0" "$@"
fi
# tools/check names the program this way.
if [ -z "${RUNTIME-}" ] && [ -n "${ISLE_RUNTIME-}" ]; then
	RUNTIME=$ISLE_RUNTIME
fi

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lib/tap.sh"

IMAGE=isle.test/busybox:1
DEBIAN=isle.test/debian:1
IMAGES=$TOP/build/engines
DAEMONS=()

# skip_all NAME REASON: the whole file is skipped; a failure where NAME is required.
skip_all() {
	case ,$ISLE_REQUIRE, in
	*,"$1",*) tap_bail "$2, and ISLE_REQUIRE names $1" ;;
	esac
	echo "1..0 # SKIP $2"
	rm -rf "$TAP_DIR"
	exit 0
}

# engine_need PROGRAM...: what must be installed for this file.
engine_need() {
	local p
	have_root || skip_all root "needs root"
	for p; do
		command -v "$p" >/dev/null || skip_all engines "needs $p (engines)"
	done
}

# engine_setup: a fresh /run, loopback up, the images.
engine_setup() {
	mount -t tmpfs -o mode=755 run /run || tap_bail "mount of /run"
	ip link set lo up
	[ "$CGROUP_MODE" = 2 ] || engine_mount_v1
	if [ -w "$TOP/build" ] || [ ! -e "$IMAGES/busybox.tar" ]; then
		"$TOP/tests/engines/image" "$IMAGES" || tap_bail "tests/engines/image failed"
	fi
}

# Engines want every v1 hierarchy that a process is in to be mounted, hugetlb too (crun
# 1.8), and make folders for those that are not.  So they get a set of mounts of their own.
engine_mount_v1() {
	local c
	mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup || tap_bail "mount of /sys/fs/cgroup"
	for c in $({ echo 1:hugetlb:; cat /proc/self/cgroup; } | cut -d: -f2 | sort -u); do
		mkdir "/sys/fs/cgroup/${c#name=}"
		mount -t cgroup -o "$c" "$c" "/sys/fs/cgroup/${c#name=}" ||
			rmdir "/sys/fs/cgroup/${c#name=}"
	done
	mkdir /sys/fs/cgroup/unified
	mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
}

# engine_cgroup: $CGROUP exists in every hierarchy, ready to have groups below it.
engine_cgroup() {
	local d
	if [ "$CGROUP_MODE" = 2 ]; then
		mkdir -p "/sys/fs/cgroup$CGROUP"
		for d in $(cat "/sys/fs/cgroup$CGROUP/cgroup.controllers"); do
			echo "+$d" >"/sys/fs/cgroup$CGROUP/cgroup.subtree_control"
		done
	fi
}

# daemon NAME CMD...: start one; its words go to $TAP_DIR/NAME.log.
daemon() {
	local name=$1
	shift
	"$@" >"$TAP_DIR/$name.log" 2>&1 </dev/null &
	DAEMONS+=($!)
}

# daemon_wait NAME CMD...: until CMD succeeds, 20 s at most.
daemon_wait() {
	local name=$1 i
	shift
	for ((i = 0; i < 400; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	sed 's/^/# /' "$TAP_DIR/$name.log" | tail -n 20
	tap_bail "$name did not start"
}

# engine_end: end the daemons, last started first, then whatever they left.
engine_end() {
	local i p n
	for ((i = ${#DAEMONS[@]} - 1; i >= 0; i--)); do
		p=${DAEMONS[i]}
		kill "$p" 2>/dev/null
		for ((n = 0; n < 200; n++)); do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.05
		done
		kill -9 "$p" 2>/dev/null
	done
	T=$TAP_DIR
	for ((n = 0; n < 5; n++)); do
		p=$(tap_strays)
		[ -n "$p" ] || break
		# shellcheck disable=SC2086
		kill -9 $p 2>/dev/null
		sleep 0.05
	done
	engine_sweep_groups
	# Podman makes one for conmon, whatever it is told; it goes if nobody else is in it.
	find /sys/fs/cgroup/ -depth -type d \( -name libpod_parent -o -path '*/libpod_parent/*' \) \
		-exec rmdir {} \; 2>/dev/null
	awk -v d="$TAP_DIR/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
		while read -r p; do umount -l "$(printf '%b' "$p")" 2>/dev/null; done
}

engine_sweep_groups() {
	local d p n
	for n in 1 2 3; do
		tap_groups | sort -r | while read -r d; do
			[ ! -e "$d/freezer.state" ] || echo THAWED >"$d/freezer.state" 2>/dev/null
			[ ! -e "$d/cgroup.freeze" ] || echo 0 >"$d/cgroup.freeze" 2>/dev/null
			for p in $(cat "$d/cgroup.procs" 2>/dev/null); do
				kill -9 "$p" 2>/dev/null
			done
			rmdir "$d" 2>/dev/null
		done
		[ -n "$(tap_groups)" ] || break
		sleep 0.1
	done
}

# pty CMD...: run it with a pseudo-terminal as its stdin and stdout; sets rc and out,
# with carriage returns taken out.  What is on our own stdin is typed into it.  script
# hands its line to $SHELL; only bash reads everything that bash's %q writes.
pty() {
	rc=0
	out=$(SHELL=/bin/bash script -q -e -c "$(printf '%q ' "$@")" /dev/null 2>&1 |
		tr -d '\r\000') || rc=$?
	echo "+ (pty) $*"
	echo "rc=$rc"
	echo "$out" | sed 's/^/  out: /'
}

# However the file ends, it ends here.
engine_exit() {
	engine_end >/dev/null 2>&1
	[ -n "${ISLE_KEEP-}" ] || rm -rf --one-file-system "$TAP_DIR"
}
trap engine_exit EXIT
tap_exit() { exit $((TAP_FAILED > 0)); }

# The engines make bundles themselves: no template.
tap_template() { :; }

# skip_case REASON
skip_case() {
	echo "$1" >"$TAP_SKIP"
	exit 77
}
