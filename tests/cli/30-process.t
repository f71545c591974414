#!/bin/bash
# config.md#process, seen from inside.
. "${0%/*}/../lib/tap.sh"

proc1() { inside_ok "$1" "cat /proc/1/status"; }

t_args_are_passed_as_they_are() {
	inside_ok '.process.args = ["printf", "[%s]", "a b", "", "*", "$x", "é"]' ''
	is "$out" '[a b][][*][$x][é]'
}

t_args_0_is_searched_in_PATH_of_the_config() {
	bundle '.process.args = ["hello"] | .process.env = ["PATH=/opt:/bin"]'
	mkdir "$B/rootfs/opt"
	printf '#!/bin/sh\necho found\n' >"$B/rootfs/opt/hello"
	chmod 755 "$B/rootfs/opt/hello"
	good rt run --bundle "$B" "$ID"
	is "$out" found
}

t_args_0_relative_to_cwd() {
	bundle '.process.args = ["./hello"] | .process.cwd = "/opt"'
	mkdir "$B/rootfs/opt"
	printf '#!/bin/sh\necho found $0\n' >"$B/rootfs/opt/hello"
	chmod 755 "$B/rootfs/opt/hello"
	good rt run --bundle "$B" "$ID"
	is "$out" "found ./hello"
}

t_empty_args_are_refused() {
	inside_bad "" '.process.args = []'
	inside_bad "" '.process.args = [""]'
}

t_is_pid_1() { inside_ok . 'echo $$'; is "$out" 1; }

t_cwd() {
	inside_ok '.process.cwd = "/etc"' pwd
	is "$out" /etc
}

t_cwd_is_made_when_missing() {
	inside_ok '.process.cwd = "/new/deep"' 'pwd; stat -c %u:%g:%a .'
	like "$out" '^/new/deep'
}

t_cwd_must_be_absolute() { inside_bad "" '.process.cwd = "etc"'; }
t_cwd_missing_is_refused() { inside_bad "" 'del(.process.cwd)'; }
t_cwd_that_is_a_file_is_refused() { inside_bad "" '.process.cwd = "/etc/passwd"'; }

t_cwd_only_root_may_enter_is_entered_as_root() {
	# What runc and crun agree on: the directory is entered before root is given up.
	bundle '.process.args = ["echo", "started"] | .process.cwd = "/priv" | .process.user = {uid: 1000, gid: 1000}'
	mkdir -m 700 "$B/rootfs/priv"
	good rt run --bundle "$B" "$ID"
	is "$out" started
}

t_cwd_of_the_users_own() {
	bundle '.process.cwd = "/mine" | .process.user = {uid: 1000, gid: 1000} | sh("pwd")'
	mkdir -m 700 "$B/rootfs/mine" && chown 1000:1000 "$B/rootfs/mine"
	good rt run --bundle "$B" "$ID"
	is "$out" /mine
}

t_env_is_exactly_the_configs() {
	inside_ok '.process.env = ["PATH=/bin", "A=b c", "EMPTY=", "HOME=/h"] | .process.args = ["env"]' ''
	is "$(sort <<<"$out")" "A=b c
EMPTY=
HOME=/h
PATH=/bin"
}

t_env_with_newlines_and_equals() {
	inside_ok '.process.env += ["X=a=b\nc"]' 'echo "$X"'
	is "$out" "a=b
c"
}

t_env_empty() { inside_ok '.process.env = [] | .process.args = ["/bin/echo", "x"]' ''; is "$out" x; }

t_env_that_repeats_the_last_one_wins() {
	inside_ok '.process.env += ["X=1", "X=2"]' 'echo $X'
	is "$out" 2
}

t_HOME_comes_from_passwd_when_unset() {
	inside_ok . 'echo $HOME'
	is "$out" /root
	inside_ok '.process.user = {uid: 1000, gid: 1000}' 'echo $HOME'
	is "$out" /home/ann
	inside_ok '.process.user = {uid: 4321, gid: 1}' 'echo $HOME'
	is "$out" /
}

