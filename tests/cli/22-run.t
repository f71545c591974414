#!/bin/bash
# run: create + start + wait + delete in one; exit statuses, signals, stdio.
. "${0%/*}/../lib/tap.sh"

t_output_and_status() {
	inside_ok . 'echo out; echo err >&2'
	is "$out" out
	is "$err" err
}

t_exit_status_is_the_programs() {
	local s
	for s in 0 1 42 255; do
		inside . "exit $s"
		is $rc $s
	done
}

t_killed_by_a_signal_is_128_plus() {
	bundle '.process.args = ["sleep", "1000"]'
	(rt run --bundle "$B" "$ID" </dev/null || echo $? >"$T/rc") >"$T/log" 2>&1 &
	until_ok status_is "$ID" running
	rt kill "$ID" KILL
	wait $!
	is "$(cat "$T/rc")" 137
}

t_is_deleted_after_the_end() {
	inside_ok . true
	bad "container does not exist" rt state "$ID"
	[ ! -e "$T/state/$ID" ] || fail "state directory left"
	is "$(tap_groups | grep "$ID" || true)" ""
}

t_keep_leaves_it_stopped() {
	bundle
	good rt run --keep --bundle "$B" "$ID"
	is "$(status_of "$ID")" stopped
	bad "container with given ID already exists" rt run --keep --bundle "$B" "$ID"
	good rt delete "$ID"
	good rt run --keep --bundle "$B" "$ID"
}

t_same_id_twice_in_a_row() {
	bundle 'sh("echo hi")'
	good rt run --bundle "$B" "$ID"
	good rt run --bundle "$B" "$ID"
	is "$out" hi
}

t_stdin_is_passed() {
	bundle '.process.args = ["cat"]'
	is "$(echo through | rt run --bundle "$B" "$ID")" through
}

t_large_output_is_whole() {
	bundle '.process.args = ["head", "-c", "1000000", "/dev/zero"]'
	is "$(rt run --bundle "$B" "$ID" </dev/null | wc -c)" 1000000
}

t_closed_stdin() {
	bundle 'sh("echo ok")'
	is "$(rt run --bundle "$B" "$ID" <&-)" ok
}

t_detach_returns_while_it_runs() {
	up
	is "$(status_of "$ID")" running
	kill -0 "$PID"
	is "$(rt state "$ID" | jq .pid)" "$PID"
}

t_detached_program_that_ends_stays_as_stopped() {
	bundle
	good rt run -d --bundle "$B" "$ID"
	wait_status "$ID" stopped
	good rt delete "$ID"
}

t_signals_are_forwarded() {
	local s n
	for s in TERM USR1 HUP INT; do
		bundle '.process.args = ["/bin/probe", "trap"]'
		: >"$T/out"
		# A background job of a script ignores INT; a group of its own does not help: env does.
		env --default-signal=INT "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" \
			</dev/null >"$T/out" 2>&1 &
		n=$!
		until_ok grep -q ready "$T/out"
		kill -$s $n
		wait $n || true
		until_ok grep -q "^signal $(kill -l $s)\$" "$T/out"
	done
}

t_killing_run_does_not_leave_it_unknown() {
	bundle '.process.args = ["sleep", "1000"]'
	"$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null >/dev/null 2>&1 &
	until_ok status_is "$ID" running
	kill -9 $!
	wait $! 2>/dev/null || true
	good rt delete --force "$ID"
	bad "container does not exist" rt state "$ID"
}

t_missing_program_exits_127() {
	inside '.process.args = ["nosuch"]' x
	says 'executable file not found in $PATH'
	if [ $ENGINE = isle ]; then is $rc 127; else isnt $rc 0; fi
}

t_unexecutable_program_exits_126() {
	inside '.process.args = ["/etc/passwd"]' x
	says 'permission denied'
	if [ $ENGINE = isle ]; then is $rc 126; else isnt $rc 0; fi
}

t_program_in_path_that_may_not_be_executed() {
	bundle '.process.args = ["prog"]'
	: >"$B/rootfs/bin/prog"
	run rt run --bundle "$B" "$ID"
	[ $rc != 0 ] || fail "ran"
	[ $ENGINE = crun ] || like "$err" 'permission denied|executable file not found'
}

t_orphans_are_not_waited_for() {
	inside_ok . 'sleep 1000 >/dev/null 2>&1 & echo ok'
	is "$out" ok
	is "$(tap_strays)" "" "processes"
}

