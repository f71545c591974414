#!/bin/bash
# isle logs and events.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

t_both_streams() {
	good isle run --name printed $BUSYBOX sh -c 'echo out; sleep 0.1; echo err >&2'
	run isle logs printed
	is "$rc:$out:$err" 0:out:err
}

t_tail_and_timestamps() {
	good isle run --name printed $BUSYBOX sh -c 'for i in 1 2 3; do echo $i; done'
	run isle logs -n 2 printed
	is "$out" $'2\n3'
	run isle logs -t -n 1 printed
	has "$out" "Z 3"
	run isle logs --since 2001-01-01 --until 2001-01-02 printed
	is "$rc:$out" 0:
	run isle logs --since yesterday printed
	is $rc 1
	has "$err" "option --since"
}

t_follow_ends_with_the_instance() {
	bg $BUSYBOX sh -c 'echo one; sleep 0.5; echo two'
	run timeout 20 "$ISLE" --root "$STORE" --run-root "$RUN_ROOT" logs -f "$NAME"
	is "$rc:$out" $'0:one\ntwo'
}

t_a_driver_that_keeps_nothing() {
	good isle run --name silent --log-driver none $BUSYBOX echo x
	run isle logs silent
	is $rc 1
	has "$err" "--log-driver none"
}

t_events() {
	good isle run --name told $BUSYBOX true
	run isle events --since 1h --until 0s --filter container=told --format '{{.Action}}'
	is "$(printf '%s' "$out" | tr '\n' ' ')" "create start die"
	run isle events --until 0s --filter colour=x
	is $rc 1
}

isle_main "$@"
