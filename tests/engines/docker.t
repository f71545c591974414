#!/bin/bash
# timeout: 240
# docker.t - Docker's engine (docker.io of Debian 12) with $RUNTIME as its runtime.
#
# What is asserted is what a user of Docker sees: output, exit codes, limits, signals.
# shellcheck source=tests/engines/engine.sh
. "$(dirname "$(readlink -f "$0")")/engine.sh"

DOCKER=/usr/bin/docker          # Debian's, whatever else is in PATH
engine_need containerd dockerd $DOCKER ip iptables script jq

export DOCKER_HOST=unix://$TAP_DIR/docker.sock
export DOCKER_CONFIG=$TAP_DIR/docker-config

# The name under which dockerd starts it is the runtime's own, as in the manuals.
docker_start() {
	mkdir -p "$TAP_DIR"/{data,exec,containerd,config,path,docker-config}
	# BuildKit inside dockerd calls "runc", whatever --default-runtime says.
	ln -s "$RUNTIME" "$TAP_DIR/path/runc"
	cat >"$TAP_DIR/containerd.toml" <<-END
		version = 2
		root = "$TAP_DIR/containerd/root"
		state = "$TAP_DIR/containerd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$TAP_DIR/containerd.sock"
	END
	daemon containerd env PATH="$TAP_DIR/path:$PATH" \
		containerd --config "$TAP_DIR/containerd.toml"
	daemon_wait containerd ctr -a "$TAP_DIR/containerd.sock" version
	jq -n --arg rt "$RUNTIME" '{runtimes: {isle: {path: $rt}}, "default-runtime": "isle"}' \
		>"$TAP_DIR/daemon.json"
	daemon dockerd env PATH="$TAP_DIR/path:$PATH" dockerd \
		--config-file "$TAP_DIR/daemon.json" --containerd "$TAP_DIR/containerd.sock" \
		--data-root "$TAP_DIR/data" --exec-root "$TAP_DIR/exec" \
		--pidfile "$TAP_DIR/docker.pid" -H "$DOCKER_HOST" -G root \
		--cgroup-parent "$CGROUP" --exec-opt native.cgroupdriver=cgroupfs \
		--userland-proxy=false
	daemon_wait dockerd $DOCKER version
	$DOCKER load -q -i "$IMAGES/busybox.tar" >/dev/null || tap_bail "docker load"
	$DOCKER load -q -i "$IMAGES/debian.tar" >/dev/null || tap_bail "docker load"
}

d() { timeout 60 $DOCKER "$@"; }
# drun ARGS...: docker run --rm; sets rc, out, err.
drun() { run d run --rm --runtime isle "$@"; }
# dbg ARGS...: a container named $NAME in the background, sleeping unless told otherwise.
dbg() {
	NAME=c$TAP_CASE
	good d run -d --runtime isle --name "$NAME" "$@"
	CID=$out
}
dbg_sleep() { dbg "$@" $IMAGE sleep 1000; }
inspect() { d inspect -f "$1" "$NAME"; }
state_is() { [ "$(inspect '{{.State.Status}}')" = "$1" ]; }
in_c() { run d exec "$NAME" "$@"; }

tap_sweep() {
	local c
	c=$($DOCKER ps -aq 2>/dev/null)
	# shellcheck disable=SC2086
	[ -z "$c" ] || timeout 30 $DOCKER rm -f $c >/dev/null 2>&1
}

# --- run: output and exit codes -------------------------------------------------

t_run_prints_and_exits_0() {
	drun $IMAGE echo hello
	is $rc 0 && is "$out" hello
}

t_the_runtime_is_the_one_asked_for() {
	dbg_sleep
	is "$(inspect '{{.HostConfig.Runtime}}')" isle
	run d info -f '{{.DefaultRuntime}} {{(index .Runtimes "isle").Path}}'
	is "$out" "isle $RUNTIME"
}

t_exit_code_of_the_program() {
	drun $IMAGE sh -c 'exit 7'
	is $rc 7
}