t_HOME_without_a_passwd_file() {
	bundle 'sh("echo $HOME")'
	rm "$B/rootfs/etc/passwd"
	good rt run --bundle "$B" "$ID"
	is "$out" /
}

t_HOME_of_the_config_stays() {
	inside_ok '.process.env += ["HOME=/x"]' 'echo $HOME'
	is "$out" /x
}

t_user_and_groups() {
	inside_ok '.process.user = {uid: 1000, gid: 1001, additionalGids: [5, 6, 77]}' 'id -u; id -g; id -G'
	is "$out" "1000
1001
1001 5 6 77"
}

t_no_groups_of_the_caller_get_in() {
	bundle '.process.args = ["grep", "^Groups", "/proc/self/status"]'
	run setpriv --groups 4,5,6 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID"
	is $rc 0
	like "$out" $'^Groups:[ \t]*(0 )?$'
}

t_keep_original_groups_annotation() {
	need root
	differs runc "crun's annotation"
	bundle '.process.args = ["grep", "^Groups", "/proc/self/status"] | .annotations["run.oci.keep_original_groups"] = "1"'
	run setpriv --groups 4,5,6 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID"
	is $rc 0
	like "$out" $'^Groups:[ \t]*4 5 6'
}

t_additional_gids_are_set_for_root_too() {
	inside_ok '.process.user.additionalGids = [12, 13]' 'grep ^Groups /proc/1/status'
	like "$out" '12 13'
}

t_umask() {
	differs runc "Debian's 1.1.5 knows none"
	inside_ok '.process.user.umask = 63' 'umask; touch /tmp/f; stat -c %a /tmp/f'
	is "$out" "0077
600"
}

t_umask_default() { inside_ok . umask; is "$out" 0022; }

t_umask_does_not_shape_the_devices() {
	inside_ok '.process.user.umask = 63' 'stat -c %a /dev/null'
	is "$out" 666
}

t_five_capability_sets() {
	proc1 '.process.capabilities = {bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
		permitted: ["CAP_CHOWN", "CAP_KILL"], effective: ["CAP_KILL"],
		inheritable: ["CAP_CHOWN"], ambient: ["CAP_CHOWN"]} | .process.user = {uid: 1000, gid: 1000}'
	is "$(status_field CapBnd <<<"$out")" 00000000000000a1
	is "$(status_field CapInh <<<"$out")" 0000000000000001
	is "$(status_field CapAmb <<<"$out")" 0000000000000001
}

t_capabilities_of_root_are_the_bounding_set() {
	proc1 'caps(["CAP_CHOWN", "CAP_NET_RAW"])'
	is "$(status_field CapBnd <<<"$out")" 0000000000002001
	is "$(status_field CapPrm <<<"$out")" 0000000000002001
	is "$(status_field CapEff <<<"$out")" 0000000000002001
	is "$(status_field CapInh <<<"$out")" 0000000000000000
	is "$(status_field CapAmb <<<"$out")" 0000000000000000
}

t_capabilities_empty() {
	proc1 '.process.capabilities = {}'
	for f in CapBnd CapPrm CapEff CapInh CapAmb; do
		is "$(status_field $f <<<"$out")" 0000000000000000 $f
	done
}

t_capabilities_absent_means_none() {
	proc1 'del(.process.capabilities)'
	is "$(status_field CapEff <<<"$out")" 0000000000000000
}

t_capabilities_of_a_plain_user_without_ambient() {
	proc1 'caps(["CAP_CHOWN"]) | .process.user = {uid: 1000, gid: 1000}'
	is "$(status_field CapEff <<<"$out")" 0000000000000000
	is "$(status_field CapBnd <<<"$out")" 0000000000000001
}

t_capabilities_unknown_are_warned_of_and_ignored() {
	proc1 'caps(["CAP_CHOWN", "CAP_UNHEARD_OF"])'
	is "$(status_field CapEff <<<"$out")" 0000000000000001
}

