#!/bin/bash
# The runtime as an ordinary user: one id, or a range of /etc/subuid.
#
# The user is made up: /etc/passwd, /etc/subuid and /etc/subgid are bound over in the
# harness's own mount namespace, never edited.
. "${0%/*}/../lib/tap.sh"

ME=54321
RT_AS=

# rootless_user [RANGE]: from here on rt runs as user $ME with HOME and XDG_RUNTIME_DIR.
rootless_user() {
	need userns
	if ! have_root; then
		ME=$(id -u)
		[ -z "$1" ] || need root
		return
	fi
	mkdir -p "$T/run"
	if [ ! -d "$TAP_DIR/etc" ]; then        # once in this file; the mounts stay
		mkdir "$TAP_DIR/etc"
		(cat /etc/passwd; echo "islet:x:$ME:$ME::/:/bin/sh") >"$TAP_DIR/etc/passwd"
		(cat /etc/group; echo "islet:x:$ME:") >"$TAP_DIR/etc/group"
		for f in passwd group subuid subgid; do
			touch "$TAP_DIR/etc/$f"
			[ ! -e /etc/$f ] || mount --bind "$TAP_DIR/etc/$f" /etc/$f
		done
	fi
	for f in subuid subgid; do
		if [ -n "$1" ]; then echo "islet:$1:65536"; fi >"$TAP_DIR/etc/$f"
	done
	chown -R $ME:$ME "$T"
	chmod 755 "$T"
	RT_AS="setpriv --reuid $ME --regid $ME --clear-groups env HOME=$T XDG_RUNTIME_DIR=$T/run"
}
# The config of spec --rootless, edited as "bundle" does.
rootless_bundle() {
	bundle 'map1($me; 1) | ns("network") | del(.linux.cgroupsPath, .linux.resources)
		| .mounts |= map(if .type == "devpts" then .options |= map(select(startswith("gid=") | not)) else . end)
		| .mounts |= map(if .type == "sysfs" then {destination: "/sys", type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"]} else . end)
		| .mounts |= map(select(.type != "cgroup"))
		| (.linux.uidMappings[0], .linux.gidMappings[0]) |= (.size = 1)
		| '"${1:-.}" --argjson me $ME "${@:2}"
	! have_root || chown -R $ME:$ME "$B"
}

t_run() {
	rootless_user
	rootless_bundle 'sh("id -u; cat /proc/self/uid_map; echo x >/dev/null && echo null; hostname")'
	good rt run --bundle "$B" "$ID" </dev/null
	is "$(head -n 1 <<<"$out")" 0
	like "$out" "0 +$ME +1"
	has "$out" null
}

t_lifecycle() {
	rootless_user
	rootless_bundle '.process.args = ["sleep", "1000"]'
	good rt create --bundle "$B" --pid-file "$B/pid" "$ID" </dev/null
	is "$(status_of "$ID")" created
	good rt start "$ID"
	is "$(status_of "$ID")" running
	is "$(awk '/^Uid/ { print $2 }' "/proc/$(cat "$B/pid")/status")" $ME
	good rt kill "$ID" KILL
	wait_status "$ID" stopped
	good rt delete "$ID"
	bad "container does not exist" rt state "$ID"
}

t_exec() {
	rootless_user
	rootless_bundle '.process.args = ["sleep", "1000"]'
	good rt run -d --bundle "$B" "$ID" </dev/null
	in_it sh -c 'id -u; echo hi >/tmp/x && cat /tmp/x; readlink /proc/self/ns/user'
	is "$(head -n 2 <<<"$out")" "0
hi"
	run rt exec --user 0:0 -d "$ID" sleep 100
	is $rc 0
	good rt delete --force "$ID"
	until_ok no_strays
}

t_errors_and_status() {
	rootless_user
	rootless_bundle 'sh("exit 9")'
	run rt run --bundle "$B" "$ID" </dev/null
	is $rc 9
	rootless_bundle '.process.args = ["nosuch"]'
	bad 'executable file not found in $PATH' rt run --bundle "$B" "$ID"
	bad "container does not exist" rt state "$ID"
	is "$(tap_strays)" ""
}

t_spec_rootless_runs_as_it_is() {
	rootless_user
	rootless_bundle
	rm "$B/config.json"
	(cd "$B" && rt spec --rootless)
	jq '.process.terminal = false | .process.args = ["id", "-u"]' "$B/config.json" >"$B/c"
	mv "$B/c" "$B/config.json"
	! have_root || chown $ME "$B/config.json"
	good rt run --bundle "$B" "$ID" </dev/null
	is "$out" 0
}

t_mounts_and_masks() {
	rootless_user
	rootless_bundle 'sh("grep -c \" /var/x \" /proc/self/mountinfo; wc -c </proc/keys; touch /x 2>/dev/null || echo ro; cat /b/f; touch /b/w 2>/dev/null || echo bro") |
		.root.readonly = true | tmpfs("/var/x"; ["nosuid"]) | bind("src"; "/b"; ["ro"])'
	mkdir "$B/src" "$B/rootfs/b" "$B/rootfs/var/x"; echo data >"$B/src/f"
	! have_root || chown -R $ME "$B"
	good rt run --bundle "$B" "$ID" </dev/null
	is "$out" "1
0
ro
data
bro"
}

t_a_range_of_subuid() {
	differs runc "sets no groups when rootless"
	need subuid
	[ -e /etc/subuid ] || need etc-subuid
	rootless_user 500000
	rootless_bundle '.linux.uidMappings = [{containerID: 0, hostID: $me, size: 1}, {containerID: 1, hostID: 500000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings | .process.user = {uid: 1000, gid: 1000, additionalGids: [5]} | sh("id -u; id -G; cat /proc/self/uid_map")'
	good rt run --bundle "$B" "$ID" </dev/null
	is "$(head -n 2 <<<"$out")" "1000
1000 5"
	like "$out" '1 +500000 +65536'
}
have_etc-subuid() { [ -e /etc/subuid ]; }

t_a_range_that_is_not_ours_is_refused() {
	need subuid
	[ -e /etc/subuid ] || need etc-subuid
	rootless_user 500000
	rootless_bundle '.linux.uidMappings = [{containerID: 0, hostID: $me, size: 1}, {containerID: 1, hostID: 700000, size: 10}]
		| .linux.gidMappings = .linux.uidMappings | sh("echo started")'
	bad "" rt run --bundle "$B" "$ID" </dev/null
	hasnt "$out" started
}

t_terminal() {
	rootless_user
	rootless_bundle 'sh("exec probe ctty") | .process.terminal = true'
	$RT_AS "$TAP_TOOLS/host" recvtty "$T/s" </dev/null >"$T/o" 2>&1 &
	until_ok test -S "$T/s"
	good rt run -d --bundle "$B" --console-socket "$T/s" "$ID" </dev/null
	until_ok grep -q "tty=1 sid=1" "$T/o"
}

t_hooks() {
	rootless_user
	rootless_bundle '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", ("id -u >" + $t + "/run.id")]}],
		startContainer: [{path: "/bin/sh", args: ["sh", "-c", "id -u >/start.id"]}]}' --arg t "$T"
	! have_root || chown $ME "$T"
	good rt run --bundle "$B" "$ID" </dev/null
	like "$(cat "$T/run.id")" "^(0|$ME)$"
	is "$(cat "$B/rootfs/start.id")" 0
}

t_limits_without_delegation_say_so() {
	need isle cgroup
	rootless_user
	rootless_bundle '.linux.resources = {pids: {limit: 10}} | sh("echo started")'
	run rt run --bundle "$B" "$ID" </dev/null
	if [ $rc != 0 ]; then
		like "$err" 'cgroup|control group|pids'
		is "$(grep -c . <<<"$err")" 1 "one line"
	fi
}

t_limits_with_a_delegated_group() {
	need cgroup1 isle
	rootless_user
	local c
	for c in pids memory cpu freezer devices cpuset cpuacct blkio systemd; do
		mkdir -p "/sys/fs/cgroup/$c$CGROUP/mine"
		chown -R $ME "/sys/fs/cgroup/$c$CGROUP/mine"
	done
	rootless_bundle '.linux.resources = {pids: {limit: 10}} | .linux.cgroupsPath = ($g + "/mine/c") | .process.args = ["probe", "forks", "50"]' --arg g "$CGROUP"
	# A process may be moved only by who owns both ends: start from within.
	run bash -c 'echo 0 >/sys/fs/cgroup/pids'"$CGROUP"'/mine/cgroup.procs; exec "$@"' - \
		$RT_AS "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	is $rc 0
	[ "$out" -lt 10 ] || fail "forks: $out"
}

t_kill_of_another_users_container_is_refused() {
	need root
	rootless_user
	local as=$RT_AS
	RT_AS=
	up
	RT_AS=$as
	bad "" rt kill "$ID" KILL
	RT_AS=
	is "$(status_of "$ID")" running
}

t_default_root_is_below_XDG_RUNTIME_DIR() {
	rootless_user
	rootless_bundle '.process.args = ["sleep", "1000"]'
	# shellcheck disable=SC2086
	good $RT_AS "$RUNTIME" run -d --bundle "$B" "$ID" </dev/null
	[ -z "$RT_AS" ] || [ -n "$(find "$T/run" -name "$ID")" ] || fail "not below $T/run"
	good $RT_AS "$RUNTIME" delete --force "$ID"
}

t_inside_a_user_namespace_as_its_root() {
	need isle
	rootless_user
	rootless_bundle 'ns("user") | del(.linux.uidMappings, .linux.gidMappings) | sh("id -u; echo ok")'
	run $RT_AS unshare -Urm "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	is $rc 0
	is "$out" "0
ok"
}

tap_main "$@"
