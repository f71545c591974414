#!/bin/bash
# config.md#mounts: every option, seen in /proc/self/mountinfo and by doing.
. "${0%/*}/../lib/tap.sh"

# mounted OPTIONS-JSON: a tmpfs at /var/x with these options; $mi is its mountinfo line.
mounted() {
	inside_ok "tmpfs(\"/var/x\"; $1)" 'grep " /var/x " /proc/self/mountinfo'
	mi=$out
	mflags=$(cut -d' ' -f6 <<<"$mi")
	mdata=${mi##* - }
}
# bound OPTIONS-JSON: the bundle's directory src bound at /var/x.
bound() {
	bundle "sh(\$s) | bind(\"src\"; \"/var/x\"; $1)" --arg s "grep ' /var/x' /proc/self/mountinfo; ${2:-:}; :"
	mkdir "$B/src" && echo data >"$B/src/f"
	good rt run --bundle "$B" "$ID"
	mi=$(head -n 1 <<<"$out")
	mflags=$(cut -d' ' -f6 <<<"$mi")
}

t_flags_of_a_tmpfs() {
	local o
	for o in ro nosuid nodev noexec noatime nodiratime; do
		mounted "[\"$o\"]"
		like ",$mflags," ",$o,"
	done
}

t_flags_that_clear() {
	mounted '["ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec"]'
	for o in ro nosuid nodev noexec; do hasnt ",$mflags," ",$o,"; done
	like ",$mflags," ",rw,"
}

t_atime_options() {
	mounted '["relatime"]'; like "$mflags" relatime
	mounted '["strictatime"]'; hasnt "$mflags" atime
	mounted '["noatime", "atime"]'; hasnt ",$mflags," ",noatime,"
	mounted '["nodiratime", "diratime"]'; hasnt "$mflags" nodiratime
	mounted '["norelatime"]'
	mounted '["nostrictatime"]'
}

t_superblock_options() {
	mounted '["sync"]'; like "$mdata" sync
	mounted '["dirsync"]'; like "$mdata" dirsync
	mounted '["sync", "async"]'; hasnt "$mdata" ",sync"
	mounted '["silent"]'
	mounted '["loud"]'
	[ $ENGINE = runc ] || mounted '["defaults"]'
	mounted '["nomand"]'
	mounted '["noiversion"]'
	mounted '["mand"]'
	mounted '["lazytime"]' || true
}

t_nosymfollow() {
	need isle
	mounted '["nosymfollow"]'
	like "$mflags" nosymfollow
	mounted '["nosymfollow", "symfollow"]'
	hasnt "$mflags" nosymfollow
}

t_data_goes_to_the_file_system() {
	mounted '["size=1234k", "mode=711", "uid=5", "nr_inodes=100"]'
	like "$mdata" 'size=1236k|size=1234k'
	like "$mdata" 'mode=711'
	like "$mdata" 'uid=5'
}

t_bad_data_is_an_error_that_names_the_mount() {
	inside_bad "/var/x" 'tmpfs("/var/x"; ["nosuchoption=1"])'
}

t_unknown_file_system() {
	inside_bad "no such device" 'mnt({destination: "/var/x", type: "nosuchfs", source: "x"})'
}

t_no_type_and_no_bind() {
	differs crun runc "1.1 and 1.8 differ"
	inside 'mnt({destination: "/var/x", source: "tmpfs", options: []})' 'echo started'
	true
}

t_destination_is_made() {
	inside_ok 'tmpfs("/no/such/dir"; [])' 'grep -c " /no/such/dir " /proc/self/mountinfo'
	is "$out" 1
}

t_relative_destination() {
	inside_ok 'tmpfs("var/rel"; [])' 'grep -c " /var/rel " /proc/self/mountinfo'
	is "$out" 1
}

t_order_is_the_documents() {
	inside_ok 'tmpfs("/a"; ["size=100k"]) | tmpfs("/a/b"; ["size=200k"]) | tmpfs("/a"; ["size=300k"])' \
		'grep -c " /a" /proc/self/mountinfo; ls /a'
	is "$out" 3
}

t_bind_a_directory() {
	bound '[]' 'cat /var/x/f; echo w >/var/x/w && echo rw'
	like "$out" data
	like "$out" rw
	is "$(cat "$B/src/w")" w
}

t_bind_a_file() {
	bundle 'sh("cat /etc/conf") | bind("file"; "/etc/conf"; ["ro"])'
	echo inside >"$B/file"
	good rt run --bundle "$B" "$ID"
	is "$out" inside
}

t_bind_by_type_none_and_without_type() {
	bundle 'sh("cat /a/f /b/f") | mnt({destination: "/a", type: "none", source: "src", options: ["bind"]})
		| mnt({destination: "/b", source: "src", options: ["rbind"]})'
	mkdir "$B/src" && echo x >"$B/src/f"
	good rt run --bundle "$B" "$ID"
	is "$out" "x
x"
}

t_bind_by_type_alone() {
	differs crun runc "need the option"
	bundle 'sh("cat /a/f") | mnt({destination: "/a", type: "bind", source: "src"})'
	mkdir "$B/src" && echo x >"$B/src/f"
	good rt run --bundle "$B" "$ID"
}

t_bind_source_absolute() {
	bundle 'sh("cat /a/f") | bind($s; "/a"; [])' --arg s "$T/abs"
	mkdir "$T/abs" && echo abs >"$T/abs/f"
	good rt run --bundle "$B" "$ID"
	is "$out" abs
}

t_bind_source_that_is_a_symlink_on_the_host() {
	bundle 'sh("cat /a/f") | bind($s; "/a"; [])' --arg s "$T/ln"
	mkdir "$T/abs" && echo abs >"$T/abs/f" && ln -s abs "$T/ln"
	good rt run --bundle "$B" "$ID"
	is "$out" abs
}

t_bind_missing_source() {
	inside_bad "no such file or directory" 'bind("/no/such/source"; "/a"; [])'
	says /no/such/source
}

t_bind_flags() {
	local o
	for o in ro nosuid nodev noexec noatime; do
		bound "[\"$o\"]"
		like ",$mflags," ",$o,"
	done
	bound '["ro"]' 'touch /var/x/new 2>/dev/null && echo wrote'
	hasnt "$out" wrote
}

t_bind_ro_does_not_touch_the_host() {
	need root
	mkdir m && mount -t tmpfs x m
	bundle 'sh(":") | bind($s; "/a"; ["ro", "nosuid"])' --arg s "$T/m"
	good rt run --bundle "$B" "$ID"
	touch m/still-writable
	hasnt "$(grep "$T/m " /proc/self/mountinfo | cut -d' ' -f6)" nosuid
}

t_bind_keeps_flags_of_the_source() {
	differs runc "1.1 clears them"
	need root
	mkdir m && mount -t tmpfs -o nosuid,nodev x m
	bundle 'sh("grep \" /a \" /proc/self/mountinfo") | bind($s; "/a"; ["ro"])' --arg s "$T/m"
	good rt run --bundle "$B" "$ID"
	like "$out" nosuid
	like "$out" nodev
}

t_rbind_takes_submounts_and_bind_does_not() {
	need root
	mkdir -p m && mount -t tmpfs x m && mkdir m/sub && mount -t tmpfs y m/sub && touch m/sub/f
	bundle 'sh("ls /a/sub | wc -l; ls /b/sub | wc -l") | bind($s; "/b"; [])
		| mnt({destination: "/a", type: "bind", source: $s, options: ["rbind"]})' --arg s "$T/m"
	good rt run --bundle "$B" "$ID"
	is "$out" "1
0"
}

t_recursive_attributes() {
	need root isle
	local o
	mkdir -p m && mount -t tmpfs x m && mkdir m/sub && mount -t tmpfs y m/sub
	for o in rro rnosuid rnodev rnoexec rnoatime rnodiratime rnosymfollow; do
		bundle 'sh("grep \" /a/sub \" /proc/self/mountinfo; grep \" /a \" /proc/self/mountinfo") |
			mnt({destination: "/a", type: "bind", source: $s, options: ["rbind", $o]})' \
			--arg s "$T/m" --arg o $o
		good rt run --bundle "$B" "$ID"
		like ",$(head -n 1 <<<"$out" | cut -d' ' -f6)," ",${o#r},"
		like ",$(tail -n 1 <<<"$out" | cut -d' ' -f6)," ",${o#r},"
	done
}

t_rro_of_runc() {
	need root
	mkdir -p m && mount -t tmpfs x m && mkdir m/sub && mount -t tmpfs y m/sub
	bundle 'sh("touch /a/sub/w 2>/dev/null && echo wrote; touch /b/sub/w && echo plain") |
		mnt({destination: "/a", type: "bind", source: $s, options: ["rbind", "rro"]}) |
		mnt({destination: "/b", type: "bind", source: $s, options: ["rbind", "ro"]})' --arg s "$T/m"
	good rt run --bundle "$B" "$ID"
	is "$out" plain
}

t_recursive_attributes_that_clear() {
	need root isle
	mkdir -p m && mount -t tmpfs -o nosuid,ro x m
	for o in rrw rsuid rdev rexec ratime rdiratime rrelatime rnorelatime rstrictatime rnostrictatime; do
		bundle 'sh("echo ok") | mnt({destination: "/a", type: "bind", source: $s, options: ["rbind", $o]})' \
			--arg s "$T/m" --arg o $o
		good rt run --bundle "$B" "$ID"
	done
}

t_propagation_of_a_mount() {
	need root
	local o want
	for o in private rprivate shared rshared slave rslave unbindable runbindable; do
		bundle 'sh("grep \" /var/x \" /proc/self/mountinfo") | .linux.rootfsPropagation = "private" |
			tmpfs("/var/x"; [$o])' --arg o $o
		good rt run --bundle "$B" "$ID"
		case $o in
		*shared) like "$out" ' shared:' ;;
		*unbindable) like "$out" ' unbindable ' ;;
		*private) hasnt "$out" shared: ;;
		esac
	done
}

