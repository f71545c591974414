#!/bin/bash
# timeout: 120
# 12-agent.t - isle-agent as the first process of a Debian kernel: what it finds and makes there.
# Its dealings with the host are the unit's (test_guest_agent) and those of "isle run --vm".
#
# A shell is started first, leaves a process behind to look around, and becomes the agent.
# Software emulation only: needs neither KVM nor a network.
set -u
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 2
: "${ISLE_BUILD:=$PWD/build/main}"
agent=$ISLE_BUILD/guest/agent/isle-agent
peer=$ISLE_BUILD/tests/guest/agent_peer
rig=$ISLE_BUILD/rig
modules="virtio_ring virtio virtio_mmio fuse virtiofs overlay vsock
	vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport vsock_loopback"

why=
for p in qemu-system-x86_64 busybox cpio; do
	command -v "$p" >/dev/null || why="needs $p (vm)"
done
if [ -n "$why" ]; then
	case ,${ISLE_REQUIRE-}, in
	*,vm,*) echo "Bail out! $why, and ISLE_REQUIRE names vm"; exit 2 ;;
	esac
	echo "1..0 # SKIP $why"
	exit 0
fi
for f in "$agent" "$peer"; do
	[ -x "$f" ] || { echo "Bail out! no $f"; exit 2; }
done
tests/rig/kernel "$rig" || { echo "Bail out! no guest kernel"; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

n=0 bad=0
# result STATUS WHAT: one line of TAP.
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		bad=1
		echo "not ok $n - $2"
	fi
}

# --- what the guest does ------------------------------------------------------

r=$tmp/initrd.d
mkdir -p "$r"/{bin,etc/isle,modules,own}
cp "$(command -v busybox)" "$r/bin/busybox"
cp "$peer" "$agent" "$r/bin/"
ln -s busybox "$r/bin/sh"
for m in $modules; do
	cp "$(find "$rig/modules" -name "$m.ko" | head -n 1)" "$r/modules/" || exit 2
	echo "/modules/$m.ko" >>"$r/etc/isle/modules"
done
echo /modules/missing.ko >>"$r/etc/isle/modules"
# The agent puts a root above this one, which so keeps looking as it did.
cat >"$r/init" <<'END'
#!/bin/sh
bb=/bin/busybox
# What a shell gives a process in the background for its input.
$bb mknod /dev/null c 1 3
look() {
	exec >/dev/console 2>&1
	/bin/agent_peer | $bb sed 's/^/@ peer /'
	$bb mount -t proc proc /own
	root=/own/1/root
	$bb awk '{ print "@ mount", $2, $3, $4 }' $root/proc/mounts
	$bb awk '{ print "@ module", $1 }' /own/modules
	$bb sed 's/^/@ cgroup /' $root/sys/fs/cgroup/cgroup.controllers
	$bb awk '/^Max open files/ { print "@ files", $4, $5 }' /own/1/limits
	$bb ifconfig lo | $bb sed -n 's/^ *UP/@ lo UP/p'
	$bb ls $root/modules | $bb sed 's/^/@ kept /'
	$bb ls -ld $root/run/isle | $bb sed 's/^/@ dir /'
	$bb readlink /own/1/exe | $bb sed 's/^/@ first /'
	# A process that lost its parent is the agent's to reap.
	(/bin/sh -c "$bb sleep 0.2 & echo @ orphan \$!" )
	$bb sleep 1
	$bb awk '$1 == "State:" && $2 == "Z" { print "@ zombie" }' /own/[0-9]*/status
	echo "@ end"
	$bb poweroff -f
}
look &
exec /bin/isle-agent
END
chmod 755 "$r/init"
(cd "$r" && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >"$tmp/initrd"

timeout -k 5 100 qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
	-M microvm -accel tcg -cpu max -smp 1 -m 256 \
	-kernel "$rig/vmlinuz" -initrd "$tmp/initrd" -append "console=ttyS0 quiet loglevel=4 \
panic=-1 oops=panic mitigations=off audit=0 random.trust_cpu=on no_timer_check \
tsc_early_khz=1000000 rdinit=/init some.parameter=1 words" \
	-serial "file:$tmp/console" >"$tmp/qemu.log" 2>&1
result $? "the guest ran to its end"

# --- what came of it ----------------------------------------------------------

tr -d '\r' <"$tmp/console" >"$tmp/said"
said() { grep -qE "^@ $1\$" "$tmp/said"; }

while read -r at type; do
	said "mount $at $type [^ ]+"
	result $? "$type is mounted at $at"
done <<'END'
/ (rootfs|tmpfs|ramfs)
/dev devtmpfs
/proc proc
/sys sysfs
/run tmpfs
/dev/pts devpts
/dev/shm tmpfs
/sys/fs/cgroup cgroup2
END
said "mount /sys/fs/cgroup cgroup2 [^ ]*nsdelegate.*"
result $? "a group cannot raise its own limits"
missing=
for m in $modules; do
	said "module $m" || missing+=" $m"
done
[ -z "$missing" ]
result $? "the modules are loaded$missing"
! grep -q "^@ kept" "$tmp/said"
result $? "no loaded module is kept in memory as a file"
grep -q "isle-agent: warning: open module /modules/missing.ko: no such file or directory" "$tmp/said"
result $? "a module that is missing is told, and is not the end"
said "cgroup .*memory.*pids.*"
result $? "the controllers are there"
said "files 1024 524288"
result $? "programs may have many files open"
said "lo UP .*"
result $? "the loopback device is up"
said "dir drwx------ .*"
result $? "what the agent keeps is root's alone"
said "first /bin/isle-agent"
result $? "the agent is the first process"
said "peer refused"
result $? "it listens, and takes no orders from the guest"
said "orphan [0-9]+" && said end && ! said zombie
result $? "orphans are reaped"

if [ "$bad" = 1 ]; then
	echo "# the console and QEMU said:"
	tail -n 60 "$tmp/said" | sed 's/^/# /'
	sed 's/^/# /' "$tmp/qemu.log"
fi
echo "1..$n"
exit "$bad"