t_capabilities_in_lower_case_or_without_prefix() {
	inside 'caps(["cap_chown"])' 'cat /proc/1/status'
	[ $rc != 0 ] || like "$(status_field CapEff <<<"$out")" '^000000000000000[01]$'
}

t_rlimits() {
	inside_ok '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1000, hard: 1024},
		{type: "RLIMIT_CORE", soft: 0, hard: 0}, {type: "RLIMIT_STACK", soft: 4194304, hard: 8388608},
		{type: "RLIMIT_NPROC", soft: 50, hard: 60}, {type: "RLIMIT_CPU", soft: 100, hard: 200},
		{type: "RLIMIT_FSIZE", soft: 1000000, hard: 2000000}, {type: "RLIMIT_AS", soft: 1073741824, hard: 2147483648},
		{type: "RLIMIT_MEMLOCK", soft: 4096, hard: 8192}, {type: "RLIMIT_NICE", soft: 0, hard: 0}]' 'cat /proc/1/limits'
	like "$out" 'Max open files +1000 +1024'
	like "$out" 'Max core file size +0 +0'
	like "$out" 'Max stack size +4194304 +8388608'
	like "$out" 'Max processes +50 +60'
	like "$out" 'Max cpu time +100 +200'
	like "$out" 'Max file size +1000000 +2000000'
	like "$out" 'Max address space +1073741824 +2147483648'
	like "$out" 'Max locked memory +4096 +8192'
}

t_rlimits_unlimited() {
	bundle 'sh("grep cpu.time /proc/1/limits") | .process.rlimits = [{type: "RLIMIT_CPU", soft: 77, hard: 77}]'
	sed -i 's/: 77/: 18446744073709551615/' "$B/config.json"     # jq rounds it
	good rt run --bundle "$B" "$ID"
	like "$out" 'unlimited +unlimited'
}

t_rlimits_unknown_or_twice_are_refused() {
	inside_bad "" '.process.rlimits = [{type: "RLIMIT_FOO", soft: 1, hard: 1}]'
	differs runc crun "takes the last"
	inside_bad "" '.process.rlimits = [{type: "RLIMIT_CORE", soft: 1, hard: 1}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]'
}

t_rlimits_soft_above_hard_is_refused() {
	inside_bad "" '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 200, hard: 100}]'
}

t_no_new_privileges() {
	proc1 '.process.noNewPrivileges = true'
	is "$(status_field NoNewPrivs <<<"$out")" 1
	proc1 '.process.noNewPrivileges = false'
	is "$(status_field NoNewPrivs <<<"$out")" 0
	proc1 'del(.process.noNewPrivileges)'
	is "$(status_field NoNewPrivs <<<"$out")" 0
}

t_oom_score_adj() {
	inside_ok '.process.oomScoreAdj = 321' 'cat /proc/1/oom_score_adj'
	is "$out" 321
	inside_ok '.process.oomScoreAdj = 0' 'cat /proc/1/oom_score_adj'
	is "$out" 0
}

t_oom_score_adj_absent_is_the_callers() {
	bundle '.process.args = ["cat", "/proc/self/oom_score_adj"]'
	run sh -c 'echo 111 >/proc/self/oom_score_adj; exec "$@"' - "$RUNTIME" --root "$T/state" \
		run --bundle "$B" "$ID"
	is "$out" 111
}

t_oom_score_adj_out_of_range_is_refused() { inside_bad "" '.process.oomScoreAdj = 5000'; }

t_scheduler() {
	need isle
	inside_ok '.process.scheduler = {policy: "SCHED_BATCH", nice: 5} | .process.args = ["probe", "sched"]' ''
	like "$out" '^3 5 0 '
	inside_ok '.process.scheduler = {policy: "SCHED_OTHER", nice: 7} | .process.args = ["probe", "sched"]' ''
	like "$out" '^0 7 0 '
	inside_ok '.process.scheduler = {policy: "SCHED_IDLE"} | .process.args = ["probe", "sched"]' ''
	like "$out" '^5 '
}