t_exit_code_of_a_signal_is_128_more() {
	# PID 1 of a namespace ignores what it does not handle; a child does not.
	drun $IMAGE sh -c 'sleep 100 & kill -KILL $!; wait $!'
	is $rc 137
	dbg_sleep
	good d kill -s KILL "$NAME"
	run d wait "$NAME"
	is "$out" 137
}

t_127_where_the_program_is_missing() {
	drun $IMAGE no-such-program
	is $rc 127
	has "$err" "executable file not found in \$PATH"
	drun $IMAGE /no/such/program
	is $rc 127
	has "$err" "no such file or directory"
}

t_126_where_the_program_cannot_be_executed() {
	drun $IMAGE /bin/noexec
	is $rc 126
	has "$err" "permission denied"
	drun $IMAGE /etc
	is $rc 126
}

t_125_where_docker_refuses() {
	drun --no-such-option $IMAGE true
	is $rc 125
}

t_working_directory_that_is_missing_is_made() {
	drun -w /made/here $IMAGE pwd
	is $rc 0 && is "$out" /made/here
}

t_stderr_is_apart_from_stdout() {
	drun $IMAGE sh -c 'echo o; echo e >&2'
	is "$out" o && is "$err" e
}

t_stdin_arrives() {
	rc=0
	out=$(echo text | d run --rm -i --runtime isle $IMAGE cat) || rc=$?
	is $rc 0 && is "$out" text
}

t_a_dynamically_linked_program_runs() {
	drun $DEBIAN bash -c 'perl -e "print 6*7" && . /etc/os-release && echo " $ID"'
	is $rc 0 && is "$out" "42 debian"
}

t_environment_hostname_and_image_settings() {
	drun -e A=b -h named $IMAGE sh -c 'echo $A $FROM_IMAGE; hostname; cat /etc/hostname'
	is $rc 0 && is "$out" $'b yes\nnamed\nnamed'
}

# --- terminals --------------------------------------------------------------------

t_run_it_gives_a_terminal() {
	pty $DOCKER run --rm -it --runtime isle $IMAGE sh -c 'test -t 0 && test -t 1 && tty'
	is $rc 0
	has "$out" /dev/pts/0
}

t_run_it_takes_input_and_exit_code() {
	pty $DOCKER run --rm -it --runtime isle $IMAGE sh < <(
		sleep 1.5; echo 'echo sum=$((40+2))'; echo 'exit 5'; sleep 3)
	is $rc 5
	has "$out" sum=42
}

t_run_it_has_the_size_of_the_terminal() {
	pty sh -c "stty rows 33 cols 77; $DOCKER run --rm -it --runtime isle $IMAGE \
		sh -c 'sleep 0.5; stty size'"
	is $rc 0
	has "$out" "33 77"
}

# --- exec ---------------------------------------------------------------------------

t_exec_output_and_exit_code() {
	dbg_sleep
	in_c echo inside
	is $rc 0 && is "$out" inside
	in_c sh -c 'exit 9'
	is $rc 9
}

t_exec_codes_126_and_127() {
	dbg_sleep
	# Docker 20.10 makes it 126 either way; later ones tell them apart.
	in_c no-such-program
	like $rc '^12[67]$'
	has "$out$err" "executable file not found in \$PATH"
	in_c /bin/noexec
	is $rc 126
	has "$out$err" "permission denied"
}

t_exec_environment_user_and_directory() {
	dbg_sleep -e OUTER=1
	run d exec -e INNER=2 -u ann -w /tmp "$NAME" sh -c 'echo $OUTER$INNER $(id -un) $(pwd)'
	is $rc 0 && is "$out" "12 ann /tmp"
	run d exec -u 1234:77 "$NAME" id
	has "$out" "uid=1234 gid=77"
}

t_exec_with_a_terminal() {
	dbg_sleep
	pty $DOCKER exec -it "$NAME" sh -c 'tty; exit 4'
	is $rc 4
	has "$out" /dev/pts/
}

t_exec_takes_stdin() {
	dbg_sleep
	out=$(echo piped | d exec -i "$NAME" cat)
	is "$out" piped
}

t_exec_detached() {
	dbg_sleep
	good d exec -d "$NAME" touch /tmp/detached
	until_ok d exec "$NAME" test -e /tmp/detached
}

