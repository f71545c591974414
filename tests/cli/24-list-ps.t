#!/bin/bash
# list and ps, as tables and as JSON.
. "${0%/*}/../lib/tap.sh"

t_list_is_empty() {
	good rt list -q
	is "$out" ""
	good rt list -f json
	like "$out" '^(null|\[\])?$'
}

t_list_as_a_table() {
	up
	good rt list
	like "$(head -n 1 <<<"$out")" '^(ID|NAME) +PID +STATUS +BUNDLE.* +CREATED +OWNER'
	like "$(tail -n 1 <<<"$out")" "^$ID +$PID +running +$B +2[0-9T:.Z-]+ +root"
}

t_list_quiet() {
	up
	local a=$ID
	up
	good rt list --quiet
	is "$(sort <<<"$out")" "$(printf '%s\n%s\n' "$a" "$ID" | sort)"
}

t_list_as_json() {
	up '.annotations.x = "y"'
	good rt list --format json
	is "$(jq -r '.[0].id' <<<"$out")" "$ID"
	is "$(jq -r '.[0].status' <<<"$out")" running
	is "$(jq -r '.[0].pid' <<<"$out")" "$PID"
	is "$(jq -r '.[0].bundle' <<<"$out")" "$B"
	[ $ENGINE = crun ] || is "$(jq -r '.[0].annotations.x' <<<"$out")" y
	like "$(jq -r '.[0].created' <<<"$out")" '^2'
	is "$(jq -r '.[0].owner' <<<"$out")" root
}

t_list_shows_stopped_with_pid_0() {
	up
	rt kill "$ID" KILL
	wait_status "$ID" stopped
	good rt list --format json
	is "$(jq -r '.[0] | .status, .pid' <<<"$out")" "stopped
0"
}

t_list_with_a_bad_format() { bad "" rt list --format xml; }

t_list_skips_what_is_not_a_container() {
	up
	mkdir "$T/state/junk"
	: >"$T/state/file"
	run rt list -q
	has "$out" "$ID"
	rmdir "$T/state/junk"
	rm "$T/state/file"
}

t_ps_as_a_table() {
	need cgroup
	up
	good rt ps "$ID"
	differs crun "prints pids only"
	like "$(head -n 1 <<<"$out")" 'PID.*CMD'
	like "$out" "root +$PID .*sleep 1000"
}

t_ps_as_json() {
	need cgroup
	up
	rt exec -d --pid-file p "$ID" sleep 999
	good rt ps --format json "$ID"
	is "$(jq -c sort <<<"$out")" "$(jq -nc --argjson a "$PID" --argjson b "$(cat p)" '[$a, $b] | sort')"
}

t_ps_with_options_of_ps() {
	need cgroup
	differs crun "takes none"
	up
	good rt ps "$ID" -o pid,args
	like "$out" "$PID sleep 1000"
}

t_ps_does_not_show_others() {
	need cgroup
	up
	good rt ps -f json "$ID"
	is "$(jq length <<<"$out")" 1
}

t_ps_of_a_stopped_container() {
	need cgroup
	up
	rt kill "$ID" KILL
	wait_status "$ID" stopped
	run rt ps -f json "$ID"
	[ $rc != 0 ] || like "$out" '^(null|\[\])$'
}

tap_main "$@"