t_tmpcopyup() {
	bundle 'sh("cat /data/f; readlink /data/l; stat -c %a:%u:%g /data/f /data/d; touch /data/new") |
		caps(["CAP_DAC_OVERRIDE"]) | tmpfs("/data"; ["tmpcopyup"])'
	mkdir -p "$B/rootfs/data/d"
	echo up >"$B/rootfs/data/f"; ln -s f "$B/rootfs/data/l"
	chmod 640 "$B/rootfs/data/f"; chown 5:6 "$B/rootfs/data/f" 2>/dev/null || true; chmod 2751 "$B/rootfs/data/d"
	good rt run --bundle "$B" "$ID"
	like "$out" $'^up\nf\n640:5:6\n2?751:'
	[ ! -e "$B/rootfs/data/new" ] || fail "went through to the image"
}

t_tmpcopyup_ro() {
	bundle 'sh("cat /data/f; touch /data/new 2>/dev/null && echo wrote") | tmpfs("/data"; ["tmpcopyup", "ro"])'
	mkdir "$B/rootfs/data" && echo up >"$B/rootfs/data/f"
	run rt run --bundle "$B" "$ID"
	is "$out" up
}

t_idmap_of_a_bind() {
	need idmap isle
	local o
	for o in idmap ridmap; do
		bundle 'sh("stat -c %u:%g /a/f") | .mounts += [{destination: "/a", type: "bind", source: "src", options: ["rbind", $o],
			uidMappings: [{containerID: 0, hostID: 5000, size: 10}], gidMappings: [{containerID: 0, hostID: 6000, size: 10}]}]' --arg o $o
		mkdir "$B/src" && touch "$B/src/f" && chown 3:4 "$B/src/f"
		good rt run --bundle "$B" "$ID"
		is "$out" 5003:6004
	done
}