# Where root itself lacks some, what can be granted is granted with a warning
# (runtime-spec config.md#linux-process); runc 1.1 and crun 1.8 give up.
runc_needs_all_capabilities() {
	[ "$(status_field CapBnd </proc/self/status)" = 000001ffffffffff ] ||
		differs runc crun "fails where the host's root lacks a capability"
}

t_exec_privileged_has_more_capabilities() {
	runc_needs_all_capabilities
	dbg_sleep
	in_c grep CapEff /proc/self/status
	local few=$out
	run d exec --privileged "$NAME" grep CapEff /proc/self/status
	is $rc 0 && isnt "$out" "$few"
}

t_exec_in_a_stopped_container_is_refused() {
	dbg_sleep --stop-signal KILL
	good d stop "$NAME"
	in_c true
	isnt $rc 0
	has "$err" "not running"
}

# --- life -----------------------------------------------------------------------------

t_stop_sends_the_signal_and_reads_the_code() {
	dbg $IMAGE sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	good d stop -t 10 "$NAME"
	is "$(inspect '{{.State.Status}} {{.State.ExitCode}}')" "exited 3"
}

t_stop_kills_after_its_time() {
	dbg $IMAGE sh -c 'trap "" TERM; while :; do sleep 1; done'
	good d stop -t 1 "$NAME"
	is "$(inspect '{{.State.Status}} {{.State.ExitCode}}')" "exited 137"
}

t_kill_with_a_signal_by_name() {
	dbg $IMAGE sh -c 'trap "exit 12" USR1; while :; do sleep 0.1; done'
	sleep 0.3
	good d kill -s USR1 "$NAME"
	run d wait "$NAME"
	is "$out" 12
}

t_pause_and_unpause() {
	dbg $IMAGE sh -c 'i=0; while :; do i=$((i+1)); echo $i >/tmp/n; usleep 10000; done'
	until_ok d exec "$NAME" test -s /tmp/n
	good d pause "$NAME"
	is "$(inspect '{{.State.Status}}')" paused
	in_c true
	isnt $rc 0
	has "$err" paused
	good d unpause "$NAME"
	state_is running
	in_c cat /tmp/n
	local before=$out
	sleep 0.5
	in_c cat /tmp/n
	[ "$out" -gt "$before" ] || fail "does not go on after unpause"
}

t_a_paused_container_can_be_removed() {
	dbg_sleep
	good d pause "$NAME"
	good d rm -f "$NAME"
}

t_restart_by_hand_gives_a_new_process() {
	dbg_sleep
	local pid
	pid=$(inspect '{{.State.Pid}}')
	good d restart -t 0 "$NAME"
	state_is running
	isnt "$(inspect '{{.State.Pid}}')" "$pid"
}

t_restart_policy() {
	dbg --restart on-failure:2 $IMAGE sh -c 'echo again; exit 1'
	until_ok state_is exited
	is "$(inspect '{{.RestartCount}}')" 2
	is "$(d logs "$NAME" | grep -c again)" 3
}

t_start_after_create_and_again() {
	NAME=c$TAP_CASE
	good d create --runtime isle --name "$NAME" $IMAGE sh -c 'echo run; exit 6'
	run d start -a "$NAME"
	is $rc 6 && is "$out" run
	run d start -a "$NAME"
	is $rc 6 && is "$out" run
}

t_logs_of_both_streams() {
	dbg $IMAGE sh -c 'echo one; echo two >&2'
	run d wait "$NAME"
	run d logs "$NAME"
	is "$out" one && is "$err" two
}

t_top_lists_the_processes() {
	dbg_sleep
	run d top "$NAME"
	is $rc 0
	has "$out" "sleep 1000"
}

t_events_tell_the_exit_code() {
	NAME=c$TAP_CASE
	local since
	since=$(date +%s)
	run d run --runtime isle --name "$NAME" $IMAGE sh -c 'exit 21'
	run d events --since "$since" --until "$(($(date +%s) + 1))" \
		--filter "container=$NAME" --filter event=die --format '{{.Actor.Attributes.exitCode}}'
	is "$out" 21
}

