#!/bin/bash
# create, start, state, delete: runtime.md#lifecycle as an engine walks through it.
. "${0%/*}/../lib/tap.sh"

t_created_then_running_then_stopped() {
	bundle '.process.args = ["sleep", "1000"]'
	good rt create --bundle "$B" "$ID"
	is "$(status_of "$ID")" created
	good rt start "$ID"
	is "$(status_of "$ID")" running
	good rt kill "$ID" KILL
	wait_status "$ID" stopped
	good rt delete "$ID"
	bad "container does not exist" rt state "$ID"
	[ ! -e "$T/state/$ID" ] || fail "state directory left"
}

t_program_does_not_run_before_start() {
	bundle 'sh("touch /ran; sleep 100")'
	good rt create --bundle "$B" "$ID"
	[ ! -e "$B/rootfs/ran" ] || fail "ran before start"
	good rt start "$ID"
	until_ok test -e "$B/rootfs/ran"
}

t_state_has_the_properties_of_the_spec() {
	bundle '.annotations = {"a.b": "c d"} | .process.args = ["sleep", "100"]'
	good rt create --bundle "$B" --pid-file "$T/pid" "$ID"
	good rt state "$ID"
	is "$(jq -r .id <<<"$out")" "$ID"
	like "$(jq -r .ociVersion <<<"$out")" '^1\.'
	is "$(jq -r .status <<<"$out")" created
	is "$(jq -r .bundle <<<"$out")" "$B"
	is "$(jq -r .pid <<<"$out")" "$(cat "$T/pid")"
	is "$(jq -r '.annotations["a.b"]' <<<"$out")" 'c d'
	is "$(jq -r .rootfs <<<"$out")" "$B/rootfs"
	like "$(jq -r .created <<<"$out")" '^2[0-9-]+T[0-9:.]+Z$'
	jq -e 'has("owner")' <<<"$out" >/dev/null
}

t_state_of_a_stopped_container_has_pid_0() {
	up
	good rt kill "$ID" 9
	wait_status "$ID" stopped
	is "$(rt state "$ID" | jq .pid)" 0
}

t_pid_file_is_a_bare_number() {
	bundle
	good rt create --bundle "$B" --pid-file "$T/pid" "$ID"
	like "$(cat "$T/pid")" '^[0-9]+$'
	is "$(wc -c <"$T/pid")" "$(printf %s "$(cat "$T/pid")" | wc -c)" "no newline"
	[ -d "/proc/$(cat "$T/pid")" ] || fail "no such process"
	is "$(rt state "$ID" | jq .pid)" "$(cat "$T/pid")"
}

t_pid_file_that_cannot_be_written_fails_and_leaves_nothing() {
	bundle
	bad "no such file or directory" rt create --bundle "$B" --pid-file "$T/no/pid" "$ID"
	bad "container does not exist" rt state "$ID"
	is "$(tap_strays)" "" "processes"
}

t_pid_file_relative_to_the_callers_directory() {
	bundle
	mkdir w && cd w
	good rt create --bundle "$B" --pid-file pid "$ID"
	like "$(cat pid)" '^[0-9]+$'
}

t_bundle_defaults_to_the_current_directory() {
	bundle 'sh("echo here")'
	cd "$B"
	good rt run "$ID"
	is "$out" here
}

t_bundle_may_be_relative_and_is_told_absolute() {
	bundle
	good rt create --bundle "${B##*/}" "$ID"
	is "$(rt state "$ID" | jq -r .bundle)" "$B"
}

t_config_option() {
	differs runc "has no --config"
	bundle 'sh("echo other")'
	mv "$B/config.json" "$T/other.json"
	good rt run --bundle "$B" --config "$T/other.json" "$ID"
	is "$out" other
}

t_changing_config_after_create_has_no_effect() {
	bundle '.annotations.x = "1" | sh("echo old >/res")'
	good rt create --bundle "$B" "$ID"
	conf '.annotations.x = "2" | sh("echo new >/res")'
	is "$(rt state "$ID" | jq -r .annotations.x)" 1
	good rt start "$ID"
	until_ok test -s "$B/rootfs/res"
	is "$(cat "$B/rootfs/res")" old
}

t_same_id_twice_is_refused_and_the_first_lives_on() {
	up
	local id=$ID
	bundle
	bad "container with given ID already exists" rt create --bundle "$B" "$id"
	is "$(status_of "$id")" running
	bad "container with given ID already exists" rt run --bundle "$B" "$id"
	is "$(status_of "$id")" running
}

t_same_id_after_delete() {
	local i
	bundle
	for i in 1 2 3; do
		good rt create --bundle "$B" "$ID"
		good rt delete --force "$ID"
	done
}

