#!/bin/bash
# config.md#posix-platform-hooks: six kinds, their order, state, failures, timeouts.
. "${0%/*}/../lib/tap.sh"

# hook_script: $T/hook appends its first argument to $T/order and keeps its stdin.
hook_script() {
	cat >"$T/hook" <<-E
	#!/bin/sh
	echo "\$1" >>"$T/order"
	cat >"$T/state.\$1"
	readlink /proc/self/ns/mnt >"$T/mnt.\$1"
	env >"$T/env.\$1"
	exit \${2:-0}
	E
	chmod 755 "$T/hook"
}
# A hook inside the container (createContainer's path is the host's, startContainer's the container's).
hooks='def h(n): {path: ($t + "/hook"), args: ["hook", n], env: ["X=\(n)"]};'

t_order_of_all_six() {
	hook_script
	differs runc "1.1 does not wait for poststart"
	bundle "$hooks"'sh("echo started >>/order") | .hooks = {prestart: [h("prestart")], createRuntime: [h("createRuntime")],
		createContainer: [h("createContainer")],
		startContainer: [{path: "/bin/sh", args: ["sh", "-c", "echo startContainer >>/order"], env: ["PATH=/bin"]}],
		poststart: [h("poststart")], poststop: [h("poststop")]}' --arg t "$T"
	good rt create --bundle "$B" "$ID"
	is "$(cat order | tr '\n' ' ')" "prestart createRuntime createContainer "
	[ ! -e "$B/rootfs/order" ] || fail "startContainer ran at create"
	good rt start "$ID"
	wait_status "$ID" stopped
	good rt delete "$ID"
	is "$(cat order | tr '\n' ' ')" "prestart createRuntime createContainer poststart poststop "
	is "$(cat "$B/rootfs/order")" "startContainer
started"
}

t_state_on_stdin() {
	hook_script
	bundle "$hooks"'.annotations = {k: "v"} | .hooks = {prestart: [h("prestart")], createRuntime: [h("createRuntime")],
		createContainer: [h("createContainer")], poststart: [h("poststart")], poststop: [h("poststop")],
		startContainer: [{path: "/bin/sh", args: ["sh", "-c", "cat >/state"], env: ["PATH=/bin"]}]}' --arg t "$T"
	good rt run --bundle "$B" "$ID"
	local k
	for k in prestart createRuntime createContainer poststart poststop; do
		jq -e --arg id "$ID" --arg b "$B" '.id == $id and .bundle == $b and .annotations.k == "v"
			and (.ociVersion | startswith("1.")) and has("status")' state.$k >/dev/null || fail "$k: $(cat state.$k)"
	done
	for k in prestart createRuntime createContainer; do
		[ $ENGINE = runc ] || is "$(jq -r .status state.$k)" created $k
	done
	[ $ENGINE = runc ] || like "$(jq -r .status state.poststart)" '^(running|stopped)$'
	is "$(jq -r .status state.poststop)" stopped
	jq -e '.pid > 0' state.createRuntime >/dev/null
	jq -e '.id' "$B/rootfs/state" >/dev/null
}

# Only a mount of type cgroup makes the child wait for its groups ahead of the hooks.
t_without_a_cgroup_mount() {
	hook_script
	bundle "$hooks"'del(.mounts[] | select(.type == "cgroup")) | .hooks = {prestart: [h("prestart")],
		createRuntime: [h("createRuntime")], createContainer: [h("createContainer")]}' --arg t "$T"
	good rt run --bundle "$B" "$ID"
	is "$(tr '\n' ' ' <order)" "prestart createRuntime createContainer "
	is "$(jq -r .id state.createContainer)" "$ID"
}

t_environment_is_exactly_the_hooks() {
	hook_script
	bundle "$hooks"'.hooks = {createRuntime: [h("createRuntime")]}' --arg t "$T"
	run env SECRET=1 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID"
	has "$(cat env.createRuntime)" "X=createRuntime"
	hasnt "$(cat env.createRuntime)" SECRET
}

t_namespaces_of_the_kinds() {
	hook_script
	bundle "$hooks"'.hooks = {prestart: [h("prestart")], createRuntime: [h("createRuntime")],
		createContainer: [h("createContainer")], poststart: [h("poststart")], poststop: [h("poststop")]}' --arg t "$T"
	good rt run --bundle "$B" "$ID"
	local host k
	host=$(readlink /proc/self/ns/mnt)
	for k in prestart createRuntime poststart poststop; do is "$(cat mnt.$k)" "$host" $k; done
	isnt "$(cat mnt.createContainer)" "$host"
}

t_args_0_and_no_args() {
	printf '#!/bin/sh\necho "n=$#" >'"$T/n"'\n' >"$T/h2" && chmod 755 "$T/h2"
	bundle '.hooks = {createRuntime: [{path: ($t + "/h2")}]}' --arg t "$T"
	good rt run --bundle "$B" "$ID"
	is "$(cat n)" "n=0"
}

t_several_hooks_in_order() {
	hook_script
	bundle "$hooks"'.hooks = {createRuntime: [h("a"), h("b"), h("c")]}' --arg t "$T"
	good rt run --bundle "$B" "$ID"
	is "$(tr '\n' ' ' <order)" "a b c "
}

