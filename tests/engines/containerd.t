#!/bin/bash
# timeout: 240
# containerd.t - containerd 1.6 and its client ctr with $RUNTIME as the runc shim's program.
# shellcheck source=tests/engines/engine.sh
. "$(dirname "$(readlink -f "$0")")/engine.sh"

engine_need containerd ctr containerd-shim-runc-v2 script jq

containerd_start() {
	mkdir "$TAP_DIR/containerd"     # else only root may pass, which a user namespace must
	cat >"$TAP_DIR/containerd.toml" <<-END
		version = 2
		root = "$TAP_DIR/containerd/root"
		state = "$TAP_DIR/containerd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$TAP_DIR/containerd.sock"
	END
	daemon containerd containerd --config "$TAP_DIR/containerd.toml"
	daemon_wait containerd ctr -a "$TAP_DIR/containerd.sock" version
	c images import --base-name isle.test/busybox "$IMAGES/busybox.tar" >/dev/null ||
		tap_bail "ctr image import"
}

c() { timeout 60 ctr -a "$TAP_DIR/containerd.sock" -n isle "$@"; }
# crun ARGS...: ctr run with our runtime, of the container $NAME.
c_run() {
	NAME=c$TAP_CASE
	run c run --runtime io.containerd.runc.v2 --runc-binary "$RUNTIME" \
		--runc-root "$T/runc" --cgroup "$CGROUP/$NAME" "$@"
}
# c_up [ARGS...]: a container in the background, sleeping.
c_up() {
	c_run -d "$@" $IMAGE "c$TAP_CASE" sleep 1000
	is $rc 0 "ctr run -d"
}
task_is() { c tasks ls | grep -Eq "^$NAME +[0-9]+ +$1\$"; }
in_c() { run c tasks exec --exec-id "x$RANDOM" "$NAME" "$@"; }

tap_sweep() {
	local n
	for n in $(c containers ls -q 2>/dev/null); do
		c tasks resume "$n" >/dev/null 2>&1
		c tasks kill -a -s KILL "$n" >/dev/null 2>&1
		c tasks rm -f "$n" >/dev/null 2>&1
		c containers rm "$n" >/dev/null 2>&1
	done
}

t_image_import_made_the_image() {
	run c images ls -q
	has "$out" $IMAGE
}

t_run_prints_and_exits_0() {
	c_run --rm $IMAGE "c$TAP_CASE" echo hello
	is $rc 0 && is "$out" hello
}

t_exit_code_of_the_program() {
	c_run --rm $IMAGE "c$TAP_CASE" sh -c 'exit 7'
	is $rc 7
}

t_a_missing_program_is_told_in_words() {
	c_run --rm $IMAGE "c$TAP_CASE" no-such-program
	isnt $rc 0
	has "$err" "executable file not found in \$PATH"
}

t_what_is_not_a_program_is_told_in_words() {
	c_run --rm $IMAGE "c$TAP_CASE" /bin/noexec
	isnt $rc 0
	has "$err" "permission denied"
}

t_run_with_a_terminal() {
	NAME=c$TAP_CASE
	pty ctr -a "$TAP_DIR/containerd.sock" -n isle run -t --rm \
		--runtime io.containerd.runc.v2 --runc-binary "$RUNTIME" \
		--cgroup "$CGROUP/$NAME" $IMAGE "$NAME" sh -c 'tty; exit 3'
	is $rc 3
	has "$out" /dev/pts/0
}

t_environment_directory_and_mounts() {
	mkdir "$T/v"
	echo seen >"$T/v/f"
	c_run --rm --env A=b --cwd /tmp \
		--mount "type=bind,src=$T/v,dst=/v,options=rbind:ro" $IMAGE "c$TAP_CASE" \
		sh -c 'echo $A $(pwd) $(cat /v/f); echo x >/v/g'
	is "$out" "b /tmp seen"
	has "$err" "Read-only file system"
}

t_read_only_root() {
	c_run --rm --read-only $IMAGE "c$TAP_CASE" touch /x
	isnt $rc 0
	has "$err" "Read-only file system"
}

t_no_new_privs_caps_and_seccomp() {
	c_run --rm --seccomp --cap-drop CAP_CHOWN $IMAGE "c$TAP_CASE" \
		grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status
	is "$(status_field CapEff <<<"$out")" 00000000a80425fa
	is "$(status_field NoNewPrivs <<<"$out")" 1
	is "$(status_field Seccomp <<<"$out")" 2
}

t_host_network_is_the_daemons() {
	c_run --rm --net-host $IMAGE "c$TAP_CASE" readlink /proc/self/ns/net
	is "$out" "$(readlink /proc/self/ns/net)"
}

