#!/bin/bash
# exec: a second process in a running container.
. "${0%/*}/../lib/tap.sh"

t_output_and_status() {
	up
	in_it echo hi
	is "$out" hi
	in_it sh -c 'echo e >&2; exit 42'
	is $rc 42
	is "$err" e
	in_it sh -c 'kill -9 $$'
	is $rc 137
}

t_stdin_is_passed() {
	up
	is "$(echo through | rt exec "$ID" cat)" through
}

t_is_in_all_namespaces_of_the_container() {
	local n
	up 'newns("cgroup")'
	for n in pid mnt ipc uts net cgroup; do
		is "$(rt exec "$ID" readlink /proc/self/ns/$n </dev/null)" \
			"$(readlink "/proc/$PID/ns/$n")" "$n"
	done
	is "$(rt exec "$ID" sh -c 'readlink /proc/self/ns/pid_for_children' </dev/null)" \
		"$(readlink "/proc/$PID/ns/pid")"
}

t_is_in_the_user_namespace() {
	need userns
	up 'map1(100000; 10)'
	is "$(rt exec "$ID" readlink /proc/self/ns/user </dev/null)" "$(readlink "/proc/$PID/ns/user")"
	in_it sh -c 'id -u; cat /proc/self/uid_map'
	like "$out" '^0.*100000 +10'
}

t_is_in_the_time_namespace() {
	need timens isle
	up 'newns("time") | .linux.timeOffsets = {monotonic: {secs: 100000}}'
	is "$(rt exec "$ID" readlink /proc/self/ns/time </dev/null)" "$(readlink "/proc/$PID/ns/time")"
}

t_is_in_the_groups_of_the_container() {
	need cgroup
	up
	rt exec -d --pid-file "$T/p" "$ID" sleep 100
	is "$(grep -v name= "/proc/$(cat "$T/p")/cgroup" | grep -c "$(cgroup_dir)")" \
		"$(grep -v name= "/proc/$PID/cgroup" | grep -c "$(cgroup_dir)")"
}

t_env_adds_to_the_containers() {
	up '.process.env += ["A=1", "B=2"]'
	run rt exec --env B=3 --env C=4 "$ID" env </dev/null
	like "$out" $'(^|\n)A=1($|\n)'
	like "$out" $'(^|\n)B=3($|\n)'
	like "$out" $'(^|\n)C=4($|\n)'
	hasnt "$out" B=2
	is "$(grep -c ^PATH= <<<"$out")" 1
	run rt exec -e D=5 "$ID" env </dev/null
	has "$out" D=5
}

t_cwd() {
	up '.process.cwd = "/etc"'
	in_it pwd
	is "$out" /etc
	run rt exec --cwd /tmp "$ID" pwd </dev/null
	is "$out" /tmp
}

t_user() {
	up
	run rt exec --user 1000:1001 "$ID" sh -c 'id -u; id -g; echo $HOME' </dev/null
	is "$out" "1000
1001
/home/ann"
	run rt exec -u 77 "$ID" sh -c 'id -u; id -g; echo $HOME' </dev/null
	is "$out" "77
0
/"
}

t_user_that_is_not_a_number() {
	up
	bad "" rt exec --user x:y "$ID" true
}

t_additional_gids_option() {
	differs crun "has none"
	up
	run rt exec --user 1000:1000 --additional-gids 100 --additional-gids 65534 "$ID" id -G </dev/null
	is "$out" "1000 100 65534"
}

t_user_capabilities_are_those_of_config() {
	up 'caps(["CAP_KILL", "CAP_CHOWN"])'
	in_it cat /proc/self/status
	is "$(status_field CapEff <<<"$out")" 0000000000000021
	is "$(status_field CapBnd <<<"$out")" 0000000000000021
	is "$(status_field CapInh <<<"$out")" 0000000000000000
	# Another user loses what is effective.
	run rt exec --user 1000 "$ID" cat /proc/self/status </dev/null
	is "$(status_field CapBnd <<<"$out")" 0000000000000021
}

