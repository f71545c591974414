#!/bin/bash
# linux.namespaces, uid and gid maps, time offsets, network devices.
. "${0%/*}/../lib/tap.sh"

t_new_namespaces_are_new() {
	local n
	inside_ok 'newns("cgroup")' 'for n in pid mnt ipc uts net cgroup; do echo $n $(readlink /proc/1/ns/$n); done'
	for n in pid mnt ipc uts net cgroup; do
		hasnt "$out" "$n $(readlink /proc/self/ns/$n)"
	done
}

t_namespaces_that_are_absent_are_the_hosts() {
	local n
	for n in ipc uts net; do
		local t=$n
		[ $n != net ] || t=network
		inside_ok 'ns($t) | del(.hostname)' 'readlink /proc/self/ns/'$n --arg t $t
		is "$out" "$(readlink /proc/self/ns/$n)"
	done
}

t_pid_namespace_absent() {
	inside_ok 'ns("pid")' 'readlink /proc/self/ns/pid'
	is "$out" "$(readlink /proc/self/ns/pid)"
}

t_joined_by_path() {
	local n t h
	up 'newns("cgroup")'
	h=$PID
	for n in ipc uts net pid cgroup; do
		t=$n; [ $n != net ] || t=network
		inside_ok 'joinns($t; $p) | del(.hostname)' "readlink /proc/self/ns/$n" --arg t $t --arg p "/proc/$h/ns/$n"
		is "$out" "$(readlink "/proc/$h/ns/$n")" $n
	done
}

t_joined_by_a_bind_mounted_path() {
	need root
	up
	: >ns && mount --bind "/proc/$PID/ns/net" ns
	inside_ok 'joinns("network"; $p)' 'readlink /proc/self/ns/net' --arg p "$T/ns"
	is "$out" "$(readlink "/proc/$PID/ns/net")"
}

t_joined_pid_namespace_is_not_pid_1() {
	up
	inside_ok 'joinns("pid"; $p)' 'echo $$; ls -d /proc/1' --arg p "/proc/$PID/ns/pid"
	isnt "$(head -n 1 <<<"$out")" 1
}

t_joined_mount_namespace_gets_the_root() {
	need root
	unshare --mount sleep 100 &
	local p=$!
	while [ "$(readlink "/proc/$p/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ]; do sleep 0.01; done
	inside_ok 'joinns("mount"; $p)' 'readlink /proc/self/ns/mnt; [ -e "'"$T"'" ] || echo its own root' --arg p "/proc/$p/ns/mnt"
	is "$out" "$(readlink "/proc/$p/ns/mnt")
its own root"
	kill "$p"
}

t_joined_mount_namespace_of_the_host_is_refused() {
	need isle
	inside_bad "is the host's" 'joinns("mount"; "/proc/self/ns/mnt")'
	inside_bad "mount namespace" 'joinns("mount"; "/proc/1/ns/mnt")'
}

t_joined_user_namespace() {
	differs runc "1.1 wants maps too"
	need userns
	up 'map1(100000; 65536)'
	inside_ok 'joinns("user"; $p)' 'readlink /proc/self/ns/user; cat /proc/self/uid_map; id -u' --arg p "/proc/$PID/ns/user"
	has "$out" "$(readlink "/proc/$PID/ns/user")"
	like "$out" '100000 +65536'
}

t_wrong_kind_is_refused() {
	inside_bad "" 'joinns("network"; $p)' 'echo started' --arg p /proc/self/ns/uts
	inside_bad "" 'joinns("ipc"; $p)' 'echo started' --arg p /etc/passwd
}

t_missing_path_is_refused() {
	inside_bad "no such file or directory" 'joinns("network"; "/no/ns")'
}

t_twice_is_refused() {
	inside_bad "" '.linux.namespaces += [{type: "network"}]'
}

t_unknown_kind_is_refused() {
	inside_bad "" '.linux.namespaces += [{type: "moon"}]'
}

t_loopback_is_up() {
	inside_ok . 'ifconfig lo'
	has "$out" 127.0.0.1
	has "$out" UP
}

t_user_namespace_maps() {
	need userns
	inside_ok '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 10}, {containerID: 10, hostID: 200000, size: 5}]
		| .linux.gidMappings = [{containerID: 0, hostID: 300000, size: 20}] | newns("user")' 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g'
	like "$out" '0 +100000 +10'
	like "$out" '10 +200000 +5'
	like "$out" '0 +300000 +20'
	is "$(tail -n 2 <<<"$out")" "0
0"
}

t_user_namespace_owns_the_others() {
	need userns
	inside_ok 'map1(100000; 65536) | .hostname = "mine" | caps(["CAP_SYS_ADMIN", "CAP_NET_ADMIN"])' 'hostname x && hostname; ifconfig lo 127.0.0.2 && echo net'
	like "$out" $'x\nnet'
}

t_user_namespace_files_of_the_host_are_nobodys() {
	need userns
	inside_ok 'map1(100000; 65536)' 'stat -c %u:%g /etc/passwd'
	is "$out" 65534:65534
}

