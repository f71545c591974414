#!/bin/bash
# The keeper by itself, as isle drives it (src/proto/keeper.h), without the engine.
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"

tap_tool keeperctl || tap_bail "cannot build tests/lib/keeperctl.c"

# keep ARGS-JSON [FILTER]: a bundle that runs them and its keeper.json in $D, edited by FILTER.
keep() {
	bundle '.process.args = $a | .process.terminal = $t | .linux.cgroupsPath = $cg
		| .linux.namespaces |= map(select(.type != "network"))' \
		--argjson a "$1" --argjson t "${TTY:-false}" --arg cg "$(cgroups_path)"
	D=$B
	mv "$D/rootfs" "$D/lower"
	mkdir "$D"/{rootfs,upper,work}
	conf '.root.path = $p' --arg p "$D/rootfs"
	jq -n --arg d "$D" --arg id "$ID" --argjson t "${TTY:-false}" '{
		id: $id, name: "happy_\($id)", wall: "container", stateDir: "\($d)/state", bundle: $d,
		socket: "\($d)/socket", ownNetwork: true, tty: $t,
		mount: { lower: ["\($d)/lower"], upper: "\($d)/upper", work: "\($d)/work",
			 target: "\($d)/rootfs" },
		log: { driver: "json-file", path: "\($d)/log" } } | '"${2:-.}" >"$D/keeper.json"
}
# starter STEP...: as keeperctl has them; connect STEP...: one more client.
starter() { timeout 30 "$TAP_TOOLS/keeperctl" start -n "$RUNTIME" "$D" "$@"; }
client() { timeout 30 "$TAP_TOOLS/keeperctl" connect "$D/socket" "$@"; }
status() { jq -r "$1" "$D/status.json"; }
status_is() { [ "$(status "$1")" = "$2" ]; }
logged() { jq -sj "map(select(.stream == \"$1\").log) | add // \"\"" "$D/log"; }
clean() {
	until_ok flock -n "$D/keeper.lock" true
	is "$(ls "$D/rootfs")" ""
	is "$(ls "$D/state")" ""
	hasnt "$(cat /proc/self/mountinfo)" "$D"
}

t_output_log_and_exit_code() {
	need root overlay
	keep '["sh","-c","echo out; echo err >&2; printf part; exit 3"]'
	good starter attach:15 wait:created go wait:exit
	has "$out" "EXIT 3 0"
	has "$out" 'STDOUT out\n'
	has "$out" 'STDERR err\n'
	is "$(logged stdout)" $'out\npart'
	is "$(logged stderr)" err
	is "$(status '.status, .exitCode, .pid' | tr '\n' ' ')" "exited 3 0 "
	clean
}

t_loopback_is_up() {
	need root overlay
	keep '["sh","-c","ip addr show lo"]'
	good starter attach:15 go wait:exit
	has "$out" "LOOPBACK,UP"
}

t_program_not_found_is_127_and_leaves_nothing() {
	need root overlay
	keep '["nothing-of-the-kind"]'
	good starter attach:15 wait:failed
	has "$out" "FAILED 127"
	has "$out" "executable file not found"
	is "$(status .status)" created
	clean
}

t_wrong_keeper_json_is_told() {
	need root overlay
	keep '["true"]' '.log.driver = "syslog"'
	good starter wait:failed
	has "$out" 'log.driver is "syslog", which is not known'
}

t_starter_that_dies_before_go_leaves_nothing() {
	need root overlay
	keep '["sleep","1000"]'
	good starter wait:created
	until_ok status_is .status created
	has "$(status .error)" "went away"
	clean
}

t_second_keeper_is_refused() {
	need root overlay
	keep '["sleep","1000"]'
	good starter go wait:started
	good starter wait:failed
	has "$out" "has a keeper already"
	good client attach:0 signal:9 wait:exit
}

t_stdin_is_given_and_closed() {
	need root overlay
	keep '["cat"]' '.openStdin = true | .stdinOnce = true'
	good starter attach:15 go wait:started stdin:one stdin:two eof wait:exit
	is "$(logged stdout)" $'one\ntwo'
	has "$out" "EXIT 0 0"
}

t_terminal_and_its_size() {
	need root overlay
	TTY=true
	keep '["sh","-c","stty size; read x; stty size; echo got $x"]' '.openStdin = true'
	good starter attach:7 resize:33:100 go wait:started until:33 resize:44:120 stdin:hi wait:exit
	has "$out" "33 100"
	has "$out" "44 120"
	has "$out" "got hi"
}