t_two_creates_at_once_and_only_one_wins() {
	bundle '.process.args = ["sleep", "1000"]'
	local i round n=0
	# Often: who cleans another's directory as torn may meet a third one's in its place.
	for round in 1 2 3 4 5 6 7 8; do
		for i in 1 2 3 4; do
			(rt create --bundle "$B" "$ID" && touch "$T/won.$i") >/dev/null 2>&1 &
		done
		wait
		n=$(ls "$T" | grep -c '^won')
		is "$n" 1 "winners of round $round"
		rm "$T"/won.*
		is "$(status_of "$ID")" created
		[ "$round" = 8 ] || good rt delete --force "$ID"
	done
	good rt start "$ID"
	is "$(status_of "$ID")" running
}

t_state_of_unknown() { bad "container does not exist" rt state nope; }
t_start_of_unknown() { bad "container does not exist" rt start nope; }
t_kill_of_unknown() { bad "container does not exist" rt kill nope; }
t_delete_by_regular_expression() {
	differs runc "has no --regex"
	local a b
	bundle; a=$ID; good rt create --bundle "$B" "$a" </dev/null
	bundle; b=$ID; good rt create --bundle "$B" "$b" </dev/null
	good rt delete --force --regex "^$b\$"
	good rt state "$a"
	bad "does not exist" rt state "$b"
	good rt delete --force --regex "^${a%?}*"
	bad "does not exist" rt state "$a"
	bad "" rt delete --regex "["
}

t_delete_of_unknown() { bad "container does not exist" rt delete nope; }
t_exec_of_unknown() { bad "container does not exist" rt exec nope true; }
t_pause_of_unknown() { bad "container does not exist" rt pause nope; }
t_resume_of_unknown() { bad "container does not exist" rt resume nope; }
t_ps_of_unknown() { bad "container does not exist" rt ps nope; }
t_update_of_unknown() { bad "container does not exist" rt update --pids-limit 5 nope; }
t_events_of_unknown() { bad "container does not exist" rt events --stats nope; }
t_delete_force_of_unknown_is_fine() { good rt delete --force nope; }

t_start_twice_is_refused_and_harmless() {
	up
	bad "cannot start an already running container" rt start "$ID"
	is "$(status_of "$ID")" running
}

t_start_of_a_stopped_container() {
	up
	good rt kill "$ID" 9
	wait_status "$ID" stopped
	bad "cannot start a container that has stopped" rt start "$ID"
	is "$(status_of "$ID")" stopped
}

t_delete_of_a_running_container_is_refused() {
	up
	bad "is not stopped" rt delete "$ID"
	is "$(status_of "$ID")" running
	kill -0 "$PID"
}

t_delete_of_a_created_container() {
	bundle
	good rt create --bundle "$B" --pid-file "$T/pid" "$ID"
	good rt delete "$ID"
	bad "container does not exist" rt state "$ID"
	gone "$(cat "$T/pid")" || fail "the process lives on"
}

t_delete_force_kills_a_running_container() {
	up
	good rt delete --force "$ID"
	gone "$PID" || fail "the process lives on"
	bad "container does not exist" rt state "$ID"
}

t_delete_force_takes_all_its_processes() {
	up
	in_it sh -c 'sleep 1000 >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 &'
	rt exec -d "$ID" sleep 1000
	good rt delete --force "$ID"
	until_ok no_strays
}

t_delete_removes_only_what_create_made() {
	bundle
	echo mine >"$B/rootfs/mine"
	good rt create --bundle "$B" "$ID"
	good rt delete --force "$ID"
	is "$(cat "$B/rootfs/mine")" mine
	[ -e "$B/config.json" ]
}

t_delete_removes_the_group() {
	need cgroup
	up
	[ -n "$(tap_groups | grep "$ID")" ] || fail "no group was made"
	good rt delete --force "$ID"
	is "$(tap_groups | grep "$ID" || true)" ""
}

t_nothing_is_mounted_on_the_host_while_it_runs() {
	local before after
	before=$(wc -l </proc/self/mountinfo)
	up
	after=$(wc -l </proc/self/mountinfo)
	is "$after" "$before" "mounts"
}

t_root_path_absolute() {
	bundle 'sh("echo abs") | .root.path = $root' --arg root "$T/elsewhere"
	mv "$B/rootfs" "$T/elsewhere"
	good rt run --bundle "$B" "$ID"
	is "$out" abs
}

t_root_path_with_another_name() {
	bundle 'sh("echo sub") | .root.path = "sub/fs"'
	mkdir "$B/sub" && mv "$B/rootfs" "$B/sub/fs"
	good rt run --bundle "$B" "$ID"
	is "$out" sub
}

t_root_path_that_is_a_symlink() {
	differs runc "refuses it"
	bundle 'sh("echo ln")'
	mv "$B/rootfs" "$B/real" && ln -s real "$B/rootfs"
	good rt run --bundle "$B" "$ID"
	is "$out" ln
}

t_missing_root_is_an_error_that_names_it() {
	bundle '.root.path = "nowhere"'
	bad "nowhere" rt create --bundle "$B" "$ID"
	says "no such file or directory"
	bad "container does not exist" rt state "$ID"
}

