#!/bin/bash
# update: limits of a running container.
. "${0%/*}/../lib/tap.sh"

t_pids_limit() {
	need cgroup
	up '.linux.resources.pids.limit = 20'
	is "$(cg pids pids.max pids.max)" 20
	good rt update --pids-limit 10 "$ID"
	is "$(cg pids pids.max pids.max)" 10
	good rt update --pids-limit -1 "$ID"
	is "$(cg pids pids.max pids.max)" max
}

t_memory() {
	need cgroup
	up '.linux.resources.memory = {limit: 33554432, reservation: 25165824}'
	is "$(cg memory memory.limit_in_bytes memory.max)" 33554432
	is "$(cg memory memory.soft_limit_in_bytes memory.low)" 25165824
	good rt update --memory 67108864 "$ID"
	is "$(cg memory memory.limit_in_bytes memory.max)" 67108864
	good rt update --memory 50M "$ID"
	is "$(cg memory memory.limit_in_bytes memory.max)" 52428800
	good rt update --memory-reservation 33554432 "$ID"
	is "$(cg memory memory.soft_limit_in_bytes memory.low)" 33554432
	good rt update --memory -1 "$ID"
	like "$(cg memory memory.limit_in_bytes memory.max)" '^(max|9223372036854771712)$'
}

t_memory_and_swap() {
	need cgroup1 memsw
	up '.linux.resources.memory = {limit: 33554432, swap: 33554432}'
	good rt update --memory 30M --memory-swap 50M "$ID"
	is "$(cg memory memory.memsw.limit_in_bytes x)" 52428800
	# More memory than the old memory+swap: the order of the writes matters.
	good rt update --memory 60M --memory-swap 80M "$ID"
	is "$(cg memory memory.limit_in_bytes x)" 62914560
	is "$(cg memory memory.memsw.limit_in_bytes x)" 83886080
	good rt update --memory 20M --memory-swap 30M "$ID"
	is "$(cg memory memory.memsw.limit_in_bytes x)" 31457280
	good rt update --memory-swap -1 "$ID"
	is "$(cg memory memory.memsw.limit_in_bytes x)" 9223372036854771712
}

t_memory_and_swap_of_v2() {
	need cgroup2
	up '.linux.resources.memory = {limit: 33554432, swap: 33554432}'
	good rt update --memory 30M --memory-swap 50M "$ID"
	is "$(cg x x memory.swap.max)" 20971520
}

t_cpu() {
	need cgroup1
	up '.linux.resources.cpu = {shares: 100, quota: 500000, period: 1000000}'
	is "$(cg cpu cpu.shares x)" 100
	is "$(cg cpu cpu.cfs_quota_us x)" 500000
	good rt update --cpu-period 900000 "$ID"
	is "$(cg cpu cpu.cfs_period_us x)" 900000
	is "$(cg cpu cpu.cfs_quota_us x)" 500000
	good rt update --cpu-quota 600000 "$ID"
	is "$(cg cpu cpu.cfs_quota_us x)" 600000
	good rt update --cpu-share 200 "$ID"
	is "$(cg cpu cpu.shares x)" 200
	good rt update --cpu-quota -1 "$ID"
	is "$(cg cpu cpu.cfs_quota_us x)" -1
	good rt update --cpu-period 100000 --cpu-quota 50000 --cpu-share 300 "$ID"
	is "$(cg cpu cpu.cfs_period_us x)-$(cg cpu cpu.cfs_quota_us x)-$(cg cpu cpu.shares x)" 100000-50000-300
}

t_cpu_of_v2() {
	need cgroup2
	up '.linux.resources.cpu = {shares: 1024, quota: 500000, period: 1000000}'
	is "$(cg x x cpu.max)" "500000 1000000"
	good rt update --cpu-quota 600000 "$ID"
	is "$(cg x x cpu.max)" "600000 1000000"
	good rt update --cpu-quota -1 "$ID"
	like "$(cg x x cpu.max)" '^max '        # systemd takes its default period then
}

t_cpuset() {
	need cgroup cpus2
	up '.linux.resources.cpu = {cpus: "0"}'
	is "$(cg cpuset cpuset.cpus cpuset.cpus)" 0
	good rt update --cpuset-cpus 1 "$ID"
	is "$(cg cpuset cpuset.cpus cpuset.cpus)" 1
	good rt update --cpuset-mems 0 "$ID"
	is "$(cg cpuset cpuset.mems cpuset.mems)" 0
}

t_cpu_idle() {
	need cgroup isle
	[ -e "$(dirname "$(find /sys/fs/cgroup -name cpu.idle | head -n 1)")/cpu.idle" ] || need cpu-idle
	up
	good rt update --cpu-idle 1 "$ID"
	is "$(cg cpu cpu.idle cpu.idle)" 1
}
have_cpu-idle() { false; }

t_cpu_burst() {
	need cgroup1 isle
	up '.linux.resources.cpu = {quota: 50000, period: 100000}'
	good rt update --cpu-burst 20000 "$ID"
	is "$(cg cpu cpu.cfs_burst_us x)" 20000
}

t_resources_from_a_file_and_from_stdin() {
	need cgroup
	up
	echo '{"pids": {"limit": 33}, "memory": {"limit": 44040192}}' >r.json
	good rt update --resources r.json "$ID"
	is "$(cg pids pids.max pids.max)" 33
	is "$(cg memory memory.limit_in_bytes memory.max)" 44040192
	echo '{"pids": {"limit": 34}}' | rt update -r - "$ID"
	is "$(cg pids pids.max pids.max)" 34
	is "$(cg memory memory.limit_in_bytes memory.max)" 44040192 "untouched"
}

t_resources_that_are_wrong() {
	need cgroup
	up
	echo '{"pids": {"limit": "x"}}' >r.json
	bad "" rt update -r r.json "$ID"
	echo '{' >r.json
	bad "" rt update -r r.json "$ID"
	bad "no such file or directory" rt update -r nope.json "$ID"
	bad "" rt update --memory lots "$ID"
	bad "" rt update --pids-limit x "$ID"
}

t_of_a_created_container() {
	need cgroup
	bundle
	rt create --bundle "$B" "$ID"
	good rt update --pids-limit 12 "$ID"
	is "$(cg pids pids.max pids.max)" 12
}

t_of_a_stopped_container_is_refused() {
	need cgroup
	up
	rt kill "$ID" KILL
	wait_status "$ID" stopped
	bad "" rt update --pids-limit 12 "$ID"
}

t_blkio_weight() {
	need cgroup1
	[ -e /sys/fs/cgroup/blkio/blkio.weight ] || [ -e /sys/fs/cgroup/blkio/blkio.bfq.weight ] || need blkio-weight
	up
	good rt update --blkio-weight 500 "$ID"
}
have_blkio-weight() { false; }

t_unified_of_v2() {
	need cgroup2
	up
	echo '{"unified": {"pids.max": "10", "cpu.weight": "16"}}' | rt update -r - "$ID"
	is "$(cg x x pids.max)" 10
	is "$(cg x x cpu.weight)" 16
}

t_keeps_the_device_rules() {
	need cgroup
	up '.linux.resources.devices = [{allow: false, access: "rwm"}]'
	good rt update --pids-limit 10 "$ID"
	in_it probe open /dev/null rw
	is "$out" 0
	in_it sh -c 'mknod /tmp/m c 1 1 2>/dev/null; probe open /tmp/m r'
	isnt "$out" 0
}

tap_main "$@"
