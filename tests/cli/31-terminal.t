#!/bin/bash
# process.terminal: console sockets, sizes, /dev/console.
. "${0%/*}/../lib/tap.sh"

# on_tty SCRIPT [FILTER]: detached with a console socket, its output in $T/o.
on_tty() {
	bundle 'sh($script) | .process.terminal = true | '"${2:-.}" --arg script "$1"
	rm -f "$T/s"
	"$TAP_TOOLS/host" recvtty "$T/s" </dev/null >"$T/o" 2>&1 &
	RECV=$!
	until_ok test -S "$T/s"
	good rt create --bundle "$B" --console-socket "$T/s" "$ID"
	good rt start "$ID"
	wait_status "$ID" stopped
	wait $RECV
	out=$(tr -d '\r' <"$T/o")
}

t_stdio_is_one_terminal_which_controls() {
	on_tty 'exec probe ctty'
	has "$out" "tty=1 sid=1 pgrp=1 isatty=111"
}

t_console_is_that_terminal() {
	on_tty 'stat -c %t:%T /dev/console; stat -L -c %t:%T /proc/self/fd/0; echo to-console >/dev/console; tty'
	has "$out" to-console
	local l
	mapfile -t l <<<"$out"
	is "${l[1]}" "${l[2]}" "device"
	like "$out" '/dev/(pts/0|console)'
}

t_the_message_names_the_terminal() {
	on_tty true
	like "$(head -n 1 <<<"$out")" '^/dev/(pts/|ptmx)'
	hasnt "$out" "second message"
	hasnt "$out" "more than one"
}

t_console_size() {
	on_tty 'probe winsize' '.process.consoleSize = {height: 43, width: 123}'
	has "$out" "43 123"
}

t_console_size_is_ignored_without_terminal() {
	inside_ok '.process.consoleSize = {height: 43, width: 123}' 'echo ok'
	is "$out" ok
}

t_input_arrives() {
	bundle 'sh("read x; echo got:$x") | .process.terminal = true'
	(until_ok test -e "$T/go"; echo word; sleep 5) |
		"$TAP_TOOLS/host" recvtty "$T/s" >"$T/o" 2>&1 &
	until_ok test -S "$T/s"
	good rt run -d --bundle "$B" --console-socket "$T/s" "$ID"
	touch "$T/go"
	until_ok grep -q got:word "$T/o"
}

t_a_foreground_run_uses_the_callers_terminal() {
	# The size follows the start: runc and crun set it when they begin to copy.
	bundle 'sh("while [ \"$(probe winsize)\" = \"0 0\" ]; do :; done; probe winsize; tty; exec probe ctty") | .process.terminal = true'
	run "$TAP_TOOLS/host" pty "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	is $rc 0
	has "$out" "31 97"
	has "$out" "tty=1 sid=1 pgrp=1 isatty=111"
}

t_exit_status_comes_through_a_terminal() {
	bundle 'sh("exit 7") | .process.terminal = true'
	run "$TAP_TOOLS/host" pty "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	is $rc 7
}

t_large_output_through_a_terminal() {
	bundle 'sh("i=0; while [ $i -lt 2000 ]; do echo line$i; i=$((i+1)); done") | .process.terminal = true'
	run "$TAP_TOOLS/host" pty "$RUNTIME" --root "$T/state" run --bundle "$B" "$ID" </dev/null
	is "$(grep -c '^line' <<<"$out")" 2000
}

t_owner_of_the_terminal_is_the_user() {
	on_tty 'stat -L -c %u /proc/self/fd/0; echo x >/dev/tty' '.process.user = {uid: 1000, gid: 1000}'
	has "$out" 1000
	has "$out" x
}

t_console_socket_that_is_not_there() {
	bundle '.process.terminal = true'
	bad "" rt create --bundle "$B" --console-socket "$T/none" "$ID"
	bad "container does not exist" rt state "$ID"
	is "$(tap_strays)" "" "processes"
}

t_the_terminal_is_of_the_containers_devpts() {
	on_tty 'ls /dev/pts; tty'
	like "$out" $'\n0 +ptmx'
}

t_no_terminal_no_console() {
	inside_ok . '[ -t 0 ] || echo no'
	is "$out" no
}

t_terminal_in_a_user_namespace() {
	need userns
	bundle 'sh("exec probe ctty") | .process.terminal = true | map1(100000; 65536)'
	"$TAP_TOOLS/host" recvtty "$T/s" </dev/null >"$T/o" 2>&1 &
	until_ok test -S "$T/s"
	good rt run -d --bundle "$B" --console-socket "$T/s" "$ID"
	until_ok grep -q "tty=1 sid=1" "$T/o"
}

tap_main "$@"
