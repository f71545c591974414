#!/bin/bash
# timeout: 240
# podman.t - Podman 4.3 with $RUNTIME as its runtime: runs, pods, builds, kube play.
# shellcheck source=tests/engines/engine.sh
. "$(dirname "$(readlink -f "$0")")/engine.sh"

engine_need podman conmon script jq

podman_start() {
	mkdir -p "$TAP_DIR"/{networks,volumes,home}
	export HOME=$TAP_DIR/home
	# Limits that this root may set whatever its own are, and nothing of the host's files.
	cat >"$TAP_DIR/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
		log_driver = "k8s-file"
		cgroups = "no-conmon"
		[network]
		network_backend = "netavark"
		network_config_dir = "$TAP_DIR/networks"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		events_logfile_path = "$TAP_DIR/events"
		infra_image = "isle.test/pause:1"
		volume_path = "$TAP_DIR/volumes"
		tmp_dir = "$TAP_DIR/libpod"
		runtime_supports_json = ["crun", "runc", "isle", "${RUNTIME##*/}"]
	END
	export CONTAINERS_CONF=$TAP_DIR/containers.conf
	p load -q -i "$IMAGES/busybox.tar" >/dev/null || tap_bail "podman load"
	p load -q -i "$IMAGES/debian.tar" >/dev/null || tap_bail "podman load"
	printf 'FROM %s\nCMD ["sleep", "1000"]\n' $IMAGE | p build -q -t isle.test/pause:1 - \
		>/dev/null || tap_bail "podman build"
}

# The command line, in an array for pty too.
PODMAN=(podman --root "$TAP_DIR/data" --runroot "$TAP_DIR/run" --runtime "$RUNTIME"
	--storage-driver overlay)
p() { timeout 60 "${PODMAN[@]}" "$@"; }
# Options that "run" and "create" share.
RUN=(--cgroup-parent "$CGROUP")
p_run() { run p run --rm --network none "${RUN[@]}" "$@"; }
p_up() {
	NAME=c$TAP_CASE
	good p run -d --network none "${RUN[@]}" --name "$NAME" "$@"
	CID=$out
}
p_sleep() { p_up "$@" $IMAGE sleep 1000; }
in_c() { run p exec "$NAME" "$@"; }
inspect() { p inspect -f "$1" "$NAME"; }
state_is() { [ "$(inspect '{{.State.Status}}')" = "$1" ]; }

tap_sweep() {
	p pod rm -af -t 0 >/dev/null 2>&1
	p rm -af -t 0 >/dev/null 2>&1
}

# --- run -------------------------------------------------------------------------

t_run_prints_and_exits_0() {
	p_run $IMAGE echo hello
	is $rc 0 && is "$out" hello
}

t_exit_code_of_the_program() {
	p_run $IMAGE sh -c 'exit 7'
	is $rc 7
	p_run $IMAGE sh -c 'sleep 100 & kill -KILL $!; wait $!'
	is $rc 137
}

t_127_where_the_program_is_missing() {
	p_run $IMAGE no-such-program
	is $rc 127
	has "$err" "executable file not found in \$PATH"
	p_run $IMAGE /no/such/program
	is $rc 127
	has "$err" "no such file or directory"
}

t_126_where_the_program_cannot_be_executed() {
	p_run $IMAGE /bin/noexec
	is $rc 126
	has "$err" "permission denied"
}

t_126_where_podman_does_not_read_the_runtimes_json() {
	grep -v runtime_supports_json "$TAP_DIR/containers.conf" >"$T/containers.conf"
	export CONTAINERS_CONF=$T/containers.conf
	p_run $IMAGE no-such-program
	is $rc 127
	p_run $IMAGE /bin/noexec
	is $rc 126
}

t_125_where_podman_refuses() {
	p_run --no-such-option $IMAGE true
	is $rc 125
}

t_a_dynamically_linked_program_runs() {
	p_run $DEBIAN bash -c 'perl -e "print 6*7" && . /etc/os-release && echo " $ID"'
	is $rc 0 && is "$out" "42 debian"
}

t_stdin_arrives() {
	rc=0
	out=$(echo text | p run --rm -i --network none "${RUN[@]}" $IMAGE cat) || rc=$?
	is $rc 0 && is "$out" text
}

t_run_it_gives_a_terminal() {
	pty "${PODMAN[@]}" run --rm -it --network none "${RUN[@]}" $IMAGE \
		sh -c 'sleep 0.3; test -t 0 && tty; sleep 0.3; exit 5'
	is $rc 5
	has "$out" /dev/pts/0
}