t_user_namespace_devices_work() {
	need userns
	inside_ok 'map1(100000; 65536)' 'echo x >/dev/null && head -c 3 /dev/zero | wc -c; stat -c %t:%T /dev/full'
	is "$out" "3
1:7"
}

t_user_namespace_with_another_user() {
	need userns
	inside_ok 'map1(100000; 65536) | .process.user = {uid: 1000, gid: 1000, additionalGids: [7]}' 'id -u; id -G; grep ^Uid /proc/self/status'
	is "$(head -n 2 <<<"$out")" "1000
1000 7"
}

t_user_namespace_and_exec() {
	need userns
	up 'map1(100000; 65536)'
	in_it id -u
	is "$out" 0
	run rt exec --user 5:6 "$ID" sh -c 'id -u; id -g' </dev/null
	is "$out" "5
6"
	is "$(status_field Uid <"/proc/$PID/status" | cut -f1)" 100000
}

t_user_namespace_without_maps_has_the_callers_ids() {
	differs runc "1.1 refuses it"
	inside_ok 'newns("user")' 'cat /proc/self/uid_map'
	if [ "$(id -u)" = 0 ]; then is "${out//  / }" "$(sed 's/  / /g' /proc/self/uid_map)"; fi
	inside_bad "no gid mappings" 'newns("user")
		| .linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}]'
}

t_maps_without_a_user_namespace_map_nothing() {
	inside_ok '.linux.uidMappings = [{containerID: 0, hostID: 1, size: 1}]' 'cat /proc/self/uid_map'
	is "$out" "$(cat /proc/self/uid_map)"
}

t_user_namespace_id_not_mapped_is_refused() {
	need userns
	inside_bad "" 'map1(100000; 10) | .process.user = {uid: 1000, gid: 1000}'
}

NO_TTY_GROUP='.mounts |= map(.options = (.options // []) - ["gid=5"])'
# The specification does not ask for 0 to be mapped.
t_user_namespace_without_root() {
	need root userns isle
	local f='map1(100000; 1) | .linux.uidMappings[0].containerID = 1000
		| .linux.gidMappings[0].containerID = 1000 | .process.user = {uid: 1000, gid: 1000}
		| '"$NO_TTY_GROUP"
	inside_ok "$f" 'id -u; id -g; touch /dev/shm/x && stat -c %u /dev/shm/x'
	is "$out" $'1000\n1000\n1000'
	up "$f"
	in_it id -u
	is "$rc $out" "0 1000"
}
# Who owns the host's network is above the container's user namespace.
# other_ns KIND PID: it is in another namespace of that kind than we are.
other_ns() { [ "$(readlink "/proc/self/ns/$1")" != "$(readlink "/proc/$2/ns/$1")" ]; }
t_user_namespace_new_and_namespaces_of_the_host_joined() {
	need root userns isle
	unshare --net --ipc --uts sleep 100 &
	local p=$!
	until_ok other_ns net $p
	inside_ok 'map1(100000; 65536) | joinns("network"; $p + "net") | joinns("ipc"; $p + "ipc")
		| joinns("uts"; $p + "uts") | del(.hostname, (.mounts[] | select(.type == "mqueue")))' \
		'for n in net ipc uts; do readlink /proc/self/ns/$n; done; id -u' --arg p "/proc/$p/ns/"
	is "$out" "$(readlink /proc/$p/ns/net /proc/$p/ns/ipc /proc/$p/ns/uts)"$'\n0'
	kill $p
}
t_user_namespace_joined_and_network_of_the_host_joined() {
	need root userns isle
	up 'map1(100000; 65536)'
	unshare --net sleep 100 &
	local p=$!
	until_ok other_ns net $p
	inside_ok 'joinns("user"; $u) | joinns("network"; $n)' 'readlink /proc/self/ns/net; id -u' \
		--arg u "/proc/$PID/ns/user" --arg n "/proc/$p/ns/net"
	is "$out" "$(readlink /proc/$p/ns/net)"$'\n0'
	up 'joinns("user"; $u) | joinns("network"; $n)' --arg u "/proc/$PID/ns/user" --arg n "/proc/$p/ns/net"
	in_it readlink /proc/self/ns/net
	is "$out" "$(readlink /proc/$p/ns/net)" exec
	kill $p
}
t_user_namespace_joined_where_setgroups_is_denied() {
	need root userns isle
	setpriv --clear-groups setpriv --groups 7 unshare --user --map-root-user sleep 100 &
	local p=$!
	until_ok grep -q deny /proc/$p/setgroups
	RT_AS='setpriv --groups 7' inside_ok 'joinns("user"; $p) | '"$NO_TTY_GROUP" 'grep ^Groups: /proc/self/status' --arg p "/proc/$p/ns/user"
	is "${out//[[:space:]]/}" "Groups:"
	inside_bad "groups" 'joinns("user"; $p) | '"$NO_TTY_GROUP"' | .process.user.additionalGids = [5]' true --arg p "/proc/$p/ns/user"
	kill $p
}
t_user_namespace_masks_and_readonly_paths() {
	need userns
	inside_ok 'map1(100000; 65536) | .root.readonly = true' 'wc -c </proc/keys; touch /x 2>/dev/null || echo ro; echo 1 >/proc/sys/kernel/msgmax 2>/dev/null || echo sysro'
	is "$out" "0
ro
sysro"
}