# --- limits -----------------------------------------------------------------------------

t_stats_shows_numbers() {
	dbg -m 64m $IMAGE sh -c 'while :; do :; done'
	run d stats --no-stream --format '{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}' "$NAME"
	is $rc 0
	like "$out" '^[0-9.]+% [0-9.]+[KM]iB / 64MiB [1-9]'
	hasnt "$out" "0.00%"
}

t_memory_limit_kills_a_hog() {
	dbg -m 16m --memory-swap 16m $IMAGE sh -c 'tail /dev/zero; exit $?'
	run d wait "$NAME"
	is "$out" 137
	is "$(inspect '{{.State.OOMKilled}}')" true
}

t_memory_limit_of_the_first_process() {
	dbg -m 16m --memory-swap 16m $IMAGE tail /dev/zero
	run d wait "$NAME"
	is "$out" 137
	is "$(inspect '{{.State.OOMKilled}}')" true
}

t_pids_limit_stops_a_fork_bomb() {
	drun --pids-limit 8 $IMAGE sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait'
	has "$err" "can't fork"
	drun --pids-limit 64 $IMAGE sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0 & done; wait'
	is $rc 0
}

limit_file() {
	if [ "$CGROUP_MODE" = 2 ]; then
		cat "/sys/fs/cgroup$CGROUP/$CID/$3"
	else
		cat "/sys/fs/cgroup/$1$CGROUP/$CID/$2"
	fi
}

t_cpus_sets_the_quota() {
	dbg_sleep --cpus 0.5
	if [ "$CGROUP_MODE" = 2 ]; then
		is "$(limit_file cpu - cpu.max)" "50000 100000"
	else
		is "$(limit_file cpu cpu.cfs_quota_us)" 50000
	fi
}

t_cpuset_binds() {
	drun --cpuset-cpus 0 $IMAGE grep Cpus_allowed_list /proc/self/status
	is $rc 0
	like "$out" '[[:space:]]0$'
}

t_update_changes_limits() {
	dbg_sleep -m 64m
	good d update -m 32m --memory-swap 32m --pids-limit 77 --cpus 0.25 "$NAME"
	is "$(limit_file memory memory.limit_in_bytes memory.max)" 33554432
	is "$(limit_file pids pids.max pids.max)" 77
	if [ "$CGROUP_MODE" = 2 ]; then
		is "$(limit_file cpu - cpu.max)" "25000 100000"
	else
		is "$(limit_file cpu cpu.cfs_quota_us)" 25000
	fi
}

t_ulimits_and_oom_score() {
	drun --ulimit nofile=123:456 --oom-score-adj 500 $IMAGE \
		sh -c 'ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj'
	is "$out" $'123\n456\n500'
}

t_shm_size_and_sysctl() {
	drun --shm-size 8m --sysctl net.ipv4.ip_unprivileged_port_start=99 $IMAGE sh -c '
		df -k /dev/shm | tail -n 1 | awk "{ print \$2 }"
		cat /proc/sys/net/ipv4/ip_unprivileged_port_start'
	is "$out" $'8192\n99'
}

# --- files ---------------------------------------------------------------------------------

t_bind_mounts_writable_and_read_only() {
	mkdir "$T/v"
	echo from-host >"$T/v/f"
	drun -v "$T/v:/v" $IMAGE sh -c 'cat /v/f; echo from-inside >/v/g'
	is $rc 0 && is "$out" from-host
	is "$(cat "$T/v/g")" from-inside
	drun -v "$T/v:/v:ro" $IMAGE sh -c 'echo x >/v/h'
	isnt $rc 0
	has "$err" "Read-only file system"
	[ ! -e "$T/v/h" ]
}

t_named_volume_keeps_its_data() {
	good d volume create vol$TAP_CASE
	drun -v vol$TAP_CASE:/data $IMAGE sh -c 'echo kept >/data/f'
	drun -v vol$TAP_CASE:/data $IMAGE cat /data/f
	is "$out" kept
	good d volume rm vol$TAP_CASE
}

