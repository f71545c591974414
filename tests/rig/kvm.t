#!/bin/bash
# timeout: 400
# kvm.t - isle-vmm on a real KVM, in the nested machine: the probe, the flat guests, and
# Debian's kernel as bzImage and as ELF file (tests/rig/kvm).
#
#	RIG_KVM=1 tests/rig/kvm.t               about 70 s
#
# Not yet part of make check: of two whole boots one stood still before its first case, with
# the outer machine's kernel silent until the bound.
. "$(dirname "$(readlink -f "$0")")/relay"

[ -n "${RIG_KVM-}" ] || {
	echo "1..0 # SKIP the outer machine stops on some boots (kvm): RIG_KVM=1 runs it"
	exit 0
}
rig_need qemu-system-x86_64 busybox cpio lz4 /usr/lib/qemu/virtiofsd
"$RIG/kernel" "$ISLE_BUILD/rig" || { echo "Bail out! no guest kernel"; exit 2; }

# The ELF file is inside the bzImage, compressed as Debian likes it: boot.rst, payload_offset
# and payload_length, counted from the end of the setup sectors.
vmlinux=$ISLE_BUILD/rig/vmlinux image=$ISLE_BUILD/rig/vmlinuz
if ! [ "$vmlinux" -nt "$image" ]; then
	field() { od -An -v -t "u$2" -j "$1" -N "$2" "$image" | tr -d ' '; }
	at=$((($(field 497 1) + 1) * 512 + $(field 584 4)))
	# What follows the last block is the length, which lz4 takes for a bad block.
	tail -c "+$((at + 1))" "$image" | head -c "$(($(field 588 4) - 4))" |
		lz4 -q -dc >"$vmlinux.new" || { echo "Bail out! no vmlinux in $image"; exit 2; }
	mv "$vmlinux.new" "$vmlinux"
fi

rig_boot "${RIG_TIMEOUT:-300}" "${RIG_ENV[@]}" --nested-kvm --memory 2048 \
	--env ISLE_REQUIRE=root,kvm --env ISLE_KVM=usable --env RIG_JOBS=1 \
	-- "$RIG/suite" "$ISLE_BUILD/tests/unit/test_probe" tests/vm/15-machine.t tests/rig/kvm
rig_end