t_cap_option_adds() {
	up 'caps(["CAP_KILL"])'
	run rt exec --cap CAP_CHOWN "$ID" cat /proc/self/status </dev/null
	is "$(status_field CapEff <<<"$out")" 0000000000000021
	is "$(status_field CapBnd <<<"$out")" 0000000000000021
	is "$(status_field CapAmb <<<"$out")" 0000000000000000
}

t_no_new_privs_option() {
	up '.process.noNewPrivileges = false'
	in_it cat /proc/self/status
	is "$(status_field NoNewPrivs <<<"$out")" 0
	run rt exec --no-new-privs "$ID" cat /proc/self/status </dev/null
	is "$(status_field NoNewPrivs <<<"$out")" 1
}

t_process_file() {
	differs runc "Debian's 1.1.5 knows no umask"
	up
	cat >p.json <<-E
	{"args": ["sh", "-c", "id -u; id -G; pwd; echo \$X; grep NoNewPrivs /proc/self/status; umask"],
	 "cwd": "/tmp", "env": ["PATH=/bin", "X=y"], "noNewPrivileges": true,
	 "user": {"uid": 5, "gid": 6, "additionalGids": [7, 8], "umask": 63}}
	E
	run rt exec --process p.json "$ID" </dev/null
	is $rc 0
	is "$out" "5
6 7 8
/tmp
y
NoNewPrivs:	1
0077"
}

t_process_file_short_option() {
	up
	echo '{"args": ["echo", "hi"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}' >p.json
	run rt exec -p p.json "$ID" </dev/null
	is "$out" hi
}

t_process_file_with_capabilities_and_rlimits() {
	up
	cat >p.json <<-E
	{"args": ["sh", "-c", "cat /proc/self/status; ulimit -n"], "cwd": "/", "env": ["PATH=/bin"],
	 "user": {"uid": 0, "gid": 0}, "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}],
	 "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]}}
	E
	run rt exec --process p.json "$ID" </dev/null
	is "$(status_field CapBnd <<<"$out")" 0000000000000020
	is "$(tail -n 1 <<<"$out")" 77
}

t_process_file_that_is_missing_or_wrong() {
	up
	bad "no such file or directory" rt exec --process nope.json "$ID"
	echo '{"args": 5}' >p.json
	bad "" rt exec --process p.json "$ID"
	echo '{"args": []}' >p.json
	bad "" rt exec --process p.json "$ID"
	echo '{"args": ["true"], "cwd": "relative", "user": {"uid":0,"gid":0}}' >p.json
	bad "" rt exec --process p.json "$ID"
}

t_detach_returns_at_once() {
	up
	rt exec -d --pid-file p "$ID" sleep 1000
	like "$(cat p)" '^[0-9]+$'
	is "$(tr '\0' ' ' <"/proc/$(cat p)/cmdline")" "sleep 1000 "
}

t_pid_file_of_a_foreground_exec() {
	up
	run rt exec --pid-file p "$ID" sh -c 'sleep 0.01' </dev/null
	is $rc 0
	like "$(cat p)" '^[0-9]+$'
}

t_pid_file_that_cannot_be_written() {
	up
	bad "" rt exec --pid-file "$T/no/p" "$ID" true
}

t_detached_child_is_a_child_of_the_callers_reaper() {
	up
	rt exec -d --pid-file p "$ID" sleep 1000
	is "$(status_field PPid <"/proc/$(cat p)/status")" "$TAP_REAPER"
}

t_missing_program() {
	up
	in_it nosuch
	[ $rc != 0 ] || fail ran
	says 'executable file not found in $PATH'
	is $rc 255
	run rt exec -d "$ID" nosuch
	[ $rc != 0 ] || fail "detached: ran"
	in_it /no/such
	[ $rc != 0 ] || fail ran
	says 'no such file or directory'
}

t_unexecutable_program() {
	up
	in_it /etc/passwd
	[ $rc != 0 ] || fail ran
	says 'permission denied'
	is $rc 255
}

t_its_own_failures_exit_255() {
	up
	in_it sh -c 'exit 42'
	is $rc 42
	run rt exec --pid-file /no/such/p "$ID" true
	is $rc 255
	run rt exec no-such-container true
	is $rc 255
}

t_personality_and_memory_policy_of_the_container() {
	need isle
	up '.linux.personality = {domain: "LINUX32"}
		| .linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}'
	in_it sh -c 'uname -m; head -n 1 /proc/self/numa_maps'
	has "$out" i686
	has "$out" bind:0
}