t_run_it_takes_input() {
	pty "${PODMAN[@]}" run --rm -it --network none "${RUN[@]}" $IMAGE sh < <(
		sleep 1.5; echo 'echo sum=$((40+2))'; echo 'exit 6'; sleep 3)
	is $rc 6
	has "$out" sum=42
}

t_the_runtime_is_the_one_asked_for() {
	p_sleep
	is "$(inspect '{{.OCIRuntime}}')" "$RUNTIME"
	run p info -f '{{.Host.OCIRuntime.Version}}'
	has "$out" "${RUNTIME##*/} version"
}

# --- exec and life -------------------------------------------------------------------

t_exec_output_and_exit_code() {
	p_sleep
	in_c echo inside
	is $rc 0 && is "$out" inside
	in_c sh -c 'exit 9'
	is $rc 9
}

t_exec_codes_126_and_127() {
	p_sleep
	in_c no-such-program
	is $rc 127
	in_c /bin/noexec
	is $rc 126
}

t_exec_environment_user_and_directory() {
	p_sleep -e OUTER=1
	run p exec -e INNER=2 -u ann -w /tmp "$NAME" sh -c 'echo $OUTER$INNER $(id -un) $(pwd)'
	is "$out" "12 ann /tmp"
}

t_exec_with_a_terminal() {
	p_sleep
	pty "${PODMAN[@]}" exec -it "$NAME" sh -c 'tty; exit 4'
	is $rc 4
	has "$out" /dev/pts/
}

t_exec_detached() {
	p_sleep
	good p exec -d "$NAME" touch /tmp/detached
	until_ok p exec "$NAME" test -e /tmp/detached
}

t_stop_sends_the_signal_and_reads_the_code() {
	p_up $IMAGE sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	sleep 0.3
	good p stop -t 10 "$NAME"
	is "$(inspect '{{.State.Status}} {{.State.ExitCode}}')" "exited 3"
}

t_stop_kills_after_its_time() {
	p_up $IMAGE sh -c 'trap "" TERM; while :; do sleep 1; done'
	good p stop -t 1 "$NAME"
	is "$(inspect '{{.State.ExitCode}}')" 137
}

t_kill_with_a_signal_by_name() {
	p_up $IMAGE sh -c 'trap "exit 12" USR1; while :; do sleep 0.1; done'
	sleep 0.3
	good p kill -s USR1 "$NAME"
	run p wait "$NAME"
	is "$out" 12
}

t_pause_and_unpause() {
	p_sleep
	good p pause "$NAME"
	state_is paused
	in_c true
	isnt $rc 0
	good p unpause "$NAME"
	state_is running
	in_c echo on
	is "$out" on
}

t_restart_and_start_again() {
	p_sleep
	local pid
	pid=$(inspect '{{.State.Pid}}')
	good p restart -t 0 "$NAME"
	state_is running
	isnt "$(inspect '{{.State.Pid}}')" "$pid"
	good p stop -t 0 "$NAME"
	good p start "$NAME"
	state_is running
}

t_restart_policy() {
	p_up --restart on-failure:2 $IMAGE sh -c 'echo again; exit 1'
	until_ok ran_three_times
	until_ok state_is exited
	ran_three_times
}

ran_three_times() { [ "$(p logs "$NAME" | grep -c again)" = 3 ]; }

t_init_container_and_start() {
	NAME=c$TAP_CASE
	good p create --network none "${RUN[@]}" --name "$NAME" $IMAGE sh -c 'echo run; exit 6'
	good p init "$NAME"
	state_is initialized || state_is created
	run p start -a "$NAME"
	is $rc 6 && is "$out" run
}

t_logs_top_and_events() {
	p_up $IMAGE sh -c 'echo one; echo two >&2; sleep 1000'
	until_ok sh -c "$(printf '%q ' "${PODMAN[@]}") logs $NAME 2>&1 | grep -q two"
	run p logs "$NAME"
	is "$out" one && is "$err" two
	run p top "$NAME" pid args
	has "$out" "sleep 1000"
}

t_attach_to_a_running_container() {
	p_up $IMAGE sh -c 'sleep 2; echo late; exit 8'
	run p attach "$NAME"
	has "$out" late
	run p wait "$NAME"
	is "$out" 8
}

