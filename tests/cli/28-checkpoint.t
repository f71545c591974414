#!/bin/bash
# isle-runtime checkpoint and restore: what is told to criu, what it answers, and, where
# criu works on the kernel, the whole way.
. "${0%/*}/../lib/tap.sh"

# A stand-in for criu: $1 is what it does after it has written its arguments to "args",
# one a line.  D is the image directory.
fake_criu() {
	cat >criu <<-END
		#!/bin/sh
		printf '%s\n' "\$@" >$PWD/args
		while [ \$# -gt 0 ]; do
			case \$1 in -W) W=\$2 ;; -o) O=\$2 ;; --pidfile) P=\$2 ;;
			--action-script) S=\$2 ;; esac
			shift
		done
		$1
	END
	chmod +x criu
	RT_GLOBAL="--criu $PWD/criu"
}

dump() { rt checkpoint --image-path "$PWD/img" "$@" "$ID"; }

t_checkpoint_of_a_missing_container() {
	need isle
	bad "container does not exist" rt checkpoint --image-path "$PWD/img" nope
}

t_checkpoint_of_a_created_container_is_refused() {
	need isle
	bundle
	good rt create --bundle "$B" "$ID"
	bad "created" dump
	good rt delete --force "$ID"
}

t_criu_that_is_missing_names_the_package() {
	need isle
	up
	RT_GLOBAL="--criu /nonexistent/criu"
	bad "install the package criu" dump
	is "$(status_of "$ID")" running
}

t_criu_that_fails_gives_its_error_and_its_log() {
	need isle
	up
	fake_criu 'echo "(0.1) Error (criu/a.c:1): vdso: the cause" >$W/$O
		echo "(0.2) Error (criu/b.c:2): the outcome" >>$W/$O; echo noise >&2; exit 1'
	mkdir work
	bad "criu failed: vdso: the cause: the outcome (log: $PWD/work/dump.log)" \
		dump --work-path "$PWD/work"
	is "$(grep -c . <<<"$err")" 1 "lines on stderr"
	is "$(status_of "$ID")" running
}

t_criu_that_is_killed() {
	need isle
	up
	fake_criu 'kill -9 $$'
	bad "criu was killed by signal 9" dump
}

t_options_reach_criu() {
	need isle
	up '.mounts += [{destination: "/host", type: "bind", source: "/usr", options: ["rbind"]}]'
	local o args
	fake_criu 'exit 0'
	good dump --leave-running --tcp-established --tcp-skip-in-flight --ext-unix-sk --shell-job \
		--file-locks --auto-dedup --link-remap --manage-cgroups-mode full \
		--empty-ns network --parent-path ../old --page-server 10.0.0.1:27
	args=$(cat args)
	is "$(head -n 1 args)" dump
	for o in --leave-running --tcp-established --skip-in-flight --ext-unix-sk --shell-job \
		 --file-locks --auto-dedup --link-remap --manage-cgroups=full --page-server \
		 --track-mem 'mnt[/host]:/host'; do
		grep -qxF -- "$o" args || fail "$o is not in: $args"
	done
	has "$args" $'--empty-ns\nnet'
	has "$args" $'--prev-images-dir\n../old'
	has "$args" $'--address\n10.0.0.1\n--port\n27'
	has "$args" $'-t\n'"$(rt state "$ID" | jq .pid)"$'\n'
	is "$(status_of "$ID")" running
}

t_freezer_is_named_to_criu() {
	need isle cgroup
	up
	fake_criu 'exit 0'
	good dump --leave-running
	local dir
	dir=$(grep -A1 -x -e --freeze-cgroup args | tail -n 1)
	grep -qx "$(rt state "$ID" | jq .pid)" "$dir/cgroup.procs"
}

t_pre_dump_leaves_it_running() {
	need isle
	up
	fake_criu 'exit 0'
	good dump --pre-dump
	is "$(head -n 1 args)" pre-dump
	is "$(status_of "$ID")" running
}

t_a_dumped_container_is_deleted() {
	need isle
	up
	fake_criu 'exit 0'
	good dump
	bad "container does not exist" rt state "$ID"
	[ -s img/descriptors.json ]
}