t_missing_bundle() {
	bad "no such file or directory" rt create --bundle "$T/none" x
	bad "container does not exist" rt state x
}

t_missing_config() {
	bundle
	rm "$B/config.json"
	bad "config.json" rt create --bundle "$B" "$ID"
	bad "container does not exist" rt state "$ID"
}

t_missing_program_fails_at_create_with_127() {
	bundle '.process.args = ["no-such-program"]'
	run rt create --bundle "$B" "$ID"
	[ $rc != 0 ] || fail "succeeded"
	says 'exec: "no-such-program": executable file not found in $PATH'
	bad "container does not exist" rt state "$ID"
	is "$(tap_strays)" ""
	! tap_groups | grep "$ID" || fail "a group is left"
}

t_missing_program_with_a_path() {
	bundle '.process.args = ["/no/such"]'
	bad "no such file or directory" rt create --bundle "$B" "$ID"
	says /no/such
}

t_program_that_may_not_be_executed() {
	bundle '.process.args = ["/etc/passwd"]'
	bad "permission denied" rt create --bundle "$B" "$ID"
	bad "container does not exist" rt state "$ID"
}

t_program_that_is_a_directory() {
	bundle '.process.args = ["/etc"]'
	bad "" rt create --bundle "$B" "$ID"
	[ $ENGINE = crun ] || like "$err" 'permission denied|is a directory'
}

t_program_of_a_wrong_format_fails_at_start() {
	bundle '.process.args = ["/bad"]'
	printf 'garbage\001\002' >"$B/rootfs/bad" && chmod 755 "$B/rootfs/bad"
	run rt run --bundle "$B" "$ID"
	[ $rc != 0 ] || fail "succeeded"
	has "$err" "xec format error"
}

t_script_with_a_missing_interpreter() {
	bundle '.process.args = ["/s"]'
	printf '#!/no/interp\n' >"$B/rootfs/s" && chmod 755 "$B/rootfs/s"
	run rt run --bundle "$B" "$ID"
	[ $rc != 0 ] || fail "succeeded"
	says "no such file or directory"
}

t_missing_process_fails() {
	bundle 'del(.process)'
	run rt create --bundle "$B" "$ID"
	if [ $rc = 0 ]; then
		bad "" rt start "$ID"   # the spec lets create pass; start must not
	fi
}

t_console_socket_without_terminal_is_refused() {
	bundle
	bad "" rt create --bundle "$B" --console-socket "$T/s" "$ID"
}

t_terminal_without_console_socket_is_refused() {
	bundle '.process.terminal = true'
	bad "" rt create --bundle "$B" "$ID"
	bad "container does not exist" rt state "$ID"
}

t_no_pivot() {
	need root
	bundle 'sh("ls / | grep -c rootfs; echo ok; ls /proc/1/root/bin | grep -c busybox")'
	good rt run --no-pivot --bundle "$B" "$ID"
	is "$out" "0
ok
1"
}

t_any_1_x_version_is_accepted() {
	local v
	for v in 1.0.0 1.0.2-dev 1.1.0 1.2.1; do
		inside_ok '.ociVersion = $v' 'echo ok' --arg v $v
	done
}

t_later_1_x_versions_are_accepted() {
	need isle
	local v
	for v in 1.3.0 1.9.9 1.3.0+dev; do
		inside_ok '.ociVersion = $v' 'echo ok' --arg v $v
	done
}

t_unknown_properties_are_ignored() {
	inside_ok '.foo = 1 | .process.bar = [1] | .linux.baz = {"x": null} | .x = {"y": []}' 'echo ok'
	is "$out" ok
}

t_pidfd_socket() {
	need isle
	bundle
	"$TAP_TOOLS/host" recvpid "$T/sock" >"$T/got" &
	until_ok test -S "$T/sock"
	good rt create --bundle "$B" --pidfd-socket "$T/sock" --pid-file "$T/pid" "$ID"
	wait $!
	is "$(cat "$T/got")" "$(cat "$T/pid")"
}

t_eight_containers_at_once() {
	local i
	bundle '.process.args = ["sleep", "1000"]'
	for i in 1 2 3 4 5 6 7 8; do
		cp -r "$B/config.json" "$T/c.$i"
	done
	for i in 1 2 3 4 5 6 7 8; do
		jq --arg cg "$CGROUP/$ID-$i" --arg root "$B/rootfs" \
			'.linux.cgroupsPath = $cg | .root.path = $root' "$T/c.$i" >"$T/d.$i"
	done
	for i in 1 2 3 4 5 6 7 8; do
		mkdir "$T/e$i" && mv "$T/d.$i" "$T/e$i/config.json" 
		rt run -d --bundle "$T/e$i" "$ID-$i" >/dev/null 2>&1 </dev/null &
	done
	wait
	is "$(rt list -q | wc -l)" 8
	for i in 1 2 3 4 5 6 7 8; do is "$(status_of "$ID-$i")" running; done
}

tap_main "$@"
