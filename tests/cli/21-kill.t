#!/bin/bash
# kill: signals by number and by name, states in which it is refused.
. "${0%/*}/../lib/tap.sh"

# A container whose program tells the first signal it gets.
trapper() {
	bundle '.process.args = ["/bin/probe", "trap"]'
	rt run -d --bundle "$B" --pid-file "$B/pid" "$ID" >"$T/out" 2>&1 </dev/null
	PID=$(cat "$B/pid")
	until_ok grep -q ready "$T/out"
}

t_default_is_TERM() {
	trapper
	good rt kill "$ID"
	until_ok grep -q '^signal 15$' "$T/out"
}

t_by_name_by_SIG_name_and_by_number() {
	local s
	for s in USR1 SIGUSR1 10; do
		trapper
		good rt kill "$ID" $s
		until_ok grep -q '^signal 10$' "$T/out"
		rt delete --force "$ID"
	done
}

t_lower_case_names() {
	trapper
	good rt kill "$ID" usr2
	until_ok grep -q '^signal 12$' "$T/out"
}

t_real_time_signals_by_number() {
	trapper
	good rt kill "$ID" 37
	until_ok grep -q '^signal 37$' "$T/out"
}

t_real_time_signals_by_name() {
	differs crun runc "1.1 and 1.8 differ"
	trapper
	good rt kill "$ID" SIGRTMIN+3
	until_ok grep -q '^signal 37$' "$T/out"
}

t_unknown_signals_are_refused() {
	up
	bad "" rt kill "$ID" SIGFOO
	bad "" rt kill "$ID" 1000
	is "$(status_of "$ID")" running
}

t_signal_0_of_a_running_container() {
	up
	[ $ENGINE = crun ] || good rt kill "$ID" 0
	is "$(status_of "$ID")" running
}

t_kill_of_a_created_container() {
	bundle
	good rt create --bundle "$B" --pid-file "$T/pid" "$ID"
	good rt kill "$ID" KILL
	wait_status "$ID" stopped
	bad "" rt start "$ID"
	good rt delete "$ID"
}

t_TERM_ends_a_created_container() {
	differs runc "Go ignores TERM until the program runs"
	bundle
	good rt create --bundle "$B" --pid-file "$T/pid" "$ID"
	good rt kill "$ID" TERM
}

t_kill_of_a_stopped_container_is_refused() {
	up
	good rt kill "$ID" KILL
	wait_status "$ID" stopped
	bad "container not running" rt kill "$ID" KILL
	bad "container not running" rt kill "$ID"
}

t_kill_all_of_a_stopped_container_reaches_what_is_left() {
	need cgroup
	differs crun "refuses"
	bundle 'sh("sleep 1000 & exit 0") | ns("pid")'
	rt run -d --bundle "$B" "$ID" >/dev/null 2>&1 </dev/null
	wait_status "$ID" stopped
	until_ok test -n "$(tap_strays)"
	good rt kill --all "$ID" KILL
	until_ok no_strays
}

t_kill_all_signals_every_process() {
	need cgroup
	up 'ns("pid")'
	rt exec -d "$ID" sleep 1000
	good rt kill --all "$ID" KILL
	wait_status "$ID" stopped
	until_ok no_strays
}

t_kill_a_option_short() {
	up
	good rt kill -a "$ID" KILL
	wait_status "$ID" stopped
}

t_kill_of_a_paused_container_is_delivered_after_resume() {
	need cgroup
	up
	good rt pause "$ID"
	good rt kill "$ID" KILL
	rt resume "$ID" 2>/dev/null || true
	wait_status "$ID" stopped
}

t_without_a_pid_namespace_no_process_survives_delete() {
	need cgroup
	up 'ns("pid")'
	rt exec -d "$ID" sleep 1000
	rt exec -d "$ID" sleep 1000
	good rt delete --force "$ID"
	until_ok no_strays
}

t_with_a_shared_pid_namespace_the_host_is_not_killed() {
	need cgroup
	local other
	sleep 1000 &
	other=$!
	up 'ns("pid")'
	good rt kill --all "$ID" KILL
	good rt delete --force "$ID"
	kill -0 $other || fail "a process of the host was killed"
	kill $other
}

t_a_reused_pid_is_not_killed() {
	up
	rt kill "$ID" KILL
	wait_status "$ID" stopped
	# Nothing that has its number now may be signalled: status is by pid and start time.
	bad "" rt kill "$ID" KILL
}

tap_main "$@"
