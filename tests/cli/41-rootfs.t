#!/bin/bash
# root, rootfsPropagation, maskedPaths, readonlyPaths, devices, symlinks of /dev, sysctl.
. "${0%/*}/../lib/tap.sh"

t_root_readonly() {
	inside_ok '.root.readonly = true' 'touch /x 2>&1; touch /dev/shm/x && echo shm; grep " / / \| / " /proc/self/mountinfo | head -n 1'
	like "$out" 'Read-only file system'
	like "$out" shm
}

t_root_writable() {
	inside_ok '.root.readonly = false' 'echo w >/x && cat /x'
	is "$out" w
	is "$(cat "$B/rootfs/x")" w
}

t_old_root_is_gone() {
	inside_ok . 'cut -d" " -f5 /proc/self/mountinfo | sort | head -n 1; wc -l </proc/self/mountinfo; ls -a / | tr "\n" " "'
	is "$(head -n 1 <<<"$out")" /
	hasnt "$out" pivot
	[ "$(sed -n 2p <<<"$out")" -lt 60 ]
}

t_rootfs_propagation() {
	need root
	local p
	for p in private rprivate slave rslave unbindable runbindable; do
		[ $ENGINE = isle ] || [ "${p#r}" != unbindable ] || continue
		inside_ok '.linux.rootfsPropagation = $p' 'grep " / / \|rootfs / " /proc/self/mountinfo | head -n 1' --arg p $p
		hasnt "$out" shared:
		[ "${p#r}" != unbindable ] || like "$out" unbindable
	done
	for p in shared rshared; do
		inside_ok '.linux.rootfsPropagation = $p' 'grep "rootfs / " /proc/self/mountinfo | head -n 1' --arg p $p
		like "$out" shared:
	done
}

t_rootfs_propagation_unknown_is_refused() {
	inside_bad "" '.linux.rootfsPropagation = "sideways"'
}

t_mounts_of_the_container_do_not_reach_the_host() {
	need root
	mkdir sh && mount -t tmpfs x sh && mount --make-rshared sh
	bundle 'caps(["CAP_SYS_ADMIN"]) | sh("mount -t tmpfs x /tmp; mkdir /v/m; mount -t tmpfs x /v/m") | bind($s; "/v"; ["rbind"])' --arg s "$T/sh"
	run rt run --bundle "$B" "$ID"
	is "$(grep -c "$T/sh/m" /proc/self/mountinfo || true)" 0
}

t_rslave_mounts_of_the_host_arrive() {
	need root
	mkdir sh && mount -t tmpfs x sh && mount --make-rshared sh && mkdir sh/m
	up '.linux.rootfsPropagation = "rslave" | mnt({destination: "/v", type: "bind", source: $s, options: ["rbind", "rslave"]})' --arg s "$T/sh"
	mount -t tmpfs y sh/m && touch sh/m/seen
	in_it ls /v/m
	is "$out" seen
}

t_masked_paths() {
	bundle 'sh("cat /secret/* /file 2>/dev/null; ls /secret | wc -l; wc -c </file; touch /secret/x 2>/dev/null && echo wrote") |
		.linux.maskedPaths = ["/secret", "/file", "/not/there"]'
	mkdir "$B/rootfs/secret" && echo s >"$B/rootfs/secret/f" && echo f >"$B/rootfs/file"
	run rt run --bundle "$B" "$ID"
	is "$out" "0
0"
	[ ! -e "$B/rootfs/not" ] || fail "made the path"
}

t_masked_file_of_proc() {
	inside_ok '.linux.maskedPaths = ["/proc/kcore", "/proc/keys", "/sys/firmware"]' 'wc -c </proc/keys; ls /sys/firmware | wc -l; stat -c %F /proc/keys'
	is "$out" "0
0
character special file"
}

t_readonly_paths() {
	bundle 'sh("touch /ro/x /ro/sub/x 2>/dev/null; echo 1 >/f; ls /ro /ro/sub | grep -c x; cat /f; echo x >/proc/sys/kernel/domainname; cat /ro/keep") |
		.linux.readonlyPaths = ["/ro", "/f", "/proc/sys", "/not/there"]'
	mkdir -p "$B/rootfs/ro/sub" && echo k >"$B/rootfs/ro/keep" && echo orig >"$B/rootfs/f"
	run rt run --bundle "$B" "$ID"
	is "$out" "0
orig
k"
}

t_readonly_path_keeps_flags() {
	inside_ok '.linux.readonlyPaths = ["/proc/sys"] | (.mounts[] | select(.destination == "/proc")).options = ["nosuid", "noexec", "nodev"]' \
		'grep " /proc/sys " /proc/self/mountinfo'
	like "$out" 'ro,nosuid,nodev,noexec'
}

