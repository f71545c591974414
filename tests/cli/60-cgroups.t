#!/bin/bash
# cgroupsPath and resources: what is written, and that limits bite.
. "${0%/*}/../lib/tap.sh"

t_path_absolute() {
	need cgroup1
	up
	like "$(cat "/proc/$PID/cgroup")" ":memory:$CGROUP/$ID"
	like "$(cat "/proc/$PID/cgroup")" ":pids:$CGROUP/$ID"
}

t_unified_tree_of_a_hybrid_host_too() {
	need isle cgroup1 cgroupfs
	[ -e /sys/fs/cgroup/unified/cgroup.procs ] || { echo "no cgroup2 beside v1" >"$TAP_SKIP"; exit 77; }
	up
	like "$(cat "/proc/$PID/cgroup")" "0::$CGROUP/$ID\$"
	in_it cat /proc/self/cgroup
	like "$out" "0::$CGROUP/$ID"
	rt delete -f "$ID"
	[ ! -e "/sys/fs/cgroup/unified$CGROUP/$ID" ] || fail "the group is left"
}

t_path_absolute_v2() {
	need cgroup2 cgroupfs
	up
	like "$(cat "/proc/$PID/cgroup")" "0::$CGROUP/$ID"
}

t_path_relative() {
	need cgroup cgroupfs
	up '.linux.cgroupsPath = ($cgroup | ltrimstr("/"))'
	like "$(cat "/proc/$PID/cgroup")" "$CGROUP/$ID"
}

t_path_with_dotdot_stays_below() {
	need cgroup cgroupfs
	inside '.linux.cgroupsPath = "/../../.." + $cgroup' 'cat /proc/self/cgroup'
	hasnt "$out" "/.."
}

t_path_absent_has_the_id_in_it() {
	need cgroup
	bundle 'del(.linux.cgroupsPath) | .process.args = ["sleep", "1000"]'
	jq 'del(.linux.cgroupsPath)' "$B/config.json" >c && mv c "$B/config.json"
	rt run -d --bundle "$B" --pid-file p "$ID" >/dev/null 2>&1 </dev/null
	like "$(cat "/proc/$(cat p)/cgroup")" "$ID"
	good rt delete --force "$ID"
	is "$(find /sys/fs/cgroup -name "*$ID*" | wc -l)" 0
}

t_two_containers_may_not_share_a_group() {
	need cgroup cgroupfs
	differs crun runc "1.1 and 1.8 allow it"
	up
	local g=$CGROUP/$ID
	bundle '.linux.cgroupsPath = $g' --arg g "$g"
	bad "container's cgroup is not empty" rt run --bundle "$B" "$ID"
	# Nor does undoing the refused one touch the first.
	kill -0 "$PID"
	bad "container's cgroup is not empty" rt create --bundle "$B" "$ID"
}

t_affinity_of_the_caller_is_not_the_containers() {
	need cpus2
	differs runc crun "1.1 and 1.8 keep it"
	local all
	all=$(grep ^Cpus_allowed_list: /proc/self/status)
	bundle '.process.args = ["grep", "^Cpus_allowed_list:", "/proc/self/status"]'
	RT_AS='taskset -c 0' good rt run --bundle "$B" "$ID"
	is "$out" "$all"
	up
	RT_AS='taskset -c 0' in_it grep ^Cpus_allowed_list: /proc/self/status
	is "$out" "$all"
}

t_all_pids_are_in_the_group_before_the_program_runs() {
	need cgroup1
	inside_ok 'ns("cgroup")' 'cat /proc/self/cgroup'
	is "$(grep -v "$CGROUP/$ID" <<<"$out" | grep -v '^0::\|hugetlb' || true)" ""
}

t_memory_values() {
	need cgroup1
	up '.linux.resources.memory = {limit: 67108864, reservation: 33554432, swappiness: 20, disableOOMKiller: true}'
	is "$(cg memory memory.limit_in_bytes x)" 67108864
	is "$(cg memory memory.soft_limit_in_bytes x)" 33554432
	is "$(cg memory memory.swappiness x)" 20
	like "$(cg memory memory.oom_control x)" 'oom_kill_disable 1'
	differs crun "no check"
	inside_bad "" '.linux.resources.memory = {swappiness: 2000}'
}

t_memory_hog_is_killed() {
	need cgroup
	inside '.linux.resources.memory = {limit: 33554432, swap: 33554432} | .process.args = ["probe", "hog", "200"]' ''
	is $rc 137
	hasnt "$out" "had it all"
}

t_memory_limit_of_1_megabyte_starts() {
	need cgroup isle
	inside_ok '.linux.resources.memory = {limit: 1048576} | .process.args = ["probe", "fds"]' ''
	is "$out" "0 1 2"
}

t_memory_minus_1_is_no_limit() {
	need cgroup
	inside_ok '.linux.resources.memory = {limit: -1, swap: -1}' 'echo ok'
}

t_fork_bomb_stops() {
	need cgroup
	inside_ok '.linux.resources.pids.limit = 10 | .process.args = ["probe", "forks", "100"]' ''
	[ "$out" -ge 5 ] && [ "$out" -le 9 ] || fail "forks: $out"
}

t_pids_without_limit() {
	need cgroup
	up '.linux.resources.pids.limit = -1'
	is "$(cg pids pids.max pids.max)" max
}

t_cpu_values() {
	need cgroup1
	up '.linux.resources.cpu = {shares: 512, quota: 40000, period: 80000, cpus: "0", mems: "0"}'
	is "$(cg cpu cpu.shares x)" 512
	is "$(cg cpu cpu.cfs_quota_us x)" 40000
	is "$(cg cpu cpu.cfs_period_us x)" 80000
	is "$(cg cpuset cpuset.cpus x)" 0
	is "$(cg cpuset cpuset.mems x)" 0
	is "$(status_field Cpus_allowed_list <"/proc/$PID/status")" 0
}

