#!/bin/bash
# timeout: 240
# 10-fs.t - virtio-fs beside QEMU: a Debian kernel mounts directories that isle-vmm serves by
# vhost-user.  tests/guest/posix runs there and here; a Debian tree is unpacked there and
# compared with the same unpacked here.
#
# Software emulation only: needs neither KVM nor a network.  One CPU: a second one of TCG takes
# three times as long, for each reply then crosses from one to the other.
set -u
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 2
: "${ISLE_BUILD:=$PWD/build/main}"
: "${VMM:=$ISLE_BUILD/src/cli/vmm/isle-vmm}"
posix=$ISLE_BUILD/tests/guest/posix
rig=$ISLE_BUILD/rig
modules="virtio_ring virtio virtio_mmio fuse virtiofs"

why=
[ "$(id -u)" = 0 ] || why="needs root (vm): files of several users are made"
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
for f in "$VMM" "$posix"; do
	[ -x "$f" ] || { echo "Bail out! no $f"; exit 2; }
done
tests/rig/kernel "$rig" || { echo "Bail out! no guest kernel"; exit 2; }

# Not a tmpfs, where it can be helped: it has no user xattrs on old kernels.
tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/isle-vm-fs.XXXXXX")
pids=()
cleanup() {
	local p
	for p in "${pids[@]}"; do
		kill "$p" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 2' INT TERM HUP

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

make_initrd() {
	local r=$tmp/initrd.d m
	mkdir -p "$r"/{bin,mod,proc,sys,dev,owned,shared}
	cp "$(command -v busybox)" "$r/bin/busybox"
	cp "$posix" "$r/bin/"
	ln -s busybox "$r/bin/sh"
	for m in $modules; do
		cp "$(find "$rig/modules" -name "$m.ko" | head -n 1)" "$r/mod/" || return 1
		echo "/mod/$m.ko" >>"$r/mod/order"
	done
	cat >"$r/init" <<-'END'
		#!/bin/sh
		export PATH=/bin
		bb=/bin/busybox
		up() { $bb echo "@fs up $($bb cut -d. -f1 /proc/uptime) s"; }
		$bb mount -t proc proc /proc
		$bb mount -t sysfs sysfs /sys
		$bb mount -t devtmpfs dev /dev
		$bb mount -o remount,rw / 2>/dev/null
		while read -r m; do $bb insmod "$m"; done </mod/order
		for tag in owned shared; do
			$bb mount -t virtiofs $tag /$tag || echo "@fs no mount of $tag"
		done
		up
		(posix /shared/posix >/shared/results; echo "@fs shared $?"; up ) &
		posix /owned/posix >/owned/results; echo "@fs owned $?"; up
		$bb tar xf /owned/tree.tar -C /owned/tree; echo "@fs tar $?"; up
		wait
		$bb umount /owned; echo "@fs umount $?"
		$bb umount /shared
		up
		$bb poweroff -f
	END
	chmod 755 "$r/init"
	(cd "$r" && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >"$tmp/initrd"
}

# A Debian-like tree: programs, libraries, links of both kinds, a set-id bit here and there.
make_tree() {
	mkdir "$tmp/owned/tree" "$tmp/here"
	# What packages call /bin is /usr/bin where the two are merged.
	dpkg -L base-files bash coreutils dash passwd tzdata util-linux 2>/dev/null |
		sed -E 's#^/(bin|sbin|lib)/#/usr/\1/#' | LC_ALL=C sort -u |
		tar --create --file "$tmp/owned/tree.tar" --directory / --no-recursion \
			--ignore-failed-read --files-from - 2>/dev/null
	tar --extract --file "$tmp/owned/tree.tar" --directory "$tmp/here"
}

# serve NAME OPTION...: a directory by a device process of its own.
serve() {
	local name=$1
	shift
	"$VMM" device fs --socket "$tmp/$name.sock" --shared-dir "$tmp/$name" --tag "$name" "$@" \
		2>"$tmp/$name.log" &
	pids+=($!)
	for _ in $(seq 200); do
		[ -S "$tmp/$name.sock" ] && return
		sleep 0.05
	done
	sed 's/^/# /' "$tmp/$name.log"
	echo "Bail out! the device did not start"
	exit 2
}

mkdir -p "$tmp"/{owned,shared}/posix "$tmp/posix"
make_initrd || { echo "Bail out! no initramfs"; exit 2; }
make_tree
serve owned --cache always
serve shared --cache none --writeback
timeout -k 5 200 qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
	-M microvm,memory-backend=m -accel tcg -cpu max -smp 1 -m 512 \
	-object memory-backend-memfd,id=m,size=512M,share=on \
	-kernel "$rig/vmlinuz" -initrd "$tmp/initrd" -append "console=ttyS0 quiet loglevel=4 \
panic=-1 oops=panic mitigations=off audit=0 random.trust_cpu=on rdinit=/init" \
	-chardev "socket,id=c0,path=$tmp/owned.sock" \
	-device vhost-user-fs-device,chardev=c0,tag=owned,queue-size=256 \
	-chardev "socket,id=c1,path=$tmp/shared.sock" \
	-device vhost-user-fs-device,chardev=c1,tag=shared \
	-serial "file:$tmp/console" >"$tmp/qemu.log" 2>&1 &
qemu=$!
pids+=("$qemu")
"$posix" "$tmp/posix" >"$tmp/results"
wait "$qemu"
result $? "the guest ran to its end"

# --- what came of it ----------------------------------------------------------

said() { tr -d '\r' <"$tmp/console" | grep -q "^@fs $1"; }

# relay WHERE FILE: its lines, counted on.
relay() {
	local line seen=0
	while IFS= read -r line; do
		case $line in
		"ok "* | "not ok "*)
			seen=$((seen + 1))
			result "$([ "${line%% *}" = ok ]; echo $?)" "$1: ${line#* - }" ;;
		"# "*) echo "$line" ;;
		esac
	done <"$2"
	result "$([ "$(grep -c . "$2")" -gt 0 ] && grep -q "^1\.\.$seen\$" "$2"; echo $?)" \
		"$1: all checks were run"
}