# failing KIND: a hook that fails stops the creation, later hooks, and leaves nothing.
failing() {
	hook_script
	bundle "$hooks"'sh("echo started") | .hooks = {($k): [{path: ($t + "/hook"), args: ["hook", "bad", "3"]}, h("later")],
		poststop: [h("poststop")]}' --arg t "$T" --arg k "$1"
	bad "" rt run --bundle "$B" "$ID"
	hasnt "$out" started
	bad "container does not exist" rt state "$ID"
	! grep -q later order || fail "later hooks ran"
	! tap_groups | grep "$ID" || fail "a group is left"
	is "$(tap_strays)" "" "processes"
}

t_failing_prestart() { failing prestart; }
t_failing_createRuntime() { failing createRuntime; }
t_failing_createContainer() { failing createContainer; }

t_failing_startContainer() {
	differs runc "1.1 start has gone by then"
	bundle 'sh("echo started") | .hooks = {startContainer: [{path: "/bin/false"}]}'
	good rt create --bundle "$B" "$ID"
	run rt start "$ID"
	isnt $rc 0
	wait_status "$ID" stopped
	good rt delete "$ID"
}

t_failing_poststart_stops_the_container() {
	differs runc crun "1.1 runs it at create, 1.8 deletes the container"
	hook_script
	bundle "$hooks"'.process.args = ["sleep", "100"] | .hooks = {poststart: [{path: ($t + "/hook"), args: ["hook", "bad", "3"]}, h("later")]}' --arg t "$T"
	good rt create --bundle "$B" "$ID"
	bad "error running poststart hook #0:" rt start "$ID"
	wait_status "$ID" stopped
	is "$(tr '\n' ' ' <order)" "bad "
	good rt delete "$ID"
}

t_failing_poststart_fails_run() {
	need isle
	bundle '.process.args = ["sleep", "100"] | .hooks = {poststart: [{path: "/bin/true"}, {path: "/bin/false"}]}'
	bad "error running poststart hook #1:" rt run --bundle "$B" "$ID"
	bad "container does not exist" rt state "$ID"
	bad "error running poststart hook #1:" rt run -d --bundle "$B" "$ID"
	bad "container does not exist" rt state "$ID"
}

t_failing_poststop_is_only_warned_of() {
	differs runc "1.1 drops the later ones"
	hook_script
	bundle "$hooks"'.hooks = {poststop: [{path: ($t + "/hook"), args: ["hook", "bad", "3"]}, h("later")]}' --arg t "$T"
	good rt create --bundle "$B" "$ID"
	good rt delete --force "$ID"
	is "$(tr '\n' ' ' <order)" "bad later "
	bad "container does not exist" rt state "$ID"
}

t_error_names_the_hook() {
	differs crun "says less"
	printf '#!/bin/sh\necho because of that >&2\nexit 5\n' >"$T/h2" && chmod 755 "$T/h2"
	bundle '.hooks = {createRuntime: [{path: "/bin/true"}, {path: ($t + "/h2")}]}' --arg t "$T"
	bad "because of that" rt run --bundle "$B" "$ID"
	says "#1"
	[ $ENGINE = runc ] || says createRuntime
}

t_timeout_kills_and_fails() {
	bundle '.hooks = {createRuntime: [{path: "/bin/sleep", args: ["sleep", "100"], timeout: 1}]}'
	run timeout 15 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID"
	[ $rc != 0 ] && [ $rc != 124 ] || fail "rc $rc"
	is "$(tap_strays)" "" "processes"
}

t_timeout_of_zero_or_less_is_refused() {
	need isle
	bundle '.hooks = {createRuntime: [{path: "/bin/true", timeout: -1}]}'
	bad "" rt run --bundle "$B" "$ID"
}

t_hook_path_must_be_absolute() {
	differs crun runc "1.1 and 1.8 try it"
	bundle '.hooks = {createRuntime: [{path: "true"}]}'
	bad "" rt run --bundle "$B" "$ID"
}

t_hook_that_is_missing() {
	bundle '.hooks = {createRuntime: [{path: "/no/hook"}]}'
	bad "no such file or directory" rt run --bundle "$B" "$ID"
	bad "container does not exist" rt state "$ID"
}

t_a_hook_that_does_not_read_its_stdin() {
	bundle '.annotations.big = ("x" * 200000) | .hooks = {createRuntime: [{path: "/bin/true"}]}'
	good timeout 20 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID"
}

t_hooks_see_the_namespaces_by_pid() {
	cat >"$T/h2" <<-E
	#!/bin/sh
	p=\$(jq .pid)
	readlink /proc/\$p/ns/net >"$T/net"
	E
	chmod 755 "$T/h2"
	bundle 'sh("readlink /proc/self/ns/net") | .hooks = {createRuntime: [{path: ($t + "/h2"), env: ["PATH=/usr/bin:/bin"]}]}' --arg t "$T"
	good rt run --bundle "$B" "$ID"
	is "$out" "$(cat net)"
}

t_createContainer_sees_the_rootfs_before_pivot() {
	printf '#!/bin/sh\nls '"$T"'/b1/rootfs/proc/1 >/dev/null 2>&1 && echo mounted >'"$T/seen"'\n' >"$T/h2" && chmod 755 "$T/h2"
	bundle '.hooks = {createContainer: [{path: ($t + "/h2"), env: ["PATH=/usr/bin:/bin"]}]}' --arg t "$T"
	good rt run --bundle "$B" "$ID"
	is "$(cat seen)" mounted
}

tap_main "$@"