t_read_only_root_with_a_tmpfs() {
	drun --read-only --tmpfs /scratch:size=1m,mode=700 $IMAGE sh -c '
		echo x >/scratch/f && stat -c %a /scratch; echo x >/f'
	isnt $rc 0
	is "$out" 700
	has "$err" "Read-only file system"
}

t_devices() {
	drun --device /dev/zero:/dev/nought $IMAGE sh -c 'head -c 4 /dev/nought | wc -c'
	is "$out" 4
	drun $IMAGE sh -c 'mknod /dev/mine b 254 0 && head -c 1 /dev/mine'
	isnt $rc 0
	has "$err" "Operation not permitted"
}

t_cp_in_and_out() {
	dbg_sleep
	echo content >"$T/f"
	good d cp "$T/f" "$NAME:/tmp/f"
	in_c cat /tmp/f
	is "$out" content
	good d cp "$NAME:/etc/passwd" "$T/passwd"
	grep -q ann "$T/passwd"
}

# --- security -----------------------------------------------------------------------------

t_default_capabilities_and_seccomp() {
	drun $IMAGE grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
	is "$(status_field CapEff <<<"$out")" 00000000a80425fb
	is "$(status_field CapBnd <<<"$out")" 00000000a80425fb
	is "$(status_field CapInh <<<"$out")" 0000000000000000
	is "$(status_field NoNewPrivs <<<"$out")" 0
	is "$(status_field Seccomp <<<"$out")" 2
	drun $IMAGE unshare -m true             # the profile refuses it without SYS_ADMIN
	isnt $rc 0
}

t_cap_drop_and_add() {
	drun --cap-drop ALL $IMAGE grep CapEff /proc/self/status
	has "$out" 0000000000000000
	drun --cap-drop ALL --cap-add CHOWN $IMAGE grep CapEff /proc/self/status
	has "$out" 0000000000000001
}

t_no_new_privileges() {
	drun --security-opt no-new-privileges $IMAGE grep NoNewPrivs /proc/self/status
	like "$out" '1$'
}

t_seccomp_profile_of_a_file_and_none() {
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}' >"$T/s.json"
	drun --security-opt "seccomp=$T/s.json" $IMAGE mkdir /x
	isnt $rc 0
	has "$err" "Operation not permitted"
	drun --security-opt seccomp=unconfined $IMAGE grep Seccomp: /proc/self/status
	like "$out" '0$'
}

t_user_and_groups() {
	drun -u ann --group-add 3000 $IMAGE id
	has "$out" "uid=1000(ann) gid=1000(ann)"
	has "$out" "2000(more)"
	has "$out" 3000
}

t_privileged() {
	runc_needs_all_capabilities
	drun --privileged $IMAGE sh -c 'mkdir -p /m && mount -t tmpfs t /m && echo mounted'
	is $rc 0 && is "$out" mounted
	drun --privileged $IMAGE grep -E '^(CapEff|Seccomp:)' /proc/self/status
	is "$(status_field Seccomp <<<"$out")" 0
	# All that this Docker knows of, less what the host's root lacks itself.
	local eff host
	eff=0x$(status_field CapEff <<<"$out")
	host=0x$(status_field CapEff </proc/self/status)
	is $((eff & ((1 << 36) - 1))) $((host & ((1 << 36) - 1)))
}

t_masked_and_read_only_paths() {
	drun $IMAGE sh -c 'cat /proc/kcore | wc -c; ls /proc/scsi /sys/firmware | grep -v :'
	is "$(echo "$out" | head -n 1)" 0
	drun $IMAGE sh -c 'echo 1 >/proc/sys/kernel/panic'
	isnt $rc 0
}

# --- namespaces -------------------------------------------------------------------------------

t_default_network_has_an_address() {
	drun $IMAGE ip -4 -o addr show dev eth0
	is $rc 0
	like "$out" 'inet 172\.'
}

t_two_containers_talk() {
	dbg $IMAGE sh -c 'while :; do echo answer | nc -l -p 8000; done'
	local ip
	ip=$(inspect '{{.NetworkSettings.IPAddress}}')
	until_ok d exec "$NAME" sh -c 'netstat -ltn | grep -q :8000'
	drun $IMAGE sh -c "nc -w 3 $ip 8000 </dev/null"
	is "$out" answer
}

