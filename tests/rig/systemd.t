#!/bin/bash
# timeout: 900
# systemd.t - the systemd cgroup driver on cgroup v2, with systemd as the guest's PID 1:
# the command line's cases under --systemd-cgroup, and an ordinary user's containers in
# the group that his own systemd delegates to him.
. "$(dirname "$(readlink -f "$0")")/relay"

rig_need qemu-system-x86_64 busybox cpio /usr/lib/qemu/virtiofsd /lib/systemd/systemd \
	/usr/bin/dbus-daemon

if [ $# -gt 0 ]; then
	files=("$@")
else
	mapfile -t files < <(rig_files tests/rig/user tests/cli/60-cgroups.t \
		tests/cli/26-update.t tests/cli/25-pause.t tests/cli/27-events.t \
		tests/cli/21-kill.t:all tests/cli/22-run.t:output tests/cli/23-exec.t:cgroup,output)
	[ -z "${RIG_FULL-}" ] || mapfile -t files < <(rig_files tests/rig/user tests/cli/*.t)
fi
rig_boot "${RIG_TIMEOUT:-700}" --init systemd "${RIG_ENV[@]}" --memory 3072 \
	--env RT_GLOBAL=--systemd-cgroup --env ISLE_REQUIRE=root,cgroup2,cgroup,systemd \
	-- "$RIG/suite" "${files[@]}"
rig_end
