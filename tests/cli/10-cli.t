#!/bin/bash
# The command line itself: global options, help, version, log, spec, features.
. "${0%/*}/../lib/tap.sh"

t_version_names_program_commit_and_spec() {
	good rt --version
	like "$out" "^${ENGINE}[-a-z]* version [0-9]"
	like "$out" 'commit: .+'
	like "$out" 'spec: 1\.'
	good rt -v
	has "$out" version
}

t_version_has_a_line_of_features() {
	need isle
	good rt --version
	like "$out" '\+SECCOMP'
}

t_help_lists_every_verb() {
	local v
	good rt --help
	for v in create start state kill delete run exec ps list pause resume update events \
		 features spec checkpoint restore; do
		[ $ENGINE-$v = crun-features ] || [ $ENGINE-$v = crun-events ] || has "$out" "$v"
	done
	good rt -h
}

t_every_verb_has_help() {
	local v
	for v in create start state kill delete run exec ps list pause resume update spec; do
		good rt $v --help
		has "$out$err" "$v"
	done
}

t_help_names_every_option_of_create() {
	need isle
	local o
	good rt create --help
	for o in bundle console-socket pidfd-socket pid-file no-pivot no-new-keyring \
		 preserve-fds config; do
		has "$out" "--$o"
	done
}

t_unknown_verb_is_an_error() { bad "" rt frobnicate; like "$err$out" frobnicate; }

t_unknown_option_is_an_error() {
	bad "" rt --no-such-option list
	like "$err$out" no-such-option
	bad "" rt list --no-such-option
	like "$err$out" no-such-option
}

t_an_option_without_its_value_is_an_error() { bad "" rt create --bundle; }

t_options_with_equals_and_with_a_space() {
	good "$RUNTIME" --root="$T/r1" list
	good "$RUNTIME" --root "$T/r1" list
	bundle 'sh("echo y")'
	good rt run --bundle="$B" "$ID"
	is "$out" y
}

t_single_dash_long_options() {
	differs crun "uses getopt"
	good "$RUNTIME" -root "$T/r1" list -format json
	good "$RUNTIME" -root="$T/r1" list -q
}

t_short_options() {
	bundle 'sh("echo y")'
	good rt run -b "$B" "$ID"
	good rt list -q
	good rt list -f json
}

t_options_after_the_id() {
	differs crun "takes options before the id"
	bundle
	good rt create "$ID" --bundle "$B"
	good rt delete "$ID" --force
}

t_missing_id_is_an_error() {
	local v
	for v in create start state kill delete run exec pause resume ps update; do
		bad "" rt $v
	done
}

t_too_many_arguments_are_an_error() {
	bundle
	bad "" rt state a b
	bad "" rt start a b
}