t_cgroup_options_for_several_controllers() {
	need cgroup1 cgroupfs
	up '.mounts |= map(select(.type == "cgroup").options -= ["ro"])'
	in_it mkdir -p /sys/fs/cgroup/memory/a /sys/fs/cgroup/pids/b
	is $rc 0
	good rt exec --cgroup memory:a --cgroup pids,cpu:/ --cgroup pids:b "$ID" cat /proc/self/cgroup
	like "$out" ":memory:[^:]*$ID/a"
	like "$out" ":pids:[^:]*$ID/b"
	bad "bad sub cgroup path" rt exec --cgroup memory:a/../.. "$ID" true
	bad "unknown controller" rt exec --cgroup what:/ "$ID" true
	bad " adding pid " rt exec --cgroup memory:none "$ID" true
	like "$err" 'no such file or directory'
}

t_cwd_that_does_not_exist() {
	up
	bad "" rt exec --cwd /no/where "$ID" true
}

t_of_a_stopped_container() {
	up
	rt kill "$ID" KILL
	wait_status "$ID" stopped
	bad "cannot exec in a stopped container" rt exec "$ID" true
}

t_of_a_created_container() {
	bundle '.process.args = ["sleep", "1000"]'
	rt create --bundle "$B" "$ID"
	in_it echo in
	is "$out" in
	is "$(status_of "$ID")" created
}

t_of_a_paused_container_is_refused() {
	need cgroup
	differs crun "goes on"
	up
	rt pause "$ID"
	bad "cannot exec in a paused container" rt exec "$ID" true
	rt resume "$ID"
	in_it true
	is $rc 0
}

t_ignore_paused_waits_until_resumed() {
	need cgroup
	differs crun "has none"
	up
	rt pause "$ID"
	rt exec --ignore-paused "$ID" echo later </dev/null >o 2>&1 &
	sleep 0.1
	is "$(cat o)" ""
	rt resume "$ID"
	wait $!
	is "$(cat o)" later
}

t_preserve_fds() {
	up
	echo three >3; echo four >4; echo five >5
	run rt exec --preserve-fds 2 "$ID" sh -c 'cat <&3; cat <&4' </dev/null 3<3 4<4 5<5
	is "$out" "three
four"
	run rt exec --preserve-fds 2 "$ID" probe fds </dev/null 3<3 4<4 5<5
	is "$out" "0 1 2 3 4"
}

t_only_stdio_is_open() {
	up
	run rt exec "$ID" probe fds </dev/null 3<. 5<. 12<.
	is "$out" "0 1 2"
}

t_umask_of_the_container() {
	differs crun runc "1.8 leaves its own, Debian's 1.1.5 knows none"
	up '.process.user.umask = 7'
	in_it sh -c umask
	is "$out" 0007
}

t_oom_score_adj_of_the_container() {
	up '.process.oomScoreAdj = 500'
	in_it cat /proc/self/oom_score_adj
	is "$out" 500
}

t_rlimits_of_the_container() {
	up '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 99, hard: 100}]'
	in_it sh -c 'ulimit -n'
	is "$out" 99
}

t_additional_gids_of_the_container() {
	up '.process.user = {uid: 1000, gid: 1000, additionalGids: [20, 30]}'
	in_it id -G
	is "$out" "1000 20 30"
}

t_seccomp_of_the_container() {
	up '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 100}]}'
	in_it probe syscall 83 0
	is "$out" 100
}

t_apparmor_option_without_apparmor() {
	! have_apparmor || need noapparmor
	up
	# As runc and crun do: there is nothing to apply it to.
	run rt exec --apparmor some "$ID" true
	true
}
have_noapparmor() { ! have_apparmor; }

