#!/bin/bash
# timeout: 400
# Killed by SIGKILL at any system call, isle loses nothing it reported, and the next
# commands find and clean what was left.
#
# ISLE_CRASH_STRIDE=1 tries every call; the default fits half a minute.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

STRIDE=${ISLE_CRASH_STRIDE:-127}
FIRST=$((RANDOM % STRIDE + 1))
TAP_TIMEOUT=120

# killed N ARGS...: run isle and kill it at its Nth call.  0: killed, 3: it ended.
killed() {
	local n=$1 rc=0
	shift
	"$TAP_TOOLS/killnth" "$n" "$ISLE" --root "$STORE" --run-root "$RUN_ROOT" "$@" \
		</dev/null >kill.out 2>&1 || rc=$?
	[ $rc = 0 ] || [ $rc = 3 ] || fail "killnth: $rc: $(cat kill.out)"
	return $rc
}

# nothing WHAT: no instance, and nothing of one, is left.
nothing() {
	local i left
	for ((i = 0; i < 300; i++)); do
		left=$(isle_leftovers)
		[ -n "$left" ] || return 0
		sleep 0.01
	done
	fail "$1: left behind: $left"
}

# sweep FUNCTION [AFTER]: FUNCTION N kills a command at its Nth call; AFTER checks what must
# hold then; everything is removed by name, and nothing may be left.
sweep() {
	local n count=0 all ended stride=$STRIDE
	need root
	for ((n = FIRST; n < 20000; n += stride)); do
		rc=0
		"$1" $n || rc=$?
		ended=$((rc == 3))
		run isle ps -a
		[ $rc = 0 ] || fail "step $n: ps -a: $err"
		[ -z "${2-}" ] || "$2" $n
		all=$(isle ps -aq)
		# shellcheck disable=SC2086
		[ -z "$all" ] || good isle rm -f -v $all
		good isle system check
		nothing "step $n"
		count=$((count + 1 - ended))
		# A command of few calls: once more, in smaller steps.
		if [ $ended = 1 ] && [ $count -lt 4 ] && [ $stride -gt 8 ]; then
			stride=$((stride / 4))
			n=$((FIRST % stride + 1 - stride))
		elif [ $ended = 1 ]; then
			break
		fi
	done
	echo "$count steps of $n"
	[ $count -gt 2 ] || fail "only $count steps"
}

t_run_detached() { sweep step_run after_run; }
step_run() { killed "$1" run -d --name crash -p 127.0.0.1:8081:80 -v crash:/data $BUSYBOX sleep 1000; }
# The name is free again, or the instance is there and can be removed.
after_run() {
	isle rm -f crash >/dev/null 2>&1 || true
	good isle run -d --name crash -p 127.0.0.1:8081:80 $BUSYBOX sleep 1000
}

t_run_in_the_foreground_with_rm() { sweep step_foreground; }
step_foreground() { killed "$1" run --rm --name crash $BUSYBOX true; }

t_remove_by_force() { sweep step_remove; }
step_remove() {
	isle run -d --name crash $BUSYBOX sleep 1000 >/dev/null || return 1
	killed "$1" rm -f crash
}

t_stop() { sweep step_stop; }
step_stop() {
	isle run -d --name crash $BUSYBOX sleep 1000 >/dev/null || return 1
	killed "$1" stop -t 0 crash
}

t_network_create() {
	local n
	for ((n = FIRST; n < 20000; n += STRIDE)); do
		rc=0
		killed $n network create crash || rc=$?
		[ $rc != 3 ] || break
		isle network rm crash >/dev/null 2>&1 || true
		good isle network create crash
		good isle network rm crash
		nothing "step $n"
	done
	isle network rm crash
}

t_load_loses_no_image() {
	local n
	for ((n = FIRST; n < 20000; n += STRIDE * 5)); do
		rc=0
		"$TAP_TOOLS/killnth" -f $n "$ISLE" --root "$T/store" --run-root "$T/run" \
			load -q -i "$IMAGES/busybox.tar" </dev/null >kill.out 2>&1 || rc=$?
		[ $rc != 3 ] || break
		[ $rc = 0 ] || fail "killnth: $rc: $(cat kill.out)"
		# What was said to be there is there, whole.
		if grep -q busybox kill.out; then
			run "$ISLE" --root "$T/store" --run-root "$T/run" run --rm --network none \
				$BUSYBOX echo whole
			is "$out" whole "step $n: $err"
		fi
		good "$ISLE" --root "$T/store" --run-root "$T/run" load -q -i "$IMAGES/busybox.tar"
		good "$ISLE" --root "$T/store" --run-root "$T/run" system check
		good "$ISLE" --root "$T/store" --run-root "$T/run" rmi $BUSYBOX
		good "$ISLE" --root "$T/store" --run-root "$T/run" system prune -a -f
	done
}

t_a_killed_keeper_is_noticed_and_told() {
	local keeper pid
	bg_sleep
	pid=$(inspect '{{.State.Pid}}')
	keeper=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")
	kill -9 "$keeper"
	wait_state exited
	until_ok gone "$pid"
	has "$(inspect '{{.State.Error}}')" keeper
	isnt "$(inspect '{{.State.ExitCode}}')" 0
	good isle start "$NAME"
	is "$(inspect '{{.State.Status}}')" running
	good isle rm -f "$NAME"
	nothing "after a killed keeper"
}

isle_main "$@"
