#!/bin/bash
# isle run and create: what runs, with what, and the exit status.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

none_left() { [ -z "$(isle ps -aq)" ]; }

t_output_and_exit_status() {
	irun $BUSYBOX sh -c 'echo out; echo err >&2; exit 7'
	is $rc 7
	is "$out" out
	is "$err" err
}

t_127_126_and_125() {
	irun $BUSYBOX /nowhere
	is $rc 127
	irun $BUSYBOX /etc
	is $rc 126
	irun --no-such-option $BUSYBOX true
	is $rc 125
	irun --pull never isle.test/nowhere true
	is $rc 125
	has "$err" "no such image"
}

t_stdin_is_closed_without_i() {
	run sh -c "echo data | timeout 10 '$ISLE' --root '$STORE' --run-root '$RUN_ROOT' run --rm $BUSYBOX cat"
	is "$rc:$out" 0:
	run sh -c "echo data | timeout 10 '$ISLE' --root '$STORE' --run-root '$RUN_ROOT' run --rm -i $BUSYBOX cat"
	is "$rc:$out" 0:data
}

t_environment_user_and_directory() {
	printf 'A=of file\n# no\nB=of file\n' >env.list
	B=unused irun --env-file env.list -e B=given -e FROM_IMAGE $BUSYBOX sh -c 'echo "$A,$B,$FROM_IMAGE"'
	is "$out" "of file,given,"
	irun -u ann -w /tmp $BUSYBOX sh -c 'echo $(id -u) $PWD $HOME'
	is "$out" "1000 /tmp /home/ann"
	irun -u nobody-here $BUSYBOX true
	is $rc 125
	has "$err" nobody-here
}

t_entrypoint_and_command() {
	irun --entrypoint echo $BUSYBOX a b
	is "$out" "a b"
}

t_limits_reach_the_program() {
	irun --ulimit nofile=100:200 --cap-drop ALL $BUSYBOX sh -c 'ulimit -n; grep CapEff /proc/self/status'
	is "$out" $'100\nCapEff:\t0000000000000000'
	irun -m 1m $BUSYBOX true
	is $rc 125
	has "$err" "option --memory"
}

t_files() {
	mkdir dir
	echo here >dir/f
	cd dir || fail "no dir"
	irun -v ./:/m:ro --tmpfs /x:size=1m $BUSYBOX sh -c 'cat /m/f; touch /m/g 2>&1; df -k /x | tail -1 | grep -o "1024 " | head -1'
	has "$out" here
	has "$out" "Read-only file system"
	has "$out" "1024"
	irun --read-only $BUSYBOX touch /y
	[ $rc != 0 ]
	irun --mount type=bind,src=/nowhere/x,dst=/c $BUSYBOX true
	is $rc 125
	has "$err" "/nowhere/x"
}

t_cidfile() {
	good isle run --rm --cidfile cid $BUSYBOX true
	is "$(wc -c <cid)" 64
	irun --cidfile cid $BUSYBOX true
	is $rc 125
	has "$err" "there already"
}

t_a_name_is_one_instances() {
	bg_sleep
	run isle run -d --name "$NAME" $BUSYBOX true
	is $rc 125
	has "$err" "$NAME"
}

t_rm_leaves_nothing() {
	irun $BUSYBOX true
	run isle run --rm $BUSYBOX /nowhere
	is "$(isle ps -aq)" ""
	good isle run -d --rm $BUSYBOX true
	until_ok none_left
}

t_create_then_start() {
	good isle create --name made $BUSYBOX sh -c 'echo made; exit 4'
	is "$(isle ps -a --filter name=made --format '{{.Status}}')" Created
	run isle start -a made
	is "$rc:$out" 4:made
}

isle_main "$@"