t_options_that_cannot_be_honoured_are_refused() {
	need isle
	up
	fake_criu 'exit 0'
	bad "--lazy-pages" dump --lazy-pages
	bad "--parent-path" dump --parent-path /abs
	bad "--manage-cgroups-mode" dump --manage-cgroups-mode some
	bad "--empty-ns" dump --empty-ns pid
	bad "--status-fd" dump --status-fd 99
	bad "--page-server" dump --page-server nowhere
	[ ! -e args ] || fail "criu was run"
	bad "--no-pivot" rt restore --no-pivot --bundle "$B" x
	bad "--lsm-profile" rt restore --lsm-profile smack:x --image-path "$PWD/img" --bundle "$B" x
}

t_status_fd_is_criu_s() {
	need isle
	up
	fake_criu 'echo ready >&7'
	good dump --leave-running --status-fd 7 7>ready
	is "$(cat ready)" ready
}

t_failed_restore_leaves_nothing() {
	need isle cgroup
	bundle
	mkdir img
	echo '["/dev/null","pipe:[1]","pipe:[1]"]' >img/descriptors.json
	fake_criu 'echo "(0.1) Error (criu/x.c:1): it is broken" >$W/$O; exit 1'
	bad "it is broken (log: $PWD/img/restore.log)" \
		rt restore --image-path "$PWD/img" --bundle "$B" "$ID"
	is "$(rt list -q)" ""
	is "$(tap_groups | grep "/$ID" || true)" "" "groups"
	is "$(grep -c "$B" /proc/self/mountinfo || true)" 0 "mounts"
	# Stdout and stderr were one pipe: one descriptor takes its place.
	is "$(grep -c '^fd\[[0-9]*\]:pipe:\[1\]$' args)" 1
}

t_restore_without_images() {
	need isle
	bundle
	bad "no such file or directory" rt restore --image-path "$PWD/nothing" --bundle "$B" "$ID"
	mkdir empty
	bad "descriptors.json" rt restore --image-path "$PWD/empty" --bundle "$B" "$ID"
	is "$(rt list -q)" ""
}

# A criu that comes to its script as the real one does, with its own process as init.
scripted_criu() {
	fake_criu '
		CRTOOLS_SCRIPT_ACTION=pre-restore "$S" </dev/null || exit 9
		CRTOOLS_SCRIPT_ACTION=setup-namespaces CRTOOLS_INIT_PID=$$ "$S" || {
			echo "(0.1) Error (criu/x.c:1): the script failed" >$W/$O; exit 1; }
		sleep 1000 & echo $! >$P'
	mkdir -p img
	echo '["/dev/null","pipe:[1]","pipe:[1]"]' >img/descriptors.json
}

t_restore_runs_hooks_when_namespaces_are_made() {
	need isle
	bundle '.hooks = {prestart: [{path: "/bin/sh", args: ["sh", "-c", "cat >" + $d + "/one"]}],
		createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "cat >" + $d + "/two"]}]}' \
		--arg d "$PWD"
	scripted_criu
	good rt restore --detach --image-path "$PWD/img" --bundle "$B" "$ID"
	is "$(jq -r '.status, .id' one)" "created"$'\n'"$ID"
	[ "$(jq .pid one)" -gt 0 ]
	cmp one two
	[ "$(jq .pid one)" != "$(rt state "$ID" | jq .pid)" ]
	good rt delete --force "$ID"
}

t_restore_ends_with_a_hook_that_fails() {
	need isle cgroup
	bundle '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "echo no >&2; exit 3"]}],
		poststop: [{path: "/bin/sh", args: ["sh", "-c", "cat >" + $d + "/end"]}]}' \
		--arg d "$PWD"
	scripted_criu
	bad "createRuntime hook #0: /bin/sh: exit status 3: no" \
		rt restore --detach --image-path "$PWD/img" --bundle "$B" "$ID"
	is "$(rt list -q)" ""
	is "$(tap_groups | grep "/$ID" || true)" "" "groups"
	[ -s end ]
}