t_bad_ids_are_refused_and_make_nothing() {
	local id
	bundle
	for id in . .. ../x a/b 'a b' "$(printf 'a\nb')" '' '#x' 'x;y'; do
		[ $ENGINE = crun ] && [[ $id != */* ]] && continue
		bad "" rt create --bundle "$B" -- "$id"
	done
	is "$(ls -A "$T/state" | grep -v '^\.cache$' || true)" "" "state directory"
	[ ! -e "$T/x" ] || fail "../x was made"
}

t_ids_with_all_allowed_characters() {
	bundle
	good rt create --bundle "$B" aZ09_+-.x
	is "$(status_of aZ09_+-.x)" created
	good rt delete --force aZ09_+-.x
}

t_error_goes_to_the_log_as_json() {
	run rt --log "$T/log" --log-format json state nope
	[ $rc != 0 ] || fail "succeeded"
	local last
	last=$(tail -n 1 "$T/log")
	is "$(jq -r .level <<<"$last")" error
	like "$(jq -r .msg <<<"$last")" 'does not exist'
	like "$(jq -r .time <<<"$last")" '^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)$'
}

t_log_escapes_what_json_must_escape() {
	run rt --log "$T/log" --log-format json state 'a"b\c'
	[ $rc != 0 ] || fail "succeeded"
	jq -e .msg "$T/log" >/dev/null
}

t_log_is_appended_to() {
	run rt --log "$T/log" --log-format json state nope
	run rt --log "$T/log" --log-format json state nope
	is "$(grep -c . "$T/log")" 2
}

t_error_goes_to_the_log_as_text() {
	run rt --log "$T/log" --log-format text state nope
	has "$(tail -n 1 "$T/log")" 'does not exist'
	[ $ENGINE = crun ] || like "$(tail -n 1 "$T/log")" '^time="?2.* level=error msg='
}

t_error_is_one_line_on_stderr() {
	bad "container does not exist" rt state nope
	is "$(grep -c . <<<"$err")" 1 "lines"
	is "$out" ""
}

t_log_format_unknown_is_an_error() {
	differs crun "takes any"
	bad "" rt --log-format xml list
}

t_log_that_cannot_be_opened_is_an_error() { bad "no such file or directory" rt --log "$T/no/log" list; }

t_debug_adds_debug_lines() {
	bundle
	good rt --debug --log "$T/log" --log-format json run --bundle "$B" "$ID"
	[ $ENGINE = crun ] || has "$(cat "$T/log")" '"level":"debug"'
	: >"$T/log"
	good rt --log "$T/log" --log-format json run --bundle "$B" "$ID-2"
	hasnt "$(cat "$T/log")" '"debug"'
	good rt --debug run --bundle "$B" "$ID-3"
	[ $ENGINE = crun ] || has "$err" ' level=debug msg="'
}

t_root_is_made_private() {
	bundle
	good "$RUNTIME" --root "$T/deep/er/root" create --bundle "$B" "$ID"
	is "$(stat -c %a "$T/deep/er/root")" 700
	good "$RUNTIME" --root "$T/deep/er/root" delete --force "$ID"
}

t_containers_of_another_root_are_not_seen() {
	up
	bad "container does not exist" "$RUNTIME" --root "$T/other" state "$ID"
}

t_cgroup_manager_cgroupfs() {
	need root
	differs runc "has --systemd-cgroup only"
	RT_GLOBAL="--cgroup-manager cgroupfs"
	inside_ok . 'echo ran'
	is "$out" ran
}

t_cgroup_manager_disabled_makes_no_group() {
	need cgroup
	differs runc "has --systemd-cgroup only"
	RT_GLOBAL="--cgroup-manager=disabled"
	bundle '.process.args = ["sleep", "100"]'
	good rt create --bundle "$B" "$ID"
	is "$(tap_groups)" "" "groups"
	good rt delete --force "$ID"
}

t_cgroup_manager_unknown_is_an_error() {
	differs runc "has --systemd-cgroup only"
	bundle
	bad "" rt --cgroup-manager=magic run --bundle "$B" "$ID"
}

t_systemd_cgroup_without_systemd_says_so() {
	need root
	! have_systemd || need nosystemd
	bundle '.linux.cgroupsPath = "user.slice:t:x"'
	bad "systemd" rt --systemd-cgroup run --bundle "$B" "$ID"
}
have_nosystemd() { ! have_systemd; }

t_spec_writes_a_config_that_runs() {
	mkdir d && cd d
	good rt spec
	jq -e '.ociVersion and .process.terminal and (.process.args == ["sh"])
		and .root.readonly' config.json >/dev/null
	cp -al "$TAP_DIR/template" rootfs
	jq '.process.terminal = false | .process.args = ["echo", "hi"]' config.json >c2
	mv c2 config.json
	good rt run "t$$-spec"
	is "$out" hi
}

t_spec_does_not_overwrite() {
	mkdir d && cd d
	good rt spec
	bad "" rt spec
	like "$err" exist
}

t_spec_bundle_option() {
	mkdir d
	good rt spec --bundle "$T/d"
	jq -e .ociVersion d/config.json >/dev/null
}

t_spec_rootless_has_a_user_namespace() {
	mkdir d && cd d
	good rt spec --rootless
	jq -e '[.linux.namespaces[].type] | contains(["user"])' config.json >/dev/null
	jq -e '[.linux.namespaces[].type] | contains(["network"]) | not' config.json >/dev/null
	is "$(jq -c '.linux.uidMappings[0] | [.containerID, .hostID, .size]' config.json)" \
		"[0,$(id -u),1]"
	is "$(jq -c '.linux.gidMappings[0] | [.containerID, .hostID, .size]' config.json)" \
		"[0,$(id -g),1]"
}

t_features_is_a_document() {
	differs crun "1.8 has no features"
	good rt features
	jq -e '.ociVersionMin and .ociVersionMax and (.hooks | length == 6)
		and (.mountOptions | contains(["ro", "rbind", "rro", "tmpcopyup"]))
		and (.linux.namespaces | contains(["pid", "network", "mount", "ipc", "uts", "user", "cgroup"]))
		and (.linux.capabilities | contains(["CAP_CHOWN", "CAP_SYS_ADMIN"]))
		and .linux.cgroup.v1 == true and .linux.cgroup.v2 == true
		and .linux.seccomp.enabled == true
		and (.linux.seccomp.actions | contains(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"]))
		and (.linux.seccomp.operators | contains(["SCMP_CMP_MASKED_EQ"]))
		and (.linux.seccomp.archs | contains(["SCMP_ARCH_X86_64"]))' <<<"$out" >/dev/null
}

t_features_of_spec_1_3() {
	need isle
	good rt features
	jq -e '(.linux.namespaces | contains(["time"])) and .linux.mountExtensions.idmap.enabled
		and (.mountOptions | contains(["idmap", "ridmap"]))
		and (.linux.seccomp.actions | contains(["SCMP_ACT_NOTIFY"]))
		and .linux.netDevices.enabled and .linux.memoryPolicy
		and (.potentiallyUnsafeConfigAnnotations | type == "array")' <<<"$out" >/dev/null
}

tap_main "$@"
