#!/bin/bash
# events, checkpoint and restore.
. "${0%/*}/../lib/tap.sh"

t_stats_once() {
	need cgroup
	differs crun "has no events"
	up '.linux.resources.memory.limit = 33554432 | .linux.resources.pids.limit = 40'
	good rt events --stats "$ID"
	is "$(jq -r '.type, .id' <<<"$out")" "stats
$ID"
	is "$(jq .data.memory.usage.limit <<<"$out")" 33554432
	is "$(jq '.data.pids | .current, .limit' <<<"$out")" "1
40"
	jq -e '.data.cpu.usage.total > 0 and .data.memory.usage.usage > 0' <<<"$out" >/dev/null
}

t_stats_has_the_shape_engines_parse() {
	need cgroup1
	differs crun "has no events"
	up
	good rt events --stats "$ID"
	jq -e '.data.cpu | has("usage") and has("throttling")' <<<"$out" >/dev/null
	jq -e '.data.memory | has("usage") and has("raw")' <<<"$out" >/dev/null
	jq -e '.data | has("pids") and has("blkio") and has("hugetlb") and has("intel_rdt") and has("network_interfaces")' <<<"$out" >/dev/null
	jq -e '.data.memory.raw | has("total_inactive_file")' <<<"$out" >/dev/null
}

t_interval_repeats() {
	need cgroup
	differs crun "has no events"
	up
	rt events --interval 20ms "$ID" >o 2>&1 &
	twice() { [ "$(wc -l <o)" -ge 2 ]; }
	until_ok twice
	kill $!
}

t_ends_with_the_container() {
	need cgroup
	differs crun "has no events"
	up
	rt events --interval 50ms "$ID" >o 2>&1 &
	until_ok test -s o
	rt delete --force "$ID"
	wait $!
}

t_oom_is_an_event() {
	need cgroup
	differs crun "has no events"
	up '.linux.resources.memory = {limit: 33554432, swap: 33554432}'
	rt events --interval 100s "$ID" >o 2>&1 &
	local e=$!
	sleep 0.2
	in_it probe hog 100
	isnt $rc 0
	until_ok grep -q '"oom"' o
	kill $e
}

t_stats_of_a_stopped_container() {
	need cgroup
	differs crun "has no events"
	up
	rt kill "$ID" KILL
	wait_status "$ID" stopped
	bad "" rt events --stats "$ID"
}

t_checkpoint_without_criu_says_so() {
	need root isle
	up
	run env PATH=/nowhere "$RUNTIME" --root "$T/state" checkpoint "$ID"
	[ $rc != 0 ] || fail "succeeded"
	like "$err" criu
	is "$(status_of "$ID")" running
}

t_checkpoint_takes_the_engines_options() {
	need root isle
	up
	run env PATH=/nowhere "$RUNTIME" --root "$T/state" checkpoint --image-path "$T/i" --work-path "$T/w" \
		--leave-running --tcp-established --ext-unix-sk --shell-job --lazy-pages=false \
		--file-locks --manage-cgroups-mode soft --empty-ns network --auto-dedup "$ID"
	like "$err" criu
}

t_checkpoint_and_restore() {
	need root criu
	up 'ns("network")'
	good rt checkpoint --image-path "$T/img" "$ID"
	until_ok sh -c "! '$RUNTIME' --root '$T/state' state '$ID'"
	good rt restore -d --bundle "$B" --image-path "$T/img" "$ID"
	is "$(status_of "$ID")" running
}

t_checkpoint_of_a_stopped_container() {
	need root
	up
	rt kill "$ID" KILL
	wait_status "$ID" stopped
	bad "" rt checkpoint "$ID"
}

t_restore_of_nothing_fails_and_leaves_nothing() {
	need root
	bundle
	bad "" rt restore --bundle "$B" --image-path "$T/none" "$ID"
	bad "" rt state "$ID"
}

tap_main "$@"
