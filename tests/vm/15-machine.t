#!/bin/bash
# timeout: 120
# 15-machine.t - isle-vmm run with tests/guest/flat, a guest without a kernel, which runs on
# any /dev/kvm, also on one without hardware virtualization: boot, devices, every way to end.
# Debian's kernel on a real KVM is tests/rig/kvm.t's.
set -u
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 2
: "${ISLE_BUILD:=$PWD/build/main}"
: "${VMM:=$ISLE_BUILD/src/cli/vmm/isle-vmm}"
flat=$ISLE_BUILD/tests/guest/flat

if ! { : <>/dev/kvm; } 2>/dev/null; then
	case ,${ISLE_REQUIRE-}, in
	*,kvm,*) echo "Bail out! needs /dev/kvm (kvm), and ISLE_REQUIRE names kvm"; exit 2 ;;
	esac
	echo "1..0 # SKIP needs /dev/kvm (kvm)"
	exit 0
fi
for f in "$VMM" "$flat"; do
	[ -x "$f" ] || { echo "Bail out! no $f"; exit 2; }
done
tmp=$(mktemp -d "${TMPDIR:-/tmp}/isle-machine.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' INT TERM HUP

n=0 bad=0
# result STATUS WHAT: one line of TAP, and what was seen if it failed.
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
		return
	fi
	bad=1
	echo "not ok $n - $2"
	{ echo "status $status"; head -c 2000 "$tmp/out"; head -c 3000 "$tmp/err"; } | sed 's/^/# /'
}

# vm WORD [OPTION...]: the flat guest does WORD; sets status, $tmp/out and $tmp/err.
vm() {
	timeout -k 5 40 "$VMM" run --kernel "$flat" --cmdline "$1" --memory 32 "${@:2}" \
		>"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
}
# ended STATUS: with that, and nothing in its output is "not ok".
ended() { [ "$status" = "$1" ] && ! grep -q 'not ok' "$tmp/out"; }
says() { grep -q -- "$1" "$tmp/err"; }

vm check
ended 0 && grep -qx 'ok acpi' "$tmp/out" && grep -qx 'ok virtio' "$tmp/out"
result $? "a guest finds its tables and a device, and powers off"

vm check --cpus 4
ended 0 && grep -qx 'ok virtio' "$tmp/out"
result $? "with four vCPUs, three of which are never woken"

vm check --memory 5000
ended 0 && grep -qx 'ok acpi' "$tmp/out"
result $? "with memory on both sides of the hole"

vm reset
ended 0 && [ ! -s "$tmp/err" ]
result $? "restart"

vm panic
ended 3 && says 'panicked: flat'
result $? "panic, with the reason that the console gave"

vm triple
# AMD's hardware leaves nothing defined after it, so KVM resets the vCPU (APM 2, 15.14.3).
ended 4 && says 'triple fault' && { says 'code: 0f 0b' || says 'rip fff0 '; }
result $? "triple fault: registers and the instruction"

vm memory
ended 4 && says 'read of 4 bytes at 0xd8000000'
result $? "a read where nothing is"

vm flood
ended 0 && [ "$(wc -c <"$tmp/out")" = 72000 ]
result $? "every byte of a flooded console arrives"

timeout 40 "$VMM" run --kernel "$flat" --cmdline flood --memory 32 2>"$tmp/err" | :
status=${PIPESTATUS[0]} && [ "$status" = 0 ]
result $? "or is dropped when nobody reads any more"

# stop_when CONDITION...: SIGTERM to the machine in the background, $pid, when that is true.
stop_when() {
	for _ in $(seq 300); do
		"$@" && break
		sleep 0.1
	done
	# To the machine itself, not to the watch over it.
	kill -TERM "$(tr -d ' ' <"/proc/$pid/task/$pid/children")"
	wait "$pid"
	status=$?
}

timeout -s KILL 60 "$VMM" run --kernel "$flat" --cmdline hang --memory 32 \
	>"$tmp/out" 2>"$tmp/err" </dev/null &
pid=$!
stop_when grep -q hangs "$tmp/out"
[ "$status" = 143 ]
result $? "a guest that hangs is ended by SIGTERM"

mkfifo "$tmp/fifo"
exec 7<>"$tmp/fifo"
timeout -s KILL 60 "$VMM" run --kernel "$flat" --cmdline flood --memory 32 \
	>"$tmp/fifo" 2>"$tmp/err" </dev/null &
pid=$!
# Its vCPU waits for the pipe, which nobody reads, in poll(2) or write(2).
stuck() {
	local t
	for t in /proc/"$(tr -d ' ' <"/proc/$pid/task/$pid/children")"/task/*; do
		! grep -qs '^vcpu' "$t/comm" || grep -qs 'poll\|pipe_write' "$t/wchan" && return
	done
	return 1
}
stop_when stuck
[ "$status" = 143 ]
result $? "and so is one that floods a console nobody reads"
exec 7<&-

vm check --memory 16
[ "$status" = 1 ] && says 'has 32 at least'
result $? "too little memory is refused"

vm check --cpus 1000
[ "$status" = 1 ] && says 'a machine has 1 to 64'
result $? "too many vCPUs are refused"

vm "$(printf '%3000s')"
[ "$status" = 1 ] && says 'command line is longer'
result $? "a command line that is too long is refused"

head -c 5000 "$flat" >"$tmp/cut"
vm check --kernel "$tmp/cut"
[ "$status" = 1 ] && says 'in the middle'
result $? "a kernel that was cut is refused"

vm check --kernel /dev/null
[ "$status" = 1 ] && says 'kernel: '
result $? "a kernel that is no file is refused"

vm check --kernel "$VMM"
[ "$status" = 1 ] && says 'without a PVH entry\|memory'
result $? "a program that is no kernel is refused"

echo "1..$n"
exit $bad
