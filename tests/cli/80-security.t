#!/bin/bash
# What a hostile image or program must not be able to do.  Each case fails when its
# defence is taken out.
. "${0%/*}/../lib/tap.sh"

# --- CVE-2019-5736: the runtime's own binary -----------------------------------

# A copy of the runtime that a container could spoil without harm.
victim() {
	cp "$RUNTIME" "$T/${RUNTIME##*/}"
	chmod 755 "$T/${RUNTIME##*/}"
	VICTIM=$T/${RUNTIME##*/}
	SUM=$(sha256sum <"$VICTIM")
	read -r VDEV VINO < <(stat -c '%d %i' "$VICTIM")
}
vrt() { "$VICTIM" --root "$T/state" "$@"; }

t_program_that_is_proc_self_exe() {
	need root
	victim
	bundle '.process.args = ["/attack"] | .root.readonly = false'
	# "#!/proc/self/exe" makes the kernel run whatever the exec'ing process is.
	printf '#!/proc/self/exe\n' >"$B/rootfs/attack" && chmod 755 "$B/rootfs/attack"
	run timeout 20 "$VICTIM" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	hasnt "$out" isle-runtime "the runtime ran inside"
	is "$(sha256sum <"$VICTIM")" "$SUM" "binary"
}

t_exec_of_proc_self_exe() {
	need root
	victim
	up
	run timeout 20 "$VICTIM" --root "$T/state" exec "$ID" /proc/self/exe --version </dev/null
	hasnt "$out" "isle-runtime version" "the host's binary ran inside"
}

t_exe_of_a_process_that_is_executed_is_never_the_runtimes() {
	need root
	victim
	bundle '.process.args = ["probe", "exes", $d, $i, "20"] | caps(["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"])' --arg d "$VDEV" --arg i "$VINO"
	vrt run -d --bundle "$B" "$ID" >o 2>&1 </dev/null
	until_ok grep -q watching o
	local i
	for i in 1 2 3 4 5 6 7 8; do vrt exec "$ID" true </dev/null >/dev/null; done
	touch "$B/rootfs/stop"
	until_ok grep -q done o
	hasnt "$(cat o)" caught
	hasnt "$(cat o)" wrote
	is "$(sha256sum <"$VICTIM")" "$SUM" "binary"
}

t_exe_of_pid_1_while_created_is_not_the_runtimes() {
	need root
	victim
	bundle '.process.args = ["sleep", "1000"]'
	vrt create --bundle "$B" --pid-file p "$ID" >/dev/null 2>&1 </dev/null
	isnt "$(stat -L -c '%d %i' "/proc/$(cat p)/exe")" "$VDEV $VINO"
}

t_joined_pid_namespace_does_not_see_the_runtime() {
	need root
	victim
	bundle '.process.args = ["probe", "exes", $d, $i, "20"] | caps(["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"])' --arg d "$VDEV" --arg i "$VINO"
	local watcher=$B
	vrt run -d --bundle "$B" --pid-file p "$ID" >o 2>&1 </dev/null
	until_ok grep -q watching o
	bundle 'joinns("pid"; $p)' --arg p "/proc/$(cat p)/ns/pid"
	run "$VICTIM" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	touch "$watcher/rootfs/stop"
	until_ok grep -q done o
	hasnt "$(cat o)" caught
	is "$(sha256sum <"$VICTIM")" "$SUM" "binary"
}

t_library_of_the_image_is_not_loaded_by_the_runtime() {
	need root
	bundle 'sh("echo ok") | .process.env += ["LD_PRELOAD=/evil.so", "LD_LIBRARY_PATH=/"]'
	printf 'x' >"$B/rootfs/evil.so"
	good rt run --bundle "$B" "$ID"
}

# --- CVE-2024-21626: descriptors and directories of the host ---------------------

t_cwd_through_a_descriptor_of_the_host() {
	local n
	for n in 3 4 5 6 7 8 9 10 11 12; do
		inside '.process.cwd = $c' 'ls ../../../../../../../../../work ../../../../../etc/debian_version 2>/dev/null; pwd' --arg c "/proc/self/fd/$n"
		hasnt "$out" debian_version
		[ $rc != 0 ] || hasnt "$out" /proc/self/fd
	done
}

t_cwd_through_a_symlink_to_a_descriptor() {
	local n
	for n in 3 5 7 8 9; do
		bundle 'sh("cat ../../../../../../etc/debian_version 2>/dev/null && echo escaped") | .process.cwd = "/cwd"'
		ln -s /proc/self/fd/$n "$B/rootfs/cwd"
		run rt run --bundle "$B" "$ID"
		hasnt "$out" escaped
	done
}

t_exec_cwd_through_a_descriptor_of_the_host() {
	local n
	up
	for n in 3 5 7 8 9 10; do
		run rt exec --cwd /proc/self/fd/$n "$ID" sh -c 'cat ../../../../../../etc/debian_version 2>/dev/null && echo escaped' </dev/null
		hasnt "$out" escaped
	done
}

t_no_descriptor_but_stdio_gets_in() {
	bundle '.process.args = ["probe", "fds"]'
	run rt --log "$T/log" run --bundle "$B" "$ID" </dev/null 3<. 8<"$B/config.json"
	is "$out" "0 1 2"
	up
	run rt --log "$T/log" exec "$ID" probe fds </dev/null 3<. 8<"$B/config.json"
	is "$out" "0 1 2"
}

t_hooks_get_no_descriptor_of_the_runtime() {
	printf '#!/bin/sh\nls /proc/self/fd | tr "\\n" " " >%s\n' "$T/fds" >h && chmod 755 h
	bundle '.hooks = {createRuntime: [{path: $h, env: ["PATH=/usr/bin:/bin"]}]}' --arg h "$T/h"
	good rt run --bundle "$B" "$ID"
	# sh holds 0 1 2, ls opens 3.
	is "$(cat fds)" "0 1 2 3 "
}

# --- symlinks in the image --------------------------------------------------------

# A canary on the host that nothing may touch.
canary() { mkdir -p "$T/host"; echo canary >"$T/host/f"; chmod 700 "$T/host"; }
canary_is_well() {
	is "$(cat "$T/host/f")" canary
	is "$(ls "$T/host")" f "host directory"
	is "$(stat -c %a "$T/host")" 700
}

t_mount_points_through_symlinks_to_the_host() {
	canary
	bundle 'sh(":") | tmpfs("/link/new"; []) | bind("file"; "/link/file"; []) | bind("dir"; "/rel/dir"; [])'
	echo x >"$B/file"; mkdir "$B/dir"
	ln -s "$T/host" "$B/rootfs/link"
	ln -s ../../host "$B/rootfs/rel"
	run rt run --bundle "$B" "$ID"
	canary_is_well
}

t_symlinked_dev() {
	need root
	canary
	bundle 'sh("echo started")'
	rm -rf "$B/rootfs/dev" && ln -s "$T/host" "$B/rootfs/dev"
	run rt run --bundle "$B" "$ID"
	canary_is_well
}

t_symlinked_dev_without_a_mount_there() {
	need root
	canary
	bundle 'sh("echo started") | .mounts |= map(select(.destination | startswith("/dev") | not))'
	rm -rf "$B/rootfs/dev" && ln -s "$T/host" "$B/rootfs/dev"
	run rt run --bundle "$B" "$ID"
	canary_is_well
}

t_symlinked_proc_is_refused_or_inside() {
	need root
	canary
	bundle 'sh("echo started")'
	rm -rf "$B/rootfs/proc" && ln -s "$T/host" "$B/rootfs/proc"
	run rt run --bundle "$B" "$ID"
	canary_is_well
	[ $rc != 0 ] || fail "/proc may not be a symlink (CVE-2019-16884, CVE-2019-19921)"
}

t_symlinked_sys_is_refused() {
	need root
	canary
	bundle 'sh("echo started")'
	rm -rf "$B/rootfs/sys" && ln -s "$T/host" "$B/rootfs/sys"
	run rt run --bundle "$B" "$ID"
	canary_is_well
	[ $rc != 0 ] || fail "/sys may not be a symlink"
}

t_mounts_over_proc_are_refused() {
	need root
	inside_bad "" 'tmpfs("/proc/self"; [])'
	inside_bad "" 'bind("/etc"; "/proc/sys"; [])'
	bundle 'sh("echo started") | bind("d"; "/proc"; [])'
	mkdir "$B/d"
	bad "" rt run --bundle "$B" "$ID"
}

t_mounts_over_harmless_files_of_proc_are_allowed() {
	need root
	# lxcfs does these.
	bundle 'sh("cat /proc/uptime") | bind("f"; "/proc/uptime"; [])'
	echo mine >"$B/f"
	good rt run --bundle "$B" "$ID"
	is "$out" mine
}

t_cwd_is_not_made_through_a_symlink_on_the_host() {
	canary
	bundle 'sh("echo started") | .process.cwd = "/link/made"'
	ln -s "$T/host" "$B/rootfs/link"
	run rt run --bundle "$B" "$ID"
	canary_is_well
}

t_devices_are_not_made_through_a_symlink() {
	need root
	canary
	bundle 'sh("echo started") | .linux.devices = [{path: "/link/dev", type: "c", major: 1, minor: 3}]'
	ln -s "$T/host" "$B/rootfs/link"
	run rt run --bundle "$B" "$ID"
	canary_is_well
}

t_tmpcopyup_does_not_copy_through_a_symlink() {
	need root
	canary
	echo secret >"$T/host/f"
	bundle 'sh("cat /data/f 2>/dev/null; cat /data/l 2>/dev/null; :") | tmpfs("/data"; ["tmpcopyup"])'
	ln -s "$T/host" "$B/rootfs/data"
	run rt run --bundle "$B" "$ID"
	hasnt "$out" secret
	bundle 'sh("cat /data/l 2>/dev/null; :") | tmpfs("/data"; ["tmpcopyup"])'
	mkdir "$B/rootfs/data" && ln -s "$T/host/f" "$B/rootfs/data/l"
	run rt run --bundle "$B" "$ID"
	hasnt "$out" secret
}

t_passwd_of_the_image_that_is_a_symlink_to_the_host() {
	canary
	printf 'x:x:1234:1234::/from-the-host:/bin/sh\n' >"$T/host/passwd"
	bundle 'sh("echo $HOME") | .process.user = {uid: 1234, gid: 1234}'
	rm "$B/rootfs/etc/passwd" && ln -s "$T/host/passwd" "$B/rootfs/etc/passwd"
	run rt run --bundle "$B" "$ID"
	hasnt "$out" from-the-host
}

t_passwd_that_is_a_fifo_does_not_hang() {
	bundle 'sh("echo ok") | .process.user = {uid: 1234, gid: 1234}'
	rm "$B/rootfs/etc/passwd" && mkfifo "$B/rootfs/etc/passwd"
	run timeout 10 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID"
	isnt $rc 124 "hangs"
}

# --- CVE-2025-31133: masks through a replaced /dev/null ------------------------------

t_masks_do_not_use_the_images_dev_null() {
	need root
	canary
	# /dev is the image's own directory, and its null is a symlink to what it wants bound.
	bundle 'sh("echo evil >/proc/sys/kernel/core_pattern 2>/dev/null; cat /proc/keys | wc -c; cat /mask/f 2>/dev/null | wc -c") |
		.linux.maskedPaths = ["/proc/keys", "/mask/f"] | .mounts |= map(select(.destination | startswith("/dev") | not))'
	rm -rf "$B/rootfs/dev" && mkdir "$B/rootfs/dev" "$B/rootfs/mask"
	echo hidden >"$B/rootfs/mask/f"
	ln -s /proc/sys/kernel/core_pattern "$B/rootfs/dev/null"
	local before
	before=$(cat /proc/sys/kernel/core_pattern)
	run rt run --bundle "$B" "$ID"
	if [ "$(cat /proc/sys/kernel/core_pattern)" != "$before" ]; then
		echo "$before" >/proc/sys/kernel/core_pattern
		fail "core_pattern of the host was written"
	fi
	[ $rc != 0 ] || is "$out" "0
0" "masked files"
}

t_masked_path_that_is_a_symlink_stays_inside() {
	need root
	canary
	bundle 'sh("echo started") | .linux.maskedPaths = ["/link", "/link/f"] | .linux.readonlyPaths = ["/link2"]'
	ln -s "$T/host" "$B/rootfs/link"
	ln -s "$T/host" "$B/rootfs/link2"
	run rt run --bundle "$B" "$ID"
	canary_is_well
	touch "$T/host/w" && rm "$T/host/w"
}

# --- CVE-2025-52565: /dev/console and /dev/pts ----------------------------------------

t_console_that_is_a_symlink() {
	need root
	canary
	bundle 'sh("stat -L -c %F /dev/console") | .process.terminal = true | .mounts |= map(select(.destination | startswith("/dev") | not))
		| mnt({destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"]})'
	rm -rf "$B/rootfs/dev" && mkdir "$B/rootfs/dev"
	ln -s "$T/host/f" "$B/rootfs/dev/console"
	"$TAP_TOOLS/host" recvtty "$T/s" </dev/null >o 2>&1 &
	until_ok test -S "$T/s"
	run rt run -d --bundle "$B" --console-socket "$T/s" "$ID"
	canary_is_well
}

t_pts_that_is_a_symlink_to_proc() {
	need root
	bundle 'sh("echo x >/dev/pts/0; :") | .process.terminal = true | .mounts |= map(select(.destination | startswith("/dev") | not))'
	rm -rf "$B/rootfs/dev" && mkdir "$B/rootfs/dev"
	ln -s /proc/sys/kernel "$B/rootfs/dev/pts"
	ln -s /proc/sysrq-trigger "$B/rootfs/dev/console"
	"$TAP_TOOLS/host" recvtty "$T/s" </dev/null >o 2>&1 &
	until_ok test -S "$T/s"
	run timeout 10 "$RUNTIME" --root "$T/state" run -d --bundle "$B" --console-socket "$T/s" "$ID"
	isnt $rc 124
}

# --- CVE-2025-52881: writes to procfs sent elsewhere ------------------------------------

t_sysctls_are_written_to_the_real_proc() {
	need root
	canary
	# A shared volume over /proc/sys/net would take the write.
	bundle 'sh("echo started; cat /proc/sys/kernel/domainname") | .linux.sysctl = {"kernel.domainname": "real.test"} | bind("fake"; "/proc/sys/kernel"; [])'
	mkdir "$B/fake" && ln -s "$T/host/f" "$B/fake/domainname"
	run rt run --bundle "$B" "$ID"
	canary_is_well
}

t_sysctl_with_a_tmpfs_on_proc() {
	need root
	canary
	bundle 'sh("echo started") | .linux.sysctl = {"kernel.domainname": "real.test"} | (.mounts[] | select(.destination == "/proc")) |= {destination: "/proc", type: "tmpfs", source: "tmpfs"}'
	run rt run --bundle "$B" "$ID"
	[ $rc != 0 ] || hasnt "$err" panic
}

# --- CVE-2021-30465: a symlink swapped under a mount ---------------------------------------

t_mount_race_on_a_shared_volume() {
	need root
	canary
	local i
	# Another container of the same volume swaps a directory with a symlink to "/".
	mkdir -p vol/dir && ln -s "$T/host" vol/evil
	"$TAP_TOOLS/host" swap vol/dir vol/evil &
	local swapper=$!
	SECONDS=0
	for ((i = 0; i < ${ISLE_RACES:-25} && SECONDS < 20; i++)); do
		bundle 'sh(":") | bind($v; "/vol"; []) | tmpfs("/vol/dir/made"; []) | bind("fl"; "/vol/dir/file"; [])' --arg v "$T/vol"
		echo x >"$B/fl"
		run timeout 10 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" >/dev/null
		rm -rf "$B"
		[ "$(ls "$T/host")" = f ] || break
	done
	kill $swapper
	canary_is_well
}

t_mount_race_on_masked_and_readonly_paths() {
	need root
	canary
	local i
	mkdir -p vol/dir && ln -s "$T/host" vol/evil && echo s >vol/dir/f
	"$TAP_TOOLS/host" swap vol/dir vol/evil &
	local swapper=$!
	SECONDS=0
	for ((i = 0; i < ${ISLE_RACES:-25} && SECONDS < 20; i++)); do
		bundle 'sh(":") | bind($v; "/vol"; []) | .linux.maskedPaths = ["/vol/dir/f"] | .linux.readonlyPaths = ["/vol/dir"]' --arg v "$T/vol"
		run timeout 10 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" >/dev/null
		rm -rf "$B"
	done
	kill $swapper
	canary_is_well
	touch "$T/host/w" && rm "$T/host/w"
}

# --- the rest -------------------------------------------------------------------------------

t_inheritable_capabilities_are_empty() {
	local f
	inside_ok 'caps(["CAP_CHOWN"])' 'grep CapInh /proc/1/status'
	is "$(status_field CapInh <<<"$out")" 0000000000000000
	up
	in_it cat /proc/self/status
	is "$(status_field CapInh <<<"$out")" 0000000000000000
}

t_created_container_cannot_be_ptraced_or_read_from_a_neighbour() {
	need root
	# Two containers in one pid namespace: the one that is being made must not be open.
	up 'caps(["CAP_DAC_OVERRIDE"])'
	local p=$PID
	bundle 'joinns("pid"; $p) | .process.args = ["sleep", "1000"]' --arg p "/proc/$p/ns/pid"
	good rt create --bundle "$B" --pid-file p "$ID"
	isnt "$(stat -L -c %i "/proc/$(cat p)/exe")" "$(stat -c %i "$RUNTIME")"
}

t_state_directory_is_private() {
	need root
	up
	like "$(stat -c %a "$T/state/$ID")" '^7[01][01]$'
	if [ -e "$T/state/$ID/state.json" ]; then like "$(stat -c %a "$T/state/$ID/state.json")" '^6[04]0$'; fi
	run setpriv --reuid 12345 --clear-groups ls "$T/state/$ID"
	isnt $rc 0
}

t_start_cannot_be_done_by_the_container() {
	bundle 'sh("ls /proc/1/fd | wc -l; ls -l /proc/1/fd")'
	good rt run --bundle "$B" "$ID"
	hasnt "$out" start.sock
	hasnt "$out" memfd
	hasnt "$out" socket
}

t_file_descriptors_of_pid_1_do_not_point_to_the_host() {
	up
	local l
	for l in /proc/$PID/fd/*; do
		hasnt "$(readlink "$l")" "$T/state"
		hasnt "$(readlink "$l")" memfd
	done
}

t_cgroup_namespace_hides_the_hosts_path() {
	need cgroup
	inside_ok 'newns("cgroup")' 'cat /proc/self/cgroup'
	hasnt "$out" "$CGROUP"
}

t_keyring_is_not_shared_between_containers() {
	local a
	inside_ok '.process.args = ["probe", "keyring"]' ''
	a=$out
	inside_ok '.process.args = ["probe", "keyring"]' ''
	isnt "$out" "$a"
}

t_root_of_the_host_is_not_reachable_by_proc_1_root() {
	inside_ok . 'ls /proc/1/root/work 2>/dev/null; ls /proc/1/cwd; :'
	hasnt "$out" main
}

t_ids_do_not_leave_the_root_directory() {
	bundle
	bad "" rt create --bundle "$B" ../escape
	bad "" rt delete --force ../../../../../tmp
	[ ! -e "$T/escape" ]
}

tap_main "$@"