t_default_devices() {
	inside_ok . 'for d in null zero full random urandom tty; do stat -c "%n %t:%T %a %F %u:%g" /dev/$d; done'
	is "$out" "/dev/null 1:3 666 character special file 0:0
/dev/zero 1:5 666 character special file 0:0
/dev/full 1:7 666 character special file 0:0
/dev/random 1:8 666 character special file 0:0
/dev/urandom 1:9 666 character special file 0:0
/dev/tty 5:0 666 character special file 0:0"
}

t_default_devices_work() {
	inside_ok . 'echo x >/dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; echo x 2>/dev/null >/dev/full || echo full'
	is "$out" "4
4
full"
}

t_default_symlinks() {
	inside_ok . 'cd /dev; for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done'
	is "$out" "fd /proc/self/fd
stdin /proc/self/fd/0
stdout /proc/self/fd/1
stderr /proc/self/fd/2
ptmx pts/ptmx"
}

t_nothing_else_of_the_hosts_dev() {
	inside_ok . 'ls /dev | tr "\n" " "'
	hasnt "$out" vda
	hasnt "$out" kvm
	hasnt "$out" "mem "
}

t_devices_of_the_config() {
	need root
	inside_ok '.linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 432, uid: 5, gid: 6},
		{path: "/dev/sub/blk", type: "b", major: 7, minor: 0, fileMode: 384}, {path: "/dev/pipe", type: "p", fileMode: 420},
		{path: "/dev/unb", type: "u", major: 1, minor: 3}]' 'for d in fuse sub/blk pipe unb; do stat -c "%n %t:%T %a %F %u:%g" /dev/$d; done'
	like "$out" '/dev/fuse a:e5 660 character special file 5:6'
	like "$out" '/dev/sub/blk 7:0 600 block special file 0:0'
	like "$out" '/dev/pipe 0:0 644 fifo 0:0'
	like "$out" '/dev/unb 1:3 [0-9]+ character special file 0:0'
}