t_scheduler_flags() {
	need isle
	inside_ok '.process.scheduler = {policy: "SCHED_BATCH", flags: ["SCHED_FLAG_RESET_ON_FORK"]} | .process.args = ["probe", "sched"]' ''
	like "$out" '^3 0 0 1 '
}

t_scheduler_wrong_is_refused() {
	need isle
	inside_bad "" '.process.scheduler = {policy: "SCHED_FOO"}'
	inside_bad "" '.process.scheduler = {nice: 1}'
	inside_bad "" '.process.scheduler = {policy: "SCHED_OTHER", flags: ["SCHED_FLAG_FOO"]}'
}

t_io_priority() {
	need isle
	inside_ok '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6} | .process.args = ["probe", "ioprio"]' ''
	is "$out" "2 6"
	inside_ok '.process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0} | .process.args = ["probe", "ioprio"]' ''
	like "$out" '^3 '
}

t_io_priority_wrong_is_refused() {
	need isle
	inside_bad "" '.process.ioPriority = {class: "IOPRIO_CLASS_FOO", priority: 1}'
	inside_bad "" '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 9}'
}

t_exec_cpu_affinity_wrong_is_refused() {
	need isle
	inside_bad "" '.process.execCPUAffinity = {initial: "x"}'
}

t_personality() {
	differs runc "later than 1.1"
	inside_ok '.linux.personality = {domain: "LINUX32"} | .process.args = ["uname", "-m"]' ''
	is "$out" i686
	inside_ok '.linux.personality = {domain: "LINUX"} | .process.args = ["uname", "-m"]' ''
	is "$out" "$(uname -m)"
}

t_personality_unknown_is_refused() {
	differs runc "later than 1.1"
	inside_bad "" '.linux.personality = {domain: "WINDOWS"}'
}

t_apparmor_profile_without_apparmor() {
	! have_apparmor || need noapparmor
	differs crun runc "ignore it or not"
	inside '.process.apparmorProfile = "nope"' 'echo started'
	[ $rc != 0 ] || is "$out" started
}
have_noapparmor() { ! have_apparmor; }

t_selinux_label_without_selinux() {
	! have_selinux || need noselinux
	inside '.process.selinuxLabel = "system_u:system_r:container_t:s0"' 'echo started'
	[ $rc != 0 ] || is "$out" started
}
have_noselinux() { ! have_selinux; }

t_signal_dispositions_are_the_defaults() {
	bundle '.process.args = ["cat", "/proc/self/status"]'
	run sh -c 'trap "" HUP USR1 PIPE; exec "$@"' - "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID"
	is "$(status_field SigBlk <<<"$out")" 0000000000000000
	differs crun runc "keep what is ignored"
	is "$(status_field SigIgn <<<"$out")" 0000000000000000
}

t_no_signal_is_blocked() {
	inside_ok '.process.args = ["cat", "/proc/self/status"]' ''
	is "$(status_field SigBlk <<<"$out")" 0000000000000000
	is "$(status_field SigPnd <<<"$out")" 0000000000000000
}

t_dies_with_nobody_its_parent_death_signal_is_clear() {
	up
	kill -0 "$PID"
	is "$(status_of "$ID")" running
}

t_session_keyring_is_its_own() {
	inside_ok '.process.args = ["probe", "keyring"]' ''
	isnt "$out" "$("$TAP_TOOLS/probe" keyring)"
	like "$out" '^[0-9]+$'
}

t_user_that_does_not_exist_in_passwd() {
	inside_ok '.process.user = {uid: 31337, gid: 31338}' 'id -u; id -g'
	is "$out" "31337
31338"
}

t_a_large_environment_and_many_args() {
	inside_ok '.process.env += [range(2000) | "V\(.)=\(.)"] | .process.args = (["sh", "-c", "echo $# $V1999", "-"] + [range(2000) | tostring])' ''
	is "$out" "2000 1999"
}

tap_main "$@"
