#!/bin/bash
# pause and resume.
. "${0%/*}/../lib/tap.sh"

t_pause_and_resume() {
	need cgroup
	up 'sh("while :; do echo x >>/n; usleep 1000; done")'
	until_ok test -s "$B/rootfs/n"
	good rt pause "$ID"
	is "$(status_of "$ID")" paused
	local a
	a=$(wc -c <"$B/rootfs/n")
	sleep 0.05
	is "$(wc -c <"$B/rootfs/n")" "$a" "it went on"
	good rt resume "$ID"
	is "$(status_of "$ID")" running
	more() { [ "$(wc -c <"$B/rootfs/n")" -gt "$a" ]; }
	until_ok more
}

t_resume_of_a_running_container_is_refused() {
	need cgroup
	up
	bad "container not paused" rt resume "$ID"
}

t_pause_twice() {
	need cgroup
	differs crun "does it again"
	up
	good rt pause "$ID"
	run rt pause "$ID"
	[ $rc = 0 ] || like "$err" "not running"
	is "$(status_of "$ID")" paused
}

t_pause_of_a_stopped_container() {
	need cgroup
	up
	rt kill "$ID" KILL
	wait_status "$ID" stopped
	bad "not running" rt pause "$ID"
	bad "" rt resume "$ID"
}

t_pause_of_a_created_container() {
	need cgroup
	bundle '.process.args = ["sleep", "1000"]'
	rt create --bundle "$B" "$ID"
	good rt pause "$ID"
	is "$(status_of "$ID")" paused
	good rt resume "$ID"
	is "$(status_of "$ID")" created
	good rt start "$ID"
	is "$(status_of "$ID")" running
}

t_delete_force_of_a_paused_container() {
	need cgroup
	up
	good rt pause "$ID"
	good timeout 20 "$RUNTIME" --root "$T/state" delete --force "$ID"
	gone "$PID" || fail "the process lives on"
	is "$(tap_groups | grep "$ID" || true)" "" "groups"
}

t_delete_of_a_paused_container_is_refused() {
	need cgroup
	up
	good rt pause "$ID"
	bad "" rt delete "$ID"
	is "$(status_of "$ID")" paused
}

t_paused_is_in_list() {
	need cgroup
	up
	rt pause "$ID"
	is "$(rt list -f json | jq -r '.[0].status')" paused
}

t_a_frozen_group_is_refused_and_not_waited_for() {
	need cgroup cgroupfs
	differs crun "hangs"
	bundle
	if [ $CGROUP_MODE = 1 ]; then
		mkdir -p "/sys/fs/cgroup/freezer$CGROUP/$ID"
		echo FROZEN >"/sys/fs/cgroup/freezer$CGROUP/$ID/freezer.state"
	else
		mkdir -p "/sys/fs/cgroup$CGROUP/$ID"
		echo 1 >"/sys/fs/cgroup$CGROUP/$ID/cgroup.freeze"
	fi
	run timeout 10 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID"
	[ $rc != 0 ] && [ $rc != 124 ] || fail "rc $rc"
	like "$err" 'frozen'
}

tap_main "$@"
