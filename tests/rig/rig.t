#!/bin/bash
# timeout: 1500
# rig.t - cgroup v2 and a kernel on which CRIU works: the command line's cases, the units
# that need cgroup2, and engines, in a nested Debian guest (tests/rig/run).
#
#	tests/rig/rig.t                         what make check runs
#	tests/rig/rig.t tests/cli/30-*.t        these files only
#	RIG_FULL=1 tests/rig/rig.t              all of tests/cli, and engines on v2 (half an hour)
. "$(dirname "$(readlink -f "$0")")/relay"

rig_need qemu-system-x86_64 busybox cpio /usr/lib/qemu/virtiofsd

if [ $# -gt 0 ]; then
	files=("$@")
else
	# What meets control groups or a kernel with CRIU; the rest is the same on any host.
	mapfile -t files < <(rig_files "$ISLE_BUILD/tests/unit/test_cgroup" \
		tests/cli/60-cgroups.t tests/cli/28-checkpoint.t tests/cli/26-update.t \
		tests/cli/25-pause.t tests/cli/27-events.t tests/cli/21-kill.t:all,pid_namespace \
		tests/cli/23-exec.t:cgroup,output tests/cli/40-mounts.t:cgroup)
	[ -z "${RIG_FULL-}" ] ||
		mapfile -t files < <(rig_files "$ISLE_BUILD/tests/unit/test_cgroup" tests/cli/*.t)
fi
rig_boot "${RIG_TIMEOUT:-700}" "${RIG_ENV[@]}" --memory 3072 \
	--env ISLE_REQUIRE=root,cgroup2,cgroup,criu,timens,userns,overlay \
	-- "$RIG/suite" "${files[@]}"

if [ $# = 0 ] && [ -n "${RIG_FULL-}" ]; then
	"$TOP/tests/engines/image" "$TOP/build/engines"
	rig_boot "${RIG_TIMEOUT:-1400}" "${RIG_ENV[@]}" --memory 3072 --env RIG_JOBS=1 \
		--env RIG_LIMIT=1300 --env ISLE_REQUIRE=root,cgroup2,engines \
		-- "$RIG/suite" tests/rig/engines
fi
rig_end