t_idmap_by_mappings_alone() {
	need idmap isle
	bundle 'sh("stat -c %u:%g /a/f") | .mounts += [{destination: "/a", type: "bind", source: "src", options: ["bind"],
		uidMappings: [{containerID: 0, hostID: 5000, size: 10}], gidMappings: [{containerID: 0, hostID: 6000, size: 10}]}]'
	mkdir "$B/src" && touch "$B/src/f" && chown 3:4 "$B/src/f"
	good rt run --bundle "$B" "$ID"
	is "$out" 5003:6004
}

t_idmap_with_the_containers_user_namespace() {
	need idmap isle
	bundle 'sh("stat -c %u:%g /a/f; touch /a/new") | map1(100000; 65536) | bind("src"; "/a"; ["idmap"])'
	mkdir "$B/src" "$B/rootfs/a" && touch "$B/src/f" && chmod 777 "$B/src"
	good rt run --bundle "$B" "$ID"
	is "$out" 0:0
	is "$(stat -c %u "$B/src/new")" 0
}

t_idmap_that_overlaps_is_refused() {
	need idmap isle
	inside_bad "" '.mounts += [{destination: "/a", type: "bind", source: "/etc", options: ["bind", "idmap"],
		uidMappings: [{containerID: 0, hostID: 5000, size: 10}]}]'
}

