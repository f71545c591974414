#!/bin/bash
# Killed by SIGKILL at any system call of create, start, exec or delete, the runtime
# leaves nothing that "delete --force" and a second create with the same id cannot clean.
#
# ISLE_CRASH_STRIDE=1 tries every system call; the default fits a minute.
. "${0%/*}/../lib/tap.sh"

STRIDE=${ISLE_CRASH_STRIDE:-7}
# stride N: every Nth call, from one of the first N, so that many runs try them all.
stride() { STRIDE=$1; FIRST=$((RANDOM % STRIDE + 1)); }
# Half as many, unless all are asked for.
sparse() { stride $((STRIDE > 1 ? STRIDE * 2 : 1)); }
stride "$STRIDE"

# killed N ARGS...: run the runtime and kill it at its Nth call.  0: killed, 3: it ended.
killed() {
	local n=$1 rc=0
	shift
	"$TAP_TOOLS/killnth" $FOLLOW "$n" "$RUNTIME" --root "$T/state" "$@" </dev/null >kill.out 2>&1 || rc=$?
	[ $rc = 0 ] || [ $rc = 3 ] || fail "killnth: $rc: $(cat kill.out)"
	return $rc
}

# Nothing of $ID may be left: processes, groups, mounts, state.
clean() {
	local i left
	for ((i = 0; i < 200; i++)); do
		left="$(tap_strays) $(compgen -G "/sys/fs/cgroup/*$CGROUP/$ID" || true)$(
			compgen -G "/sys/fs/cgroup$CGROUP/$ID" || true)"
		left=${left# }
		[ -n "$left" ] || break
		sleep 0.01
	done
	is "$left" "" "$1: left behind"
	[ ! -e "$T/state/$ID" ] || fail "$1: state directory left"
	is "$(wc -l </proc/self/mountinfo)" "$MOUNTS" "$1: mounts"
	is "$(ls -A "$T/state" | grep -v '^[.@]' || true)" "" "$1: state"
}

# sweep WHAT: kill the runtime at each step of the function step_WHAT, then clean.
sweep() {
	local n count=0
	need root
	MOUNTS=$(wc -l </proc/self/mountinfo)
	for ((n = FIRST; n < 5000; n += STRIDE)); do
		rc=0
		"step_$1" $n || rc=$?
		[ $rc != 3 ] || break
		"$RUNTIME" --root "$T/state" delete --force "$ID" >del.out 2>&1 ||
			fail "step $n: delete --force: $(cat del.out)"
		clean "step $n"
		rt create --bundle "$B" "$ID" </dev/null >again.out 2>&1 ||
			fail "step $n: second create: $(cat again.out)"
		rt delete --force "$ID" >again.out 2>&1 || fail "step $n: second delete: $(cat again.out)"
		clean "step $n, second"
		count=$((count + 1))
	done
	rt delete --force "$ID" >/dev/null 2>&1 || true
	echo "$count steps of $n"
	[ $count -gt 2 ] || fail "only $count steps"
}

crash_bundle() { bundle '.process.args = ["sleep", "1000"] | newns("cgroup") | .linux.resources.pids.limit = 50'; }

t_create() { need cgroup isle; FOLLOW=; crash_bundle; sweep create; }
t_create_with_the_child_at_its_step() { need cgroup isle; FOLLOW=-f; sparse; crash_bundle; sweep create; }
step_create() { killed "$1" create --bundle "$B" "$ID"; }

t_create_in_a_user_namespace() {
	need cgroup isle userns
	FOLLOW=
	sparse
	bundle '.process.args = ["sleep", "1000"] | map1(100000; 65536)'
	sweep create
}

# A second create without a delete in between cleans what a killed one left, or says
# that the id is in use; never anything else.
t_create_again_without_delete() {
	need cgroup isle
	local n rc
	FOLLOW=
	sparse
	crash_bundle
	MOUNTS=$(wc -l </proc/self/mountinfo)
	for ((n = FIRST; n < 5000; n += STRIDE)); do
		rc=0
		killed $n create --bundle "$B" "$ID" || rc=$?
		[ $rc != 3 ] || break
		if rt create --bundle "$B" "$ID" </dev/null >again.out 2>&1; then
			is "$(status_of "$ID")" created "step $n"
		else
			has "$(cat again.out)" "already exists" "step $n"
		fi
		good rt delete --force "$ID" >/dev/null
		clean "step $n"
	done
	rt delete --force "$ID" >/dev/null 2>&1 || true
}

t_start() { need cgroup isle; FOLLOW=; stride $((STRIDE < 3 ? STRIDE : 3)); crash_bundle; sweep start; }
step_start() {
	rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
	killed "$1" start "$ID"
}

t_exec() { need cgroup isle; FOLLOW=; crash_bundle; sweep exec; }
t_exec_with_the_child_at_its_step() { need cgroup isle; FOLLOW=-f; sparse; crash_bundle; sweep exec; }
step_exec() {
	rt run -d --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
	killed "$1" exec -d "$ID" sleep 1000
}

t_delete() { need cgroup isle; FOLLOW=; crash_bundle; sweep delete; }
step_delete() {
	rt run -d --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
	killed "$1" delete --force "$ID"
}

t_run() { need cgroup isle; FOLLOW=; bundle .; sweep run; }
step_run() { killed "$1" run --bundle "$B" "$ID"; }

t_a_killed_exec_leaves_the_container_running() {
	need cgroup isle
	local n rc
	FOLLOW=
	sparse
	crash_bundle
	rt run -d --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
	for ((n = FIRST; n < 5000; n += STRIDE)); do
		rc=0
		killed $n exec -d "$ID" true || rc=$?
		[ $rc != 3 ] || break
		is "$(status_of "$ID")" running "step $n"
		in_it echo alive >/dev/null
		is "$out" alive "step $n"
	done
}

t_the_child_dies_when_the_runtime_is_killed_before_commit() {
	need cgroup isle
	# Whatever is alive after the kill must be known to state, or be dead soon.
	local n rc
	FOLLOW=
	sparse
	crash_bundle
	for ((n = FIRST; n < 5000; n += STRIDE)); do
		rc=0
		killed $n create --bundle "$B" "$ID" || rc=$?
		[ $rc != 3 ] || break
		if [ "$(rt state "$ID" 2>/dev/null | jq -r .status)" != created ]; then
			until_ok no_strays
		fi
		good rt delete --force "$ID" >/dev/null
	done
	rt delete --force "$ID" >/dev/null 2>&1 || true
}

t_a_torn_state_file_is_an_error_in_one_line() {
	need isle
	crash_bundle
	rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
	: >"$T/state/$ID/state.json"
	run rt state "$ID"
	[ $rc != 0 ] && [ $rc -lt 128 ] || fail "rc $rc"
	run rt list
	[ $rc = 0 ] || fail "list: rc $rc"
}

t_an_empty_state_directory_is_cleaned() {
	need isle
	crash_bundle
	mkdir "$T/state/$ID"
	good rt create --bundle "$B" "$ID"
	good rt delete --force "$ID"
	mkdir "$T/state/$ID"
	good rt delete --force "$ID"
}

t_no_killed_create_blocks_list() {
	need isle
	crash_bundle
	mkdir "$T/state/x"
	good timeout 10 "$RUNTIME" --root "$T/state" list
	good timeout 10 "$RUNTIME" --root "$T/state" list -q
}

TAP_TIMEOUT=$((STRIDE < 5 ? 900 : 120))
tap_main "$@"