# listing DIR: what tar keeps.  Directories: busybox sets no times of them.
listing() {
	(cd "$1" && find . \( -type d -printf '%p d %m %U:%G\n' \) -o \
		\( -type l -printf '%p l %U:%G %l\n' \) -o \
		-printf '%p %y %m %U:%G %n %s %Ts\n') | LC_ALL=C sort
}

relay "on the host" "$tmp/results"
relay "in the guest that owns the tree" "$tmp/owned/results"
relay "in the guest that shares it" "$tmp/shared/results"
said "tar 0"
result $? "a Debian tree is unpacked in the guest"
listing "$tmp/here" >"$tmp/here.list"
listing "$tmp/owned/tree" >"$tmp/there.list"
[ "$(wc -l <"$tmp/here.list")" -gt 500 ] && diff "$tmp/here.list" "$tmp/there.list" >"$tmp/diff"
result $? "names, types, modes, owners, links, sizes and times are those of the host"
head -n 20 "$tmp/diff" 2>/dev/null | sed 's/^/# /'
diff -r --no-dereference "$tmp/here" "$tmp/owned/tree" >"$tmp/diff" 2>&1
result $? "what the files hold is the same"
head -n 20 "$tmp/diff" | sed 's/^/# /'
said "umount 0"
result $? "the share is unmounted"
for p in 0 1; do
	wait "${pids[$p]}"
	result $? "the device process of share $p ends with its front end"
done
# Its only complaints would be about the front end or the guest.
[ ! -s "$tmp/owned.log" ] && [ ! -s "$tmp/shared.log" ]
result $? "no device complained"
sed 's/^/# /' "$tmp/owned.log" "$tmp/shared.log"
echo "# $(wc -l <"$tmp/here.list") files in the tree; guest $(tr -d '\r' <"$tmp/console" |
	grep '^@fs' | tr '\n' ' ')"
if [ $bad != 0 ]; then
	tail -n 30 "$tmp/console" | tr -d '\r' | sed 's/^/# console: /'
	sed 's/^/# qemu: /' "$tmp/qemu.log"
fi
echo "1..$n"
exit $bad