t_proc_sysfs_and_mqueue() {
	inside_ok . 'grep -c " /proc .* - proc " /proc/self/mountinfo; grep -c " /sys .* - sysfs" /proc/self/mountinfo; grep -c mqueue /proc/self/mountinfo'
	is "$out" "1
1
1"
}

t_proc_with_hidepid() {
	inside_ok '(.mounts[] | select(.destination == "/proc")).options = ["hidepid=2", "nosuid"]' \
		'grep " /proc " /proc/self/mountinfo | head -n 1'
	like "$out" 'hidepid=(2|invisible)'
}

t_devpts_is_new() {
	inside_ok . 'ls /dev/pts'
	is "$out" ptmx
}

t_cgroup_mount_shows_the_containers_groups() {
	need cgroup1
	inside_ok 'newns("cgroup")' 'ls /sys/fs/cgroup; cat /proc/self/cgroup; ls /sys/fs/cgroup/memory/memory.limit_in_bytes'
	like "$out" memory
	like "$out" ':memory:/'$'\n'
	hasnt "$out" "$CGROUP"
}

t_cgroup_mount_without_a_cgroup_namespace() {
	need cgroup1
	inside_ok 'ns("cgroup")' 'cat /sys/fs/cgroup/pids/cgroup.procs; grep " /sys/fs/cgroup/pids " /proc/self/mountinfo'
	like "$out" "^1"
}

t_cgroup_mount_is_read_only_as_asked() {
	need cgroup1
	inside_ok . 'mkdir /sys/fs/cgroup/memory/x 2>/dev/null && echo made; echo end'
	is "$out" end
	inside_ok 'newns("cgroup") | (.mounts[] | select(.type == "cgroup")).options = ["nosuid", "rw"]' 'mkdir /sys/fs/cgroup/memory/x && echo made'
	is "$out" made
}

t_cgroup2_mount() {
	need cgroup2
	inside_ok . 'cat /sys/fs/cgroup/cgroup.procs | head -n 1; cat /proc/self/cgroup'
	like "$out" '0::/$'
}

t_overlay_with_a_long_list_of_layers() {
	need overlay
	local d="$T/$(printf 'l%.0s' {1..100})" i list=
	for i in 1 2 3 4; do mkdir -p "$d$i:x" && echo $i >"$d$i:x/f$i" && list+=":$d$i\\:x"; done
	inside_ok 'mnt({destination: "/o", type: "overlay", source: "overlay",
		options: ["ro", "lowerdir=" + $l]})' 'cat /o/f1 /o/f2 /o/f3 /o/f4' --arg l "${list#:}"
	is "$(tr -d '\n' <<<"$out")" 1234
}