t_restore_whose_criu_ends_before_its_script() {
	need isle
	bundle '.hooks.prestart = [{path: "/bin/true"}]'
	scripted_criu
	fake_criu 'echo "(0.1) Error (criu/x.c:1): it is broken" >$W/$O; exit 1'
	bad "it is broken" rt restore --image-path "$PWD/img" --bundle "$B" "$ID"
}

t_restore_refuses_hooks_it_cannot_run() {
	need isle
	bundle '.hooks.createContainer = [{path: "/bin/true"}]'
	mkdir img
	bad "hooks.createContainer" rt restore --image-path "$PWD/img" --bundle "$B" "$ID"
}

t_there_and_back() {
	need isle criu
	local pid
	bundle 'sh("i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done")'
	# Pipes, as engines give: what "good" captures in is a file.
	rt create --bundle "$B" "$ID" </dev/null > >(cat >one) 2>&1
	good rt start "$ID"
	until_ok grep -qx 3 one
	good dump
	is "$(rt list -q)" ""
	[ "$(tail -n 1 one)" -ge 3 ]
	rt restore --detach --image-path "$PWD/img" --bundle "$B" --pid-file "$PWD/pid" "$ID" \
		</dev/null > >(cat >two) 2>&1
	until_ok test -s two
	[ "$(head -n 1 two)" = $(($(tail -n 1 one) + 1)) ] || fail "$(head -n 1 two) after $(tail -n 1 one)"
	pid=$(rt state "$ID" | jq .pid)
	is "$(cat pid)" "$pid"
	is "$(status_of "$ID")" running
	good rt exec "$ID" true
	good rt pause "$ID"
	good rt resume "$ID"
	good rt kill "$ID" KILL
	wait_status "$ID" stopped
	good rt delete "$ID"
}

# In the runtime's namespaces, with the network namespace of the container there to be
# filled, which is what these hooks are for.
t_there_and_back_with_hooks() {
	need isle criu
	local h='pid=$(jq .pid); readlink /proc/$pid/ns/net /proc/self/ns/net'
	bundle 'sh("while :; do sleep 0.2; done") | newns("network") | .hooks.createRuntime =
		[{path: "/bin/sh", args: ["sh", "-c", $h + " >" + $d + "/nets"]}]' --arg d "$PWD" --arg h "$h"
	rt create --bundle "$B" "$ID" </dev/null > >(cat) 2>&1
	good rt start "$ID"
	good dump
	rm nets
	rt restore --detach --image-path "$PWD/img" --bundle "$B" "$ID" </dev/null > >(cat) 2>&1
	is "$(status_of "$ID")" running
	is "$(head -n 1 nets)" "$(readlink "/proc/$(rt state "$ID" | jq .pid)/ns/net")"
	is "$(tail -n 1 nets)" "$(readlink /proc/self/ns/net)"
	[ "$(head -n 1 nets)" != "$(tail -n 1 nets)" ]
	good rt delete --force "$ID"
}

t_there_and_back_with_a_terminal() {
	need isle criu
	bundle 'sh("while read x; do echo got $x; done") | .process.terminal = true'
	"$TAP_TOOLS/host" recvtty "$PWD/s1" </dev/null >t1 2>&1 &
	until_ok test -S s1
	good rt create --bundle "$B" --console-socket "$PWD/s1" "$ID"
	good rt start "$ID"
	good dump
	mkfifo in
	"$TAP_TOOLS/host" recvtty "$PWD/s2" <in >t2 2>&1 &
	exec 9>in
	until_ok test -S s2
	good rt restore --detach --image-path "$PWD/img" --bundle "$B" \
		--console-socket "$PWD/s2" "$ID"
	echo hello >&9
	until_ok grep -q 'got hello' t2
	exec 9>&-
	good rt delete --force "$ID"
}

t_restore_in_the_foreground_gives_the_status() {
	need isle criu
	bundle 'sh("sleep 3; exit 7")'
	rt create --bundle "$B" "$ID" </dev/null > >(cat) 2>&1
	good rt start "$ID"
	good dump
	rc=0
	rt restore --image-path "$PWD/img" --bundle "$B" "$ID" </dev/null > >(cat) 2>&1 || rc=$?
	is $rc 7
	is "$(rt list -q)" ""
}

tap_main "$@"