t_several_clients_hear_the_same() {
	need root overlay
	keep '["sh","-c","read x; echo $x; exit 4"]' '.openStdin = true'
	good starter go wait:started
	client attach:7 wait:exit >"$T/a" &
	a=$!
	client attach:7 wait:exit >"$T/b" &
	b=$!
	sleep 0.2
	good client attach:1 stdin:word wait:exit
	wait $a
	wait $b
	is "$(grep -c '^STDOUT word' "$T/a" "$T/b" | tr '\n' ' ')" "$T/a:1 $T/b:1 "
	has "$(cat "$T/a")" "EXIT 4 0"
}

t_no_message_closes_the_client_only() {
	need root overlay
	keep '["sleep","1000"]'
	good starter go wait:started
	run client raw:nonsense wait:exit
	is $rc 1
	run client signal:99 wait:exit
	is $rc 1
	good client attach:0 signal:9 wait:exit
	has "$out" "EXIT 137 0"
}

t_slow_client_is_dropped_and_the_log_is_whole() {
	need root overlay
	keep '["sh","-c","seq 200000"]'
	(starter attach:6 go wait:started sleep:12000 drain >"$T/slow") &
	until_ok status_is .status exited || until_ok status_is .status exited ||
		until_ok status_is .status exited
	wait $!
	has "$(tail -1 "$T/slow")" "last ERROR"
	is "$(logged stdout | tail -1)" 200000
	is "$(wc -l <"$D/log")" 200000
}

t_restart_on_failure() {
	need root overlay
	keep '["sh","-c","echo run; exit 5"]' '.restart = { policy: "on-failure", max: 2 }'
	good starter attach:15 go wait:exit
	is "$(grep '^RESTART' <<<"$out" | tr '\n' ' ')" "RESTART 5 100 RESTART 5 200 "
	is "$(status .restartCount)" 2
	is "$(logged stdout | grep -c run)" 3
	clean
}

t_stop_is_not_restarted() {
	need root overlay
	keep '["sleep","1000"]' '.restart.policy = "always" | .stop = { signal: 15, timeoutMs: 200 }'
	good starter attach:15 go wait:started stop:0:-1 wait:exit
	has "$out" "EXIT 137 0"
	is "$(status .stoppedByUser)" true
	clean
}

t_keeper_on_SIGTERM_stops_the_program() {
	need root overlay
	keep '["sh","-c","trap \"exit 9\" TERM; echo up; while :; do sleep 0.1; done"]'
	good starter attach:6 go until:up
	kill "$(status .keeperPid)"
	until_ok status_is .status exited
	is "$(status .exitCode)" 9
	is "$(status .stoppedByUser)" false
	clean
}

t_health_check() {
	need root overlay
	keep '["sleep","1000"]' '.health = { test: ["CMD-SHELL", "echo seen; test -e /tmp/well"],
		intervalMs: 100, retries: 2 }'
	good starter go wait:started
	until_ok status_is .health.status unhealthy
	is "$(status '.health.log[0].output')" seen
	touch "$D/upper/tmp/well" 2>/dev/null || nsenter -t "$(status .pid)" -m -r touch /tmp/well
	until_ok status_is .health.status healthy
	is "$(status .health.failingStreak)" 0
	good client attach:0 signal:9 wait:exit
}

t_log_is_rotated() {
	need root overlay
	keep '["seq","500"]' '.log += { maxSize: 4000, maxFile: 3 }'
	good starter attach:0 go wait:exit
	is "$(ls "$D" | grep -c '^log')" 3
	jq -sj 'map(.log) | add' "$D/log" | tail -1 | grep -qx 500
	is "$(find "$D" -name 'log*' -size +4000c)" ""
}

t_reap_runs_where_the_starter_was() {
	need root overlay
	keep '["true"]' '.reap = ["/bin/sh", "-c", "readlink /proc/self/ns/net >\(.socket)d"]'
	good starter go wait:started
	until_ok test -s "$D/socketd"
	is "$(cat "$D/socketd")" "$(readlink /proc/self/ns/net)"
}

t_owner_cleans_up_itself() {
	need root overlay
	keep '["true"]' '.reap = ["/bin/sh", "-c", "echo no >\(.socket)d"]'
	good starter attach:15 go wait:exit
	until_ok flock -n "$D/keeper.lock" true
	sleep 0.1
	[ ! -e "$D/socketd" ]
}

t_killed_keeper_leaves_no_mount() {
	need root overlay
	keep '["sleep","1000"]'
	good starter go wait:started
	local pid
	pid=$(status .pid)
	kill -9 "$(status .keeperPid)"
	until_ok flock -n "$D/keeper.lock" true
	hasnt "$(cat /proc/self/mountinfo)" "$D"
	good "$RUNTIME" --root "$D/state" delete --force "$ID"
	[ ! -e "/proc/$pid" ] || like "$(cat "/proc/$pid/stat")" '\) [ZX] '
	clean
}

tap_main "$@"