t_overlay() {
	need overlay
	mkdir l u w; echo low >l/f
	inside_ok 'mnt({destination: "/o", type: "overlay", source: "overlay",
		options: ["lowerdir=" + $t + "/l", "upperdir=" + $t + "/u", "workdir=" + $t + "/w"]})' 'cat /o/f; echo n >/o/n' --arg t "$T"
	is "$out" low
	[ -e u/n ]
}

t_a_mount_over_the_root_itself_is_refused_or_hidden() {
	inside 'tmpfs("/"; [])' 'echo started'
	true
}

t_mount_destination_through_a_symlink_stays_inside() {
	bundle 'sh("grep -c \" /real \" /proc/self/mountinfo") | tmpfs("/link"; [])'
	mkdir "$B/rootfs/real" && ln -s /real "$B/rootfs/link"
	good rt run --bundle "$B" "$ID"
	is "$out" 1
}

t_mount_destination_dotdot_stays_inside() {
	bundle 'sh("echo ok") | tmpfs("/../../../up"; [])'
	good rt run --bundle "$B" "$ID"
	[ ! -e "$T/up" ] && [ ! -e /up ] || fail "made outside"
	[ -e "$B/rootfs/up" ]
}

t_bind_onto_a_file_of_a_directory_fails() {
	bundle 'sh("echo started") | bind("src"; "/etc/passwd"; [])'
	mkdir "$B/src"
	bad "" rt run --bundle "$B" "$ID"
}

t_file_over_a_dangling_symlink() {
	bundle 'sh("cat /etc/l") | bind("file"; "/etc/l"; [])'
	ln -s /etc/target "$B/rootfs/etc/l"
	echo bound >"$B/file"
	good rt run --bundle "$B" "$ID"
	is "$out" bound
	[ ! -e /etc/target ] || fail "made on the host"
}

t_copy_symlink_is_kept_as_it_is() {
	differs runc "crun's own"
	differs crun "later than 1.8"
	bundle 'sh("readlink /l") | bind("ln"; "/l"; ["copy-symlink"])'
	ln -s some/where "$B/ln"
	run rt run --bundle "$B" "$ID"
	[ $rc != 0 ] || is "$out" some/where
}

t_remount_changes_an_earlier_mount() {
	need root
	inside_ok 'tmpfs("/x"; []) | mnt({destination: "/x", type: "tmpfs", source: "tmpfs", options: ["remount", "ro"]})' \
		'touch /x/f 2>/dev/null && echo wrote; echo end'
	is "$out" end
}

# fsconfig(2) takes 255 bytes of a value, mount(2) a page for all.
t_options_longer_than_a_value_may_be() {
	need root overlay isle
	local d=$T/o i f
	for ((i = 0; i < 5; i++)); do d=$d/$(printf 'd%.0s' {1..60}); done
	mkdir -p "$d"/{l,u,w}
	echo lower >"$d/l/f"
	f='mnt({destination: "/o", type: "overlay", source: "overlay",
		options: ["nosuid", "lowerdir=" + $d + "/l", "upperdir=" + $d + "/u", "workdir=" + $d + "/w"]})'
	inside_ok "$f" 'cat /o/f; echo n >/o/n; grep " /o " /proc/self/mountinfo | cut -d" " -f6; grep -c " /m " /proc/self/mountinfo || true' --arg d "$d"
	is "$out" $'lower\nrw,nosuid,relatime\n0'
	is "$(cat "$d/u/n")" n
	inside_bad "longer than" 'tmpfs("/o"; [$d, $d])' 'echo started' --arg d "size=$(printf '1%.0s' {1..2500})"
	inside_bad "mount overlay at /o" "$f"' | .mounts[-1].options += ["bad=1"]' 'echo started' --arg d "$d"
}
tap_main "$@"