t_cgroup_option_below_the_containers() {
	need cgroup1
	differs crun "1.8 has none for v1"
	up
	mkdir "/sys/fs/cgroup/pids$CGROUP/$ID/sub" "/sys/fs/cgroup/memory$CGROUP/$ID/sub"
	run rt exec --cgroup pids:sub "$ID" cat /proc/self/cgroup </dev/null
	is $rc 0
	has "$out" "$CGROUP/$ID/sub"
	bad "" rt exec --cgroup .. "$ID" true
	bad "" rt exec --cgroup ../../x "$ID" true
	bad "" rt exec --cgroup nonexistent "$ID" true
	run rt exec --cgroup / "$ID" true
	is $rc 0
}

t_cgroup_option_of_v2() {
	need cgroup2
	up
	mkdir "/sys/fs/cgroup$(cgroup_dir)/sub"
	run rt exec --cgroup sub "$ID" cat /proc/self/cgroup </dev/null
	has "$out" /sub
	bad "" rt exec --cgroup .. "$ID" true
	bad "" rt exec --cgroup nonexistent "$ID" true
}

t_tty_through_a_console_socket() {
	up
	"$TAP_TOOLS/host" recvtty "$T/s" </dev/null >o &
	until_ok test -S "$T/s"
	rt exec -d -t --console-socket "$T/s" "$ID" probe ctty
	until_ok grep -q isatty o
	has "$(cat o)" "tty=1 sid=1 pgrp=1 isatty=111"
	like "$(head -n 1 o)" '^/dev/p'
}

t_tty_on_the_callers_terminal() {
	up
	run "$TAP_TOOLS/host" pty "$RUNTIME" --root "$T/state" exec -t "$ID" \
		sh -c 'probe winsize; tty; exec probe ctty' </dev/null
	is $rc 0
	has "$out" "tty=1 sid=1 pgrp=1 isatty=111"
	has "$out" "31 97"
	has "$out" "/dev/pts/"
}

t_without_tty_there_is_no_controlling_terminal() {
	up
	run "$TAP_TOOLS/host" pty sh -c '"$0" --root "$1" exec "$2" probe ctty </dev/null | cat' \
		"$RUNTIME" "$T/state" "$ID" </dev/null
	has "$out" "tty=0"
}

t_session_leader_pid_is_not_1() {
	up
	in_it sh -c 'echo $$; readlink /proc/self/exe'
	isnt "${out%%$'\n'*}" 1
}

t_options_end_at_the_id() {
	up
	in_it sh -c 'echo "$@"' - -t --env X
	is "$out" "-t --env X"
	run rt exec -- "$ID" echo -n x </dev/null
	is "$out" x
}

t_no_program_given() {
	up
	bad "" rt exec "$ID"
}

t_many_at_once() {
	local i
	up
	for i in 1 2 3 4 5 6; do rt exec "$ID" echo $i </dev/null >o.$i 2>&1 & done
	wait
	is "$(cat o.* | tr -d '\n')" 123456
}

t_signals_are_forwarded() {
	up
	env --default-signal=INT "$RUNTIME" --root "$T/state" exec "$ID" probe trap </dev/null >o 2>&1 &
	until_ok grep -q ready o
	kill -USR1 $!
	wait $! || true
	until_ok grep -q "^signal 10" o
}

t_console_size_of_a_process_file() {
	differs crun runc "later than 1.1 and 1.8"
	up
	echo '{"terminal": true, "consoleSize": {"height": 44, "width": 99}, "args": ["probe", "winsize"],
		"cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}' >p.json
	"$TAP_TOOLS/host" recvtty "$T/s" </dev/null >o &
	until_ok test -S "$T/s"
	rt exec -d --console-socket "$T/s" --process p.json "$ID"
	until_ok grep -q '^44 99' o
}

t_exec_cpu_affinity() {
	need isle cpus2
	up '.process.execCPUAffinity = {initial: "0", final: "1"}'
	in_it grep Cpus_allowed_list /proc/self/status
	like "$out" '1$'
}

tap_main "$@"