t_remove_by_force() {
	p_sleep
	good p rm -f -t 0 "$NAME"
	run p container exists "$NAME"
	is $rc 1
	is "$(find /sys/fs/cgroup/ -type d -path "*$CGROUP/*$CID*")" ""
}

# --- limits ------------------------------------------------------------------------------

t_stats_shows_numbers() {
	p_up --memory 64m $IMAGE sh -c 'while :; do :; done'
	run p stats --no-stream --no-reset --format '{{.MemUsage}} {{.PIDs}}' "$NAME"
	is $rc 0
	like "$out" '^[0-9.]+[kM]B / 67\.11MB [1-9]'
}

t_memory_limit_kills_a_hog() {
	p_up --memory 16m --memory-swap 16m $IMAGE sh -c 'sleep 0.5; tail /dev/zero'
	run p wait "$NAME"
	is "$out" 137
	# On v1 conmon reports it with no runtime here.
	[ "$CGROUP_MODE" != 2 ] || is "$(inspect '{{.State.OOMKilled}}')" true
}

t_pids_limit() {
	p_run --pids-limit 8 $IMAGE sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait'
	has "$err" "can't fork"
}

t_update_changes_limits() {
	p_sleep
	good p update --cpus 0.25 --memory 32m "$NAME"
	if [ "$CGROUP_MODE" = 2 ]; then
		is "$(cat /sys/fs/cgroup"$CGROUP"/*"$CID"*/memory.max | head -n 1)" 33554432
	else
		is "$(cat /sys/fs/cgroup/memory"$CGROUP"/*"$CID"*/memory.limit_in_bytes | head -n 1)" 33554432
		is "$(cat /sys/fs/cgroup/cpu"$CGROUP"/*"$CID"*/cpu.cfs_quota_us | head -n 1)" 25000
	fi
}

# --- files and security ----------------------------------------------------------------------

t_volumes_tmpfs_and_read_only() {
	mkdir "$T/v"
	echo seen >"$T/v/f"
	p_run -v "$T/v:/v:ro" --read-only --tmpfs /scratch:size=1m $IMAGE sh -c '
		cat /v/f; echo x >/scratch/f && echo ok; echo x >/v/g; echo x >/g'
	is "$out" $'seen\nok'
	is "$(grep -c 'Read-only file system' <<<"$err")" 2
}

t_named_volume_is_filled_from_the_image() {
	p_run -v vol$TAP_CASE:/home/ann:U $IMAGE sh -c 'echo kept >/home/ann/f'
	p_run -v vol$TAP_CASE:/home/ann $IMAGE cat /home/ann/f
	is "$out" kept
}

t_capabilities_seccomp_and_no_new_privileges() {
	p_run $IMAGE grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status
	is "$(status_field Seccomp <<<"$out")" 2
	is "$(status_field NoNewPrivs <<<"$out")" 0
	p_run --cap-drop all --security-opt no-new-privileges $IMAGE \
		grep -E '^(CapEff|NoNewPrivs)' /proc/self/status
	is "$(status_field CapEff <<<"$out")" 0000000000000000
	is "$(status_field NoNewPrivs <<<"$out")" 1
}

t_user_groups_and_umask() {
	p_run -u ann --group-add 3000 --umask 077 $IMAGE sh -c 'id; umask'
	has "$out" "uid=1000(ann)"
	has "$out" 3000
	has "$out" 0077
}

t_privileged() {
	p_run --privileged $IMAGE sh -c 'mkdir -p /m && mount -t tmpfs t /m && echo mounted'
	is $rc 0 && is "$out" mounted
}

t_user_namespace_with_maps() {
	chmod 755 "$TAP_DIR"
	p_run --uidmap 0:200000:65536 --gidmap 0:200000:65536 $IMAGE \
		sh -c 'id -u; cat /proc/self/uid_map; ls -ld /root | tr -s " " | cut -d" " -f3'
	is $rc 0
	like "$out" '^0[[:space:]]+0 +200000 +65536[[:space:]]root$'
}

t_sysctl_ulimit_shm_and_devices() {
	p_run --sysctl kernel.msgmax=9000 --shm-size 4m \
		--device /dev/zero:/dev/nought $IMAGE sh -c 'cat /proc/sys/kernel/msgmax
		ulimit -n; df -k /dev/shm | tail -n 1 | awk "{ print \$2 }"
		head -c 4 /dev/nought | wc -c'
	is "$out" $'9000\n1024\n4096\n4'
}

t_init_is_pid_1() {
	[ -x /usr/bin/tini-static ] || [ -x /usr/bin/docker-init ] || skip_case "needs docker-init"
	local init=/usr/bin/docker-init
	p_run --init --init-path "$init" $IMAGE cat /proc/1/comm
	is $rc 0
	has "$out" init
}

# --- namespaces and pods ---------------------------------------------------------------------------

t_bridge_network_through_netavark() {
	run p run --rm "${RUN[@]}" $IMAGE ip -4 -o addr show dev eth0
	is $rc 0
	like "$out" 'inet 10\.'
}

