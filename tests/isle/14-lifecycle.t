#!/bin/bash
# start, stop, restart, kill, pause, rename, wait, update, rm, ps, and several names at once.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

status_of() { isle ps -a --filter "name=^$1\$" --format '{{.Status}}'; }

t_stop_and_start() {
	bg_sleep
	has "$(status_of "$NAME")" "Up "
	run isle stop -t 0 "$NAME"
	is "$rc:$out" "0:$NAME"
	has "$(status_of "$NAME")" "Exited (137)"
	good isle start "$NAME"
	state_is running
}

t_stop_signal_and_its_exit_code() {
	bg --stop-signal USR1 $BUSYBOX sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.1; done'
	until_ok grep -q up <(isle logs "$NAME")
	good isle stop "$NAME"
	is "$(inspect '{{.State.ExitCode}}')" 9
}

t_pause() {
	bg_sleep
	good isle pause "$NAME"
	has "$(status_of "$NAME")" "(Paused)"
	run isle pause "$NAME"
	is $rc 1
	good isle unpause "$NAME"
	state_is running
}

t_several_names_each_by_itself() {
	bg_sleep
	local first=$NAME
	bg_sleep
	run isle stop -t 0 "$first" nowhere-1 "$NAME"
	is $rc 1
	has "$err" "no such instance: nowhere-1"
	state_is exited "$first"
	state_is exited "$NAME"
	run isle rm "$first" nowhere-2 "$NAME"
	is "$rc:$out" "1:$first"$'\n'"$NAME"
}

t_rm_of_a_running_one() {
	bg_sleep
	run isle rm "$NAME"
	is $rc 1
	has "$err" running
	good isle rm -f "$NAME"
	is "$(isle ps -aq)" ""
}

t_rename() {
	bg_sleep
	local old=$NAME
	good isle rename "$old" renamed
	state_is running renamed
	run isle inspect "$old"
	is $rc 1
}

t_wait() {
	bg $BUSYBOX sh -c 'sleep 0.3; exit 6'
	run isle wait "$NAME"
	is "$rc:$out" 0:6
}

t_restart_policy() {
	bg --restart on-failure:2 $BUSYBOX sh -c 'exit 3'
	until_ok state_is exited
	is "$(inspect '{{.RestartCount}} {{.State.ExitCode}}')" "2 3"
}

t_update() {
	bg_sleep -m 64m
	good isle update -m 128m --restart unless-stopped "$NAME"
	is "$(inspect '{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}')" "134217728 unless-stopped"
	run isle update "$NAME"
	is $rc 1
}

t_ps_filters() {
	bg_sleep -l color=red
	local red=$NAME
	bg_sleep -l color=blue
	is "$(isle ps --filter label=color=red --format '{{.Names}}')" "$red"
	is "$(isle ps --filter label=color --filter "name=$red" --format '{{.Names}}')" "$red"
	is "$(isle ps -q --filter status=exited)" ""
	is "$(isle ps -l --format '{{.Names}}')" "$NAME"
	run isle ps --filter colour=red
	is $rc 1
}

t_diff() {
	bg_sleep
	in_bg sh -c 'echo new >/new; rm /etc/group'
	run isle diff "$NAME"
	is "$out" $'C /etc\nD /etc/group\nA /new'
}

t_top_and_stats() {
	bg_sleep
	run isle top "$NAME"
	has "$out" "sleep 1000"
	run isle stats --no-stream --format '{{.Name}} {{.PIDs}}'
	is "$out" "$NAME 1"
}

# /run is empty after a reboot.
t_a_run_root_that_is_gone_is_made_again() {
	local gone
	bg_sleep --add-host world:192.0.2.7
	good isle stop -t 0 "$NAME"
	gone=$NAME
	bg_sleep
	good isle stop -t 0 "$NAME"
	rm -rf --one-file-system "${RUN_ROOT:?}"
	good isle start "$gone"
	good isle exec "$gone" cat /etc/hosts
	has "$out" $'192.0.2.7\tworld'
	good isle rm -f "$gone"
	good isle rm "$NAME"
	is "$(ls -A "$RUN_ROOT/bundles")" ""
}

isle_main "$@"