t_network_none_has_only_loopback() {
	drun --network none $IMAGE ls /sys/class/net
	is "$out" lo
}

t_network_of_another_container() {
	dbg_sleep -h first
	local ip
	ip=$(inspect '{{.NetworkSettings.IPAddress}}')
	drun --network "container:$NAME" $IMAGE ip -4 -o addr show dev eth0
	has "$out" "$ip"
}

t_pid_of_another_container() {
	dbg $IMAGE sleep 4321
	drun --pid "container:$NAME" $IMAGE ps
	has "$out" "sleep 4321"
}

t_pid_of_the_host() {
	drun --pid host $IMAGE sh -c "grep -c . /proc/$$/comm"
	is $rc 0 && is "$out" 1
}

t_ipc_is_shared_where_asked() {
	dbg --ipc shareable $IMAGE sh -c 'echo shared >/dev/shm/f; sleep 1000'
	until_ok d exec "$NAME" test -s /dev/shm/f
	drun --ipc "container:$NAME" $IMAGE cat /dev/shm/f
	is "$out" shared
	drun $IMAGE cat /dev/shm/f
	isnt $rc 0
}

t_init_reaps_zombies() {
	[ -x /usr/bin/docker-init ] || skip_case "needs docker-init (tini)"
	drun --init $IMAGE sh -c 'cat /proc/1/comm; (sleep 0 & exit) ; sleep 0.5; ps -o stat | grep -c Z'
	has "$out" init
	is "$(echo "$out" | tail -n 1)" 0
}

# --- build -------------------------------------------------------------------------------------

dockerfile() {
	mkdir "$T/ctx"
	echo data >"$T/ctx/file"
	cat >"$T/ctx/Dockerfile" <<-END
		FROM $IMAGE
		COPY file /file
		RUN cat /file | tr a-z A-Z >/built && id -u >>/built
		USER ann
		RUN id -un >/tmp/who
		CMD ["cat", "/built", "/tmp/who"]
	END
}

t_build_with_a_run_step() {
	dockerfile
	DOCKER_BUILDKIT=0 good d build -q -t built:$TAP_CASE "$T/ctx"
	drun built:$TAP_CASE
	is "$out" $'DATA\n0\nann'
}

t_build_with_buildkit_calling_it_runc() {
	dockerfile
	DOCKER_BUILDKIT=1 good d build --network none -q -t built:$TAP_CASE "$T/ctx"
	drun built:$TAP_CASE
	is "$out" $'DATA\n0\nann'
}

t_a_build_step_that_fails_tells_its_code() {
	mkdir "$T/ctx"
	printf 'FROM %s\nRUN exit 13\n' $IMAGE >"$T/ctx/Dockerfile"
	DOCKER_BUILDKIT=0 run d build -q "$T/ctx"
	isnt $rc 0
	has "$err" "returned a non-zero code: 13"
}

# --- healthcheck, many at once, what is left -----------------------------------------------------

t_healthcheck_turns_healthy() {
	dbg_sleep --health-cmd 'test -e /etc/passwd' --health-interval 1s
	until_ok sh -c "$DOCKER inspect -f '{{.State.Health.Status}}' $NAME | grep -qx healthy"
}

t_eight_at_once() {
	local i p=()
	for i in 1 2 3 4 5 6 7 8; do
		d run --rm --runtime isle $IMAGE sh -c "exit $i" &
		p+=($!)
	done
	for i in 1 2 3 4 5 6 7 8; do
		rc=0
		wait "${p[i - 1]}" || rc=$?
		is $rc "$i"
	done
}

t_nothing_is_left_in_the_state_folder() {
	drun $IMAGE true
	# shellcheck disable=SC2012
	is "$(find "$TAP_DIR/exec" /run/docker -type d -path '*runtime-*/moby/*' \
		! -path '*/@cache*' 2>/dev/null)" ""
	is "$(find /sys/fs/cgroup/ -type d -path "*$CGROUP/*" ! -name buildkit)" ""
}

engine_setup
engine_cgroup
docker_start
tap_main "$@"