t_host_network_and_pid() {
	run p run --rm --network host --pid host "${RUN[@]}" $IMAGE \
		sh -c 'readlink /proc/self/ns/net; readlink /proc/self/ns/pid'
	is "$out" "$(readlink /proc/self/ns/net; readlink /proc/self/ns/pid)"
}

t_namespaces_of_another_container() {
	p_up $IMAGE sleep 4321
	run p run --rm "${RUN[@]}" --network "container:$NAME" --pid "container:$NAME" \
		--ipc "container:$NAME" $IMAGE ps
	is $rc 0
	has "$out" "sleep 4321"
}

t_pod_shares_network_ipc_and_pid() {
	local pod=pod$TAP_CASE
	good p pod create --name $pod --share net,ipc,pid,uts --cgroup-parent "$CGROUP" \
		--hostname podhost --network none
	good p run -d --pod $pod --name a$TAP_CASE $IMAGE sh -c 'echo here >/dev/shm/f; nc -l -p 7000 -e cat'
	until_ok p exec a$TAP_CASE test -s /dev/shm/f
	run p run --rm --pod $pod $IMAGE sh -c 'hostname; cat /dev/shm/f; echo echoed | nc -w 2 127.0.0.1 7000; ps | grep -c "sleep 1000"'
	is $rc 0
	has "$out" podhost
	has "$out" here
	has "$out" echoed
	good p pod stop -t 0 $pod
	good p pod start $pod
	good p pod rm -f -t 0 $pod
}

t_kube_play() {
	cat >"$T/pod.yaml" <<-END
		apiVersion: v1
		kind: Pod
		metadata: { name: kube$TAP_CASE }
		spec:
		  hostNetwork: true
		  containers:
		  - name: one
		    image: $IMAGE
		    imagePullPolicy: Never
		    command: [sh, -c, "echo from-kube; sleep 1000"]
		    resources: { limits: { memory: 64Mi } }
	END
	good p kube play "$T/pod.yaml"
	until_ok sh -c "$(printf '%q ' "${PODMAN[@]}") logs kube$TAP_CASE-one | grep -q from-kube"
	good p kube down "$T/pod.yaml"
}

# --- build, health, checkpoint -------------------------------------------------------------------------

t_build_with_a_run_step() {
	mkdir "$T/ctx"
	echo data >"$T/ctx/file"
	cat >"$T/ctx/Containerfile" <<-END
		FROM $IMAGE
		COPY file /file
		RUN cat /file | tr a-z A-Z >/built && id -u >>/built
		USER ann
		RUN id -un >/tmp/who
		CMD ["cat", "/built", "/tmp/who"]
	END
	good p build -q --network none --cgroup-parent "$CGROUP/build$TAP_CASE" -t built:$TAP_CASE "$T/ctx"
	p_run built:$TAP_CASE
	is "$out" $'DATA\n0\nann'
}

t_a_build_step_that_fails() {
	mkdir "$T/ctx"
	printf 'FROM %s\nRUN exit 13\n' $IMAGE >"$T/ctx/Containerfile"
	run p build -q --network none --cgroup-parent "$CGROUP/build$TAP_CASE" "$T/ctx"
	isnt $rc 0
	has "$err" "exit status 13"
}

t_healthcheck_run() {
	p_sleep --health-cmd 'test ! -e /tmp/bad' --health-interval disable --health-retries 1
	run p healthcheck run "$NAME"
	is $rc 0
	in_c touch /tmp/bad
	run p healthcheck run "$NAME"
	isnt $rc 0
	has "$(inspect '{{.State.Health.Status}}')" unhealthy
}

t_commit_and_diff() {
	p_up $IMAGE sh -c 'echo new >/new; sleep 1000'
	until_ok p exec "$NAME" test -s /new
	run p diff "$NAME"
	has "$out" "A /new"
	good p commit -q "$NAME" committed:$TAP_CASE
	p_run committed:$TAP_CASE cat /new
	is "$out" new
}

t_checkpoint_and_restore() {
	have_criu || skip_case "needs criu that works on this kernel (criu check)"
	p_up $IMAGE sh -c 'i=0; while :; do i=$((i+1)); echo $i >/tmp/n; sleep 0.1; done'
	until_ok p exec "$NAME" test -s /tmp/n
	good p container checkpoint "$NAME"
	state_is exited
	good p container restore "$NAME"
	state_is running
	in_c cat /tmp/n
	[ "$out" -ge 1 ]
}

t_checkpoint_that_fails_says_why() {
	have_criu && skip_case "criu works on this kernel"
	p_sleep
	run p container checkpoint "$NAME"
	isnt $rc 0
	like "${err,,}" 'criu|checkpoint'
	state_is running
}

engine_setup
engine_cgroup
podman_start
tap_main "$@"
