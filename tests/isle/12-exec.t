#!/bin/bash
# isle exec: one more program in a running instance.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

t_output_and_exit_status() {
	bg_sleep
	in_bg sh -c 'echo out; echo err >&2; exit 3'
	is "$rc:$out:$err" 3:out:err
}

t_126_and_127() {
	bg_sleep
	in_bg nowhere
	is $rc 127
	in_bg /etc
	is $rc 126
}

t_user_environment_and_directory() {
	bg_sleep -e KEPT=yes
	run isle exec -u ann -e X=given -w /tmp "$NAME" sh -c 'echo $(id -u) $X $KEPT $PWD $HOME'
	is "$out" "1000 given yes /tmp /home/ann"
}

t_stdin_only_with_i() {
	bg_sleep
	run sh -c "echo data | '$ISLE' --root '$STORE' --run-root '$RUN_ROOT' exec $NAME cat"
	is "$rc:$out" 0:
	run sh -c "echo data | '$ISLE' --root '$STORE' --run-root '$RUN_ROOT' exec -i $NAME cat"
	is "$rc:$out" 0:data
}

t_capabilities() {
	bg_sleep --cap-drop ALL
	in_bg grep CapEff /proc/self/status
	has "$out" 0000000000000000
	run isle exec --privileged "$NAME" grep CapEff /proc/self/status
	case $out in *0000000000000000*) fail "$out" ;; esac
}

t_one_that_is_paused_or_ended() {
	bg_sleep
	good isle pause "$NAME"
	in_bg true
	is $rc 1
	has "$err" paused
	good isle unpause "$NAME"
	good isle kill "$NAME"
	in_bg true
	is $rc 1
	has "$err" "not running"
}

isle_main "$@"