t_time_offsets() {
	need timens isle
	local m0 b0 m b
	read -r m0 b0 < <("$TAP_TOOLS/probe" clocks)
	inside_ok 'newns("time") | .linux.timeOffsets = {monotonic: {secs: 7881, nanosecs: 2718281}, boottime: {secs: 1337}} | .process.args = ["probe", "clocks"]' ''
	read -r m b <<<"$out"
	[ $((m - m0)) -ge 7881 ] && [ $((m - m0)) -le 7920 ] || fail "monotonic $m0 $m"
	[ $((b - b0)) -ge 1337 ] && [ $((b - b0)) -le 1380 ] || fail "boottime $b0 $b"
}

t_time_offsets_negative() {
	need timens isle
	local m0 b0 m b
	read -r m0 b0 < <("$TAP_TOOLS/probe" clocks)
	inside_ok 'newns("time") | .linux.timeOffsets = {boottime: {secs: -5}} | .process.args = ["probe", "clocks"]' ''
	read -r m b <<<"$out"
	[ $((b - b0)) -lt 0 ] || fail "boottime $b0 $b"
}

t_time_offsets_without_the_namespace_are_refused() {
	need isle
	inside_bad "" '.linux.timeOffsets = {monotonic: {secs: 5}}'
}

t_net_devices_are_moved() {
	need ip isle
	ip link add isl$$ type veth peer name isp$$
	ip link set isl$$ address 02:00:00:00:00:07 mtu 1400
	ip addr add 10.99.1.2/24 dev isl$$
	inside_ok '.linux.netDevices = {($d): {}}' "ip -o link show isl$$; ip -o addr show isl$$" --arg d isl$$
	has "$out" "mtu 1400"
	has "$out" "02:00:00:00:00:07"
	has "$out" 10.99.1.2/24
	! ip link show isl$$ 2>/dev/null || fail "still on the host"
}

t_net_devices_are_renamed() {
	need ip isle
	ip link add isr$$ type veth peer name isp$$
	inside_ok '.linux.netDevices = {($d): {name: "eth9"}}' "ip -o link" --arg d isr$$
	has "$out" eth9
	ip link del isr$$ 2>/dev/null || true
}

t_net_devices_missing_or_without_a_namespace_are_refused() {
	need ip isle
	inside_bad "" '.linux.netDevices = {"nosuchdev0": {}}'
	inside_bad "" '.linux.netDevices = {"lo": {}} | ns("network")'
	ip link add isn$$ type veth peer name isp$$
	inside '.linux.netDevices = {($d): {name: "bad/name"}}' 'echo started' --arg d isn$$
	ip link del isn$$ 2>/dev/null || true
	isnt "$rc" 0
}

t_memory_policy() {
	need isle
	inside_ok '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"} | .process.args = ["probe", "mempolicy"]' ''
	is "$out" "2 1"
	inside_ok '.linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "0", flags: ["MPOL_F_STATIC_NODES"]} | .process.args = ["probe", "mempolicy"]' ''
	like "$out" ' 1$'
}

t_memory_policy_wrong_is_refused() {
	need isle
	inside_bad "" '.linux.memoryPolicy = {mode: "MPOL_FOO", nodes: "0"}'
	inside_bad "" '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "x"}'
	inside_bad "" '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_FOO"]}'
}

t_intel_rdt_without_resctrl_says_so() {
	need isle
	[ ! -d /sys/fs/resctrl/schemata ] || return 0
	inside_bad "" '.linux.intelRdt = {closID: "x", l3CacheSchema: "L3:0=f"}'
}

t_without_a_mount_namespace_nothing_is_mounted_on_the_host() {
	need isle mounttree
	local before
	before=$(wc -l </proc/self/mountinfo)
	up 'ns("mount") | del(.linux.maskedPaths, .linux.readonlyPaths)'
	is "$(readlink "/proc/$PID/ns/mnt")" "$(readlink /proc/self/ns/mnt)" "mount namespace"
	is "$(wc -l </proc/self/mountinfo)" "$before" "mounts of the host while it runs"
	in_it sh -c 'readlink /proc/self/ns/mnt; cat /proc/1/comm; ls -d /dev/pts/ptmx /etc/hostname.of.the.host'
	has "$out" "$(readlink /proc/self/ns/mnt)"
	has "$out" sleep
	has "$out" /dev/pts/ptmx
	rt delete -f "$ID"
	is "$(wc -l </proc/self/mountinfo)" "$before" "mounts of the host after it"
}

t_masks_without_a_mount_namespace_are_refused() {
	inside_bad "without a private MNT namespace" 'ns("mount")'
}

tap_main "$@"