t_init_is_reaped_zombies_do_not_hang() {
	inside_ok . 'i=0; while [ $i -lt 20 ]; do (sleep 0.001 &); i=$((i+1)); done; echo end'
	is "$out" end
}

t_run_without_pid_namespace() {
	need cgroup
	inside_ok 'ns("pid")' 'echo $$'
	isnt "$out" 1
}

t_listen_fds() {
	bundle 'sh("echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3; cat <&4; probe fds")'
	echo three >"$T/3"; echo four >"$T/4"
	run sh -c 'LISTEN_FDS=2 LISTEN_FDNAMES=a:b LISTEN_PID=$$ exec "$@"' - "$RUNTIME" \
		--root "$T/state" run --bundle "$B" "$ID" </dev/null 3<"$T/3" 4<"$T/4"
	is $rc 0
	like "$(head -n 1 <<<"$out")" '^2 1( a:b)?$'
	like "$out" three
	like "$out" four
}

t_preserve_fds() {
	bundle 'sh("cat <&3; cat <&4; probe fds")'
	echo three >"$T/3"; echo four >"$T/4"; echo five >"$T/5"
	run rt run --preserve-fds 2 --bundle "$B" "$ID" </dev/null 3<"$T/3" 4<"$T/4" 5<"$T/5"
	is "$out" "three
four
0 1 2 3 4"
}

t_without_preserve_fds_only_stdio() {
	bundle '.process.args = ["/bin/probe", "fds"]'
	run rt run --bundle "$B" "$ID" </dev/null 3<"$B/config.json" 7<"$B" 9<"$B/config.json"
	is "$out" "0 1 2"
}

t_preserve_fds_that_are_not_open() {
	differs runc "leaks descriptors of its own there"
	bundle '.process.args = ["/bin/probe", "fds"]'
	run rt run --preserve-fds 3 --bundle "$B" "$ID" </dev/null
	[ $rc != 0 ] || is "$out" "0 1 2" "leaked"
}

t_preserve_fds_with_holes() {
	differs runc "refuses them"
	bundle '.process.args = ["/bin/probe", "fds"]'
	good rt run --preserve-fds 5 --bundle "$B" "$ID" 4<"$B/config.json" 7<"$B/config.json"
	is "$out" "0 1 2 4 7"
}

t_listen_fds_that_are_not_open() {
	differs runc crun "1.1 and 1.8 leak theirs"
	bundle 'sh("echo $LISTEN_PID $LISTEN_FDS; /bin/probe fds")'
	run env LISTEN_FDS=1 "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	is "$out" "1 1
0 1 2"
}

t_notify_socket_is_in_a_directory_of_the_hosts_path() {
	differs runc "has it in /run/notify"
	bundle 'sh("echo $NOTIFY_SOCKET; ls /tmp/parent/sock")'
	run env NOTIFY_SOCKET=/tmp/parent/sock "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	like "$out" '^/tmp/parent/sock/notify'
	like "${lines[1]:-$out}" 'notify'
}

t_notify_socket() {
	differs crun "binds the directory"
	bundle '.process.args = ["/bin/probe", "notify", "READY=1"]'
	"$TAP_TOOLS/host" notify "$T/n" >"$T/got" &
	until_ok test -S "$T/n"
	run env NOTIFY_SOCKET="$T/n" "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	wait $!
	has "$(cat "$T/got")" "READY=1"
}

t_notify_socket_is_not_in_the_environment_when_unset() {
	inside_ok . 'echo "[$NOTIFY_SOCKET]"'
	is "$out" "[]"
}

t_the_callers_environment_does_not_get_in() {
	bundle '.process.args = ["env"]'
	run env SECRET=x "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	hasnt "$out" SECRET
}

t_no_new_keyring_keeps_the_session_keyring() {
	local mine theirs
	mine=$("$TAP_TOOLS/probe" keyring)
	bundle '.process.args = ["/bin/probe", "keyring"]'
	theirs=$(rt run --bundle "$B" "$ID" </dev/null)
	isnt "$theirs" "$mine" "session keyring"
	theirs=$(rt run --no-new-keyring --bundle "$B" "$ID" </dev/null)
	is "$theirs" "$mine" "session keyring"
}

tap_main "$@"