# In a user namespace the nodes are the runtime's, so owner and mode hold there too.
t_devices_in_a_user_namespace() {
	need root userns isle
	inside_ok 'map1(100000; 65536)
		| .linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 432, uid: 5, gid: 6},
			{path: "/dev/sub/zero", type: "c", major: 1, minor: 5, fileMode: 420, uid: 7},
			{path: "/dev/pipe", type: "p", fileMode: 416, gid: 8}]
		| .linux.resources.devices = [{allow: false, access: "rwm"}]' \
		'stat -c "%n %F %t:%T %a %u:%g" /dev/fuse /dev/sub/zero /dev/pipe /dev/null
		head -c 3 /dev/sub/zero | od -An -tx1; echo x >/dev/null && echo written'
	has "$out" "/dev/fuse character special file a:e5 660 5:6"
	has "$out" "/dev/sub/zero character special file 1:5 644 7:0"
	has "$out" "/dev/pipe fifo 0:0 640 0:8"
	has "$out" "/dev/null character special file 1:3 666 0:0"
	has "$out" "00 00 00"
	has "$out" written
	is "$(stat -c %u:%g /dev/null)" 0:0 "the host's"
}
t_devices_of_an_unmapped_owner_are_the_hosts() {
	need root userns isle
	inside_ok 'map1(100000; 10) | .linux.devices = [{path: "/dev/full", type: "c", major: 1, minor: 7, uid: 1234}]' \
		'stat -c "%t:%T %u" /dev/full; echo x >/dev/full || echo full'
	has "$out" "1:7 65534"
	has "$out" full
}
t_devices_in_a_joined_user_namespace() {
	need root userns idmaptmpfs isle
	up 'map1(100000; 65536)'
	local other=$ID pid=$PID
	inside_ok "joinns(\"user\"; \"/proc/$pid/ns/user\")
		| .linux.devices = [{path: \"/dev/fuse\", type: \"c\", major: 10, minor: 229, uid: 5, gid: 6}]" \
		'stat -c "%t:%T %u:%g" /dev/fuse; stat -c "%n %u" /dev/null'
	has "$out" "a:e5 5:6"
	has "$out" "/dev/null 0"
	rt delete --force "$other"
}
t_no_device_nodes_over_a_shared_root() {
	need root userns isle
	local before
	bundle 'map1(100000; 65536) | .linux.rootfsPropagation = "rshared" | sh("stat -c %u /dev/null")'
	mount --bind "$B" "$B"
	mount --make-rshared "$B"
	before=$(cat /proc/self/mountinfo)
	good rt run --bundle "$B" "$ID"
	is "$out" 0
	is "$(cat /proc/self/mountinfo)" "$before" mounts
}

t_device_outside_dev() {
	need root
	inside_ok '.linux.devices = [{path: "/mydev", type: "c", major: 1, minor: 3}]' 'stat -c %t:%T /mydev'
	is "$out" 1:3
}

t_devices_wrong_are_refused() {
	inside_bad "" '.linux.devices = [{path: "/dev/x", type: "z", major: 1, minor: 3}]'
	differs runc crun "make it below the root"
	inside_bad "" '.linux.devices = [{path: "relative", type: "c", major: 1, minor: 3}]'
}

t_device_twice_or_default_again() {
	differs runc "denies itself the device"
	need root
	inside_ok '.linux.devices = [{path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 438}]' 'stat -c %t:%T /dev/null'
	is "$out" 1:3
}

t_dev_bound_from_the_host() {
	need root
	# Podman's --volume /dev:/dev: what is there is used, nothing of the host's is changed.
	local before
	before=$(stat -c %u:%g:%a /dev/null /dev/zero /dev/tty)
	bundle 'sh("echo x >/dev/null && echo ok") | .mounts |= map(select(.destination | startswith("/dev") | not)) |
		mnt({destination: "/dev", type: "bind", source: $d, options: ["rbind"]})' --arg d /dev
	good rt run --bundle "$B" "$ID"
	is "$out" ok
	is "$(stat -c %u:%g:%a /dev/null /dev/zero /dev/tty)" "$before"
}

t_without_a_dev_mount_devices_are_made_in_the_image() {
	need root
	bundle 'sh("echo x >/dev/null && stat -c %t:%T /dev/null") | .mounts |= map(select(.destination | startswith("/dev") | not))'
	good rt run --bundle "$B" "$ID"
	is "$out" 1:3
}

t_stdio_devices_are_not_chowned() {
	need root
	local before
	before=$(stat -c %u:%g:%a /dev/null)
	bundle '.process.args = ["true"] | .process.user = {uid: 1000, gid: 1000}'
	rt run --bundle "$B" "$ID" </dev/null >/dev/null 2>/dev/null
	up '.process.user = {uid: 1000, gid: 1000}'
	rt exec -d --user 1000:1000 "$ID" true </dev/null >/dev/null 2>&1
	is "$(stat -c %u:%g:%a /dev/null)" "$before"
}

t_stdio_pipes_can_be_reopened_by_the_user() {
	inside_ok '.process.user = {uid: 1000, gid: 1000}' 'echo ok'
	is "$out" ok
	bundle 'sh("echo again >/dev/stdout") | .process.user = {uid: 1000, gid: 1000}'
	is "$(rt run --bundle "$B" "$ID" </dev/null 2>&1 | cat)" again
}

t_shm_is_the_ipc_namespaces() {
	inside_ok . 'touch /dev/shm/x; stat -c %a /dev/shm'
	is "$out" 1777
}

t_sysctl() {
	inside_ok '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "8100", "fs.mqueue.queues_max": "77", "kernel.domainname": "dom.test"}' \
		'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/queues_max /proc/sys/kernel/domainname'
	is "$out" "1
8100
77
dom.test"
}

t_sysctl_of_a_device_name_with_dots() {
	inside_ok '.linux.sysctl = {"net/ipv4/conf/lo/forwarding": "1"}' 'cat /proc/sys/net/ipv4/conf/lo/forwarding'
	is "$out" 1
}

t_sysctl_of_the_host_is_refused() {
	local host
	host=$(cat /proc/sys/vm/swappiness)
	inside_bad "" '.linux.sysctl = {"vm.swappiness": "1"}'
	is "$(cat /proc/sys/vm/swappiness)" "$host"
	inside_bad "" '.linux.sysctl = {"kernel.foo": "1"}'
	inside_bad "" '.linux.sysctl = {"kernel.msgmax": "8100"} | ns("ipc")'
	inside_bad "" '.linux.sysctl = {"net.ipv4.ip_forward": "1"} | ns("network")'
	inside_bad "" '.linux.sysctl = {"kernel.hostname": "x"}'
}

t_sysctl_cannot_climb_out() {
	inside_bad "" '.linux.sysctl = {"net/../kernel/core_pattern": "|/x"}'
	hasnt "$(cat /proc/sys/kernel/core_pattern)" /x
}

t_device_path_with_a_slash_behind() {
	need root
	inside_ok '.linux.devices = [{path: "/mnt/x/", type: "c", major: 1, minor: 3}]' 'stat -c %t:%T /mnt/x'
	is "$out" 1:3
}

t_hostname_and_domainname() {
	inside_ok '.hostname = "box"' 'hostname; cat /proc/sys/kernel/hostname'
	is "$out" "box
box"
	isnt "$(hostname)" box
	differs runc "Debian's 1.1.5 knows no domainname"
	inside_ok '.domainname = "example.test"' 'cat /proc/sys/kernel/domainname'
	is "$out" example.test
}

t_hostname_without_a_uts_namespace_is_refused() {
	inside_bad "" '.hostname = "box" | ns("uts")'
	isnt "$(hostname)" box
}

t_root_on_a_file_system_mounted_noexec_fails_cleanly() {
	need root
	bundle 'sh("echo started")'
	mount --bind "$B/rootfs" "$B/rootfs" && mount -o remount,bind,noexec "$B/rootfs"
	bad "" rt run --bundle "$B" "$ID"
	bad "" rt state "$ID"
}

tap_main "$@"