t_private_user_namespace() {
	c_run --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 --remap-labels $IMAGE \
		"c$TAP_CASE" sh -c 'id -u; cat /proc/self/uid_map'
	is $rc 0
	like "$out" '0 +100000 +65536'
}

t_the_list_and_the_processes() {
	c_up
	task_is RUNNING
	run c tasks ps "$NAME"
	is $rc 0
	like "$out" '[0-9]+'
	run c containers info "$NAME"
	has "$out" io.containerd.runc.v2
}

t_exec_output_and_exit_code() {
	c_up
	in_c sh -c 'echo $FROM_IMAGE; exit 9'
	is $rc 9 && is "$out" yes
}

t_exec_user_directory_and_terminal() {
	c_up
	run c tasks exec --exec-id x1 --user 1000 --cwd /tmp "$NAME" sh -c 'id -u; pwd'
	is "$out" $'1000\n/tmp'
	pty ctr -a "$TAP_DIR/containerd.sock" -n isle tasks exec -t --exec-id x2 "$NAME" tty
	has "$out" /dev/pts/
}

t_exec_of_a_missing_program() {
	c_up
	in_c no-such-program
	isnt $rc 0
	has "$err" "executable file not found in \$PATH"
}

t_pause_and_resume() {
	c_up
	good c tasks pause "$NAME"
	task_is PAUSED
	good c tasks resume "$NAME"
	task_is RUNNING
	in_c echo on
	is "$out" on
}

t_kill_and_the_exit_code() {
	c_up
	good c tasks kill -s KILL "$NAME"
	until_ok task_is STOPPED
	run c tasks rm "$NAME"
	has "$err" "exit code 137"
}

t_kill_a_signal_that_is_handled() {
	c_run -d $IMAGE "c$TAP_CASE" sh -c 'trap "exit 12" USR1; while :; do sleep 0.1; done'
	sleep 0.3
	good c tasks kill -s USR1 "$NAME"
	until_ok task_is STOPPED
	run c tasks rm "$NAME"
	has "$err" "exit code 12"
}

t_kill_all_with_a_shared_pid_namespace() {
	c_run -d --with-ns "pid:/proc/$$/ns/pid" $IMAGE "c$TAP_CASE" sh -c 'sleep 2002 & sleep 2001'
	is $rc 0
	good c tasks kill -a -s KILL "$NAME"
	until_ok task_is STOPPED
	run c tasks rm "$NAME"
	is "$(pgrep -f '^sleep 200[12]$')" ""
}

t_metrics_show_numbers() {
	c_up --memory-limit 67108864
	run c tasks metrics "$NAME"
	is $rc 0
	has "$out" 67108864
	like "$out" 'pids\.current +1'
}

t_memory_limit_kills() {
	c_run --rm --memory-limit 16777216 $IMAGE "c$TAP_CASE" tail /dev/zero
	is $rc 137
}

t_cpu_quota() {
	c_up --cpus 0.5
	if [ "$CGROUP_MODE" = 2 ]; then
		is "$(cat "/sys/fs/cgroup$CGROUP/$NAME/cpu.max")" "50000 100000"
	else
		is "$(cat "/sys/fs/cgroup/cpu$CGROUP/$NAME/cpu.cfs_quota_us")" 50000
	fi
}

t_delete_leaves_nothing() {
	c_up
	good c tasks kill -s KILL "$NAME"
	until_ok task_is STOPPED
	run c tasks rm "$NAME"
	good c containers rm "$NAME"
	is "$(find "$T/runc" -mindepth 2 2>/dev/null)" ""
	is "$(find /sys/fs/cgroup/ -type d -path "*$CGROUP/$NAME")" ""
	is "$(grep -c "/$NAME/" /proc/self/mountinfo || true)" 0
}

t_a_task_that_runs_is_not_deleted() {
	c_up
	run c tasks rm "$NAME"
	isnt $rc 0
	task_is RUNNING
}

t_the_shim_dies_and_the_container_can_be_removed() {
	c_up
	local shim pid
	pid=$(c tasks ls | awk -v n="$NAME" '$1 == n { print $2 }')
	shim=$(ps -o ppid= -p "$pid" | tr -d ' ')
	is "$(cat "/proc/$shim/comm")" containerd-shim
	kill -9 "$shim"
	# containerd runs the shim once more, which asks the runtime to delete by force.
	until_ok test ! -e "$T/runc/isle/$NAME"
	until_ok test ! -e "/proc/$pid"
	run c containers rm "$NAME"
	is "$(find /sys/fs/cgroup/ -type d -path "*$CGROUP/$NAME")" ""
}

engine_setup
engine_cgroup
containerd_start
tap_main "$@"