t_cpu_values_of_v2() {
	need cgroup2
	up '.linux.resources.cpu = {shares: 512, quota: 40000, period: 80000, cpus: "0", mems: "0"}'
	is "$(cg x x cpu.max)" "40000 80000"
	is "$(cg x x cpuset.cpus)" 0
	[ "$(cg x x cpu.weight)" -lt 100 ]
}

t_cpu_burst_and_idle() {
	need cgroup1 isle
	up '.linux.resources.cpu = {quota: 40000, period: 80000, burst: 10000}'
	is "$(cg cpu cpu.cfs_burst_us x)" 10000
	up '.linux.resources.cpu = {idle: 1}'
	is "$(cg cpu cpu.idle x)" 1
}

t_cpu_quota_throttles() {
	need cgroup
	up '.linux.resources.cpu = {quota: 5000, period: 50000}'
	in_it probe burn 30
	local n
	n=$(sed -n 's/^nr_throttled //p' "$(cgfile cpu cpu.stat cpu.stat)")
	[ "$n" -ge 1 ] || fail "throttled $n times"
}

t_cpu_wrong_is_refused() {
	need cgroup
	inside_bad "" '.linux.resources.cpu = {cpus: "99999"}'
	inside_bad "" '.linux.resources.cpu = {quota: 1, period: 100000}'
	is "$(tap_groups | grep "$ID" || true)" "" "groups left"
}

t_devices_denied_by_default() {
	need root cgroup
	inside_ok 'caps(["CAP_MKNOD"]) | .linux.resources.devices = [{allow: false, access: "rwm"}]' \
		'probe open /dev/null rw; probe open /dev/zero r; mknod /tmp/mem c 1 1 && probe open /tmp/mem r; :'
	is "$(head -n 2 <<<"$out")" "0
0"
	isnt "$(sed -n 3p <<<"$out")" 0
}

t_devices_allowed() {
	need root cgroup
	inside_ok 'caps(["CAP_MKNOD"]) | .linux.resources.devices = [{allow: false, access: "rwm"},
		{allow: true, type: "c", major: 10, minor: 229, access: "rw"}, {allow: true, type: "c", major: 1, minor: 11, access: "r"}]
		| .linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438}, {path: "/dev/kmsg", type: "c", major: 1, minor: 11, fileMode: 438}]' \
		'probe open /dev/fuse rw; probe open /dev/kmsg w; probe open /dev/kmsg r'
	is "$(head -n 1 <<<"$out")" 0
	is "$(sed -n 2p <<<"$out")" 1
}

t_devices_last_rule_wins() {
	need root cgroup
	inside_ok '.linux.resources.devices = [{allow: true, access: "rwm"}, {allow: false, type: "c", major: 10, minor: 229, access: "rwm"}]
		| .linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438}]' 'probe open /dev/fuse rw'
	is "$out" 1
}

t_devices_wildcards() {
	need root cgroup
	inside_ok '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 10, access: "rwm"}]
		| .linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438}]' 'probe open /dev/fuse rw'
	is "$out" 0
}

t_blkio_weight() {
	need cgroup1
	[ -e /sys/fs/cgroup/blkio/blkio.weight ] || [ -e /sys/fs/cgroup/blkio/blkio.bfq.weight ] || need blkio-weight
	inside_ok '.linux.resources.blockIO = {weight: 500}' 'echo ok'
}
have_blkio-weight() { false; }

t_blkio_throttle() {
	need cgroup1
	local d
	d=$(stat -c '%Hd %Ld' / 2>/dev/null || echo 254 0)
	d=$(lsblk -dno MAJ:MIN 2>/dev/null | head -n 1 | tr -d ' ')
	[ -n "$d" ] || need block-device
	up '.linux.resources.blockIO = {throttleReadBpsDevice: [{major: ($d | split(":")[0] | tonumber), minor: ($d | split(":")[1] | tonumber), rate: 1048576}]}' --arg d "$d"
	has "$(cg blkio blkio.throttle.read_bps_device x)" "$d 1048576"
}
have_block-device() { false; }

t_hugepages() {
	need cgroup hugetlb1
	inside_ok '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 4194304}]' 'echo ok'
}

t_unified_on_v1_is_refused() {
	need cgroup1
	inside_bad "" '.linux.resources.unified = {"memory.max": "1000000"}'
}

t_unified_on_v2() {
	need cgroup2
	up '.linux.resources.unified = {"memory.max": "33554432", "pids.max": "9"}'
	is "$(cg x x memory.max)" 33554432
	is "$(cg x x pids.max)" 9
	inside_bad "" '.linux.resources.unified = {"no.such": "1"}'
	inside_bad "" '.linux.resources.unified = {"../cgroup.procs": "1"}'
}

t_group_is_gone_after_run() {
	need cgroup
	inside_ok . true
	is "$(tap_groups | grep "$ID" || true)" ""
}

t_subgroups_made_inside_are_removed_too() {
	need cgroup1
	inside_ok 'newns("cgroup") | (.mounts[] | select(.type == "cgroup")).options = ["rw"]' 'mkdir -p /sys/fs/cgroup/memory/a/b /sys/fs/cgroup/pids/c'
	is "$(tap_groups | grep "$ID" || true)" ""
}

t_a_failed_create_leaves_no_group() {
	need cgroup
	inside_bad "" '.process.args = ["nosuch"]'
	is "$(tap_groups | grep "$ID" || true)" ""
}

tap_main "$@"
