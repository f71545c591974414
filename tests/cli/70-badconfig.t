#!/bin/bash
# A config.json that is wrong: the error names the path, the line, what was expected.
. "${0%/*}/../lib/tap.sh"

# wrong PATH FILTER: refused, and the message has PATH and a line number that is right.
wrong() {
	local path=$1
	inside_bad "" "$2"
	[ $ENGINE = isle ] || return 0
	has "$err" "$path"
	like "$err" 'config.json:[0-9]+: '
	is "$(grep -c . <<<"$err")" 1 "one line"
}

t_wrong_types_name_the_path() {
	wrong process.args '.process.args = "sh"'
	wrong 'process.args[1]' '.process.args = ["a", 5]'
	wrong process.user.uid '.process.user.uid = "root"'
	wrong process.user.uid '.process.user.uid = -1'
	wrong process.terminal '.process.terminal = "yes"'
	wrong process.cwd '.process.cwd = 7'
	wrong 'process.env[0]' '.process.env = [true]'
	wrong root.path '.root.path = 5'
	wrong root.readonly '.root.readonly = "yes"'
	wrong hostname '.hostname = 5'
	wrong mounts '.mounts = {}'
	wrong 'mounts[0].options' '.mounts[0].options = "ro"'
	wrong linux '.linux = []'
	wrong linux.namespaces '.linux.namespaces = "pid"'
	wrong linux.resources.memory.limit '.linux.resources.memory.limit = "1G"'
	wrong linux.resources.pids.limit '.linux.resources.pids.limit = 1.5'
	wrong linux.maskedPaths '.linux.maskedPaths = "/x"'
	wrong linux.sysctl '.linux.sysctl = {"kernel.domainname": 1}'
	wrong hooks '.hooks = []'
	wrong 'hooks.poststop[0].timeout' '.hooks.poststop = [{path: "/x", timeout: "5"}]'
}

t_missing_required_properties() {
	differs runc "takes some"
	wrong ociVersion 'del(.ociVersion)'
	wrong mounts '.mounts += [{source: "x", type: "tmpfs"}]'
	wrong namespaces '.linux.namespaces += [{path: "/x"}]'
	wrong hooks '.hooks.createRuntime = [{args: ["x"]}]'
}

t_numbers_out_of_range() {
	wrong process.user.uid '.process.user.uid = 99999999999'
	wrong process.user.additionalGids '.process.user.additionalGids = [-5]'
	wrong process.oomScoreAdj '.process.oomScoreAdj = 1e30'
}

t_versions_that_are_not_1_x() {
	need isle
	local v
	for v in 2.0.0 0.9.0 banana '' 1; do
		inside_bad "" '.ociVersion = $v' 'echo started' --arg v "$v"
		has "$err" ociVersion
	done
}

t_the_line_is_that_of_the_value() {
	need isle
	bundle
	jq '.process.cwd = 7' "$B/config.json" >c && mv c "$B/config.json"
	local n
	n=$(grep -n '"cwd": 7' "$B/config.json" | cut -d: -f1)
	bad "config.json:$n: " rt run --bundle "$B" "$ID"
}

t_malformed_json_names_the_line() {
	need isle
	bundle
	printf '{\n "ociVersion": "1.0.0",\n "process": {,\n' >"$B/config.json"
	bad "config.json:3" rt run --bundle "$B" "$ID"
	bad "" rt state "$ID"
}

t_malformed_documents() {
	local d
	bundle
	for d in '' '[]' '"x"' 'null' '{' '{"a":}' "$(printf '{"ociVersion":"1.0.0"} trailing')" "$(printf '\xff\xfe')"; do
		printf %s "$d" >"$B/config.json"
		bad "" rt run --bundle "$B" "$ID"
	done
}

t_deeply_nested_json_does_not_crash() {
	bundle
	python3 -c 'print("{\"ociVersion\":\"1.0.0\",\"x\":" + "[" * 100000 + "]" * 100000 + "}")' >"$B/config.json" 2>/dev/null ||
		{ printf '{"ociVersion":"1.0.0","x":'; head -c 100000 /dev/zero | tr '\0' '['; } >"$B/config.json"
	run rt run --bundle "$B" "$ID"
	[ $rc != 0 ] && [ $rc -lt 128 ] || fail "rc $rc"
}

t_control_characters_do_not_reach_the_terminal() {
	need isle
	inside_bad "" '.process.args = ["/no\u001b[31mred\nline"]'
	is "$(grep -c . <<<"$err")" 1 "one line"
	hasnt "$err" $'\033'
}

t_nul_in_a_string_is_refused() {
	need isle
	inside_bad "" '.process.args = ["a\u0000b"]'
	inside_bad "" '.mounts[0].destination = "/x\u0000/y"'
}

t_a_directory_as_config() {
	bundle
	rm "$B/config.json" && mkdir "$B/config.json"
	bad "" rt run --bundle "$B" "$ID"
}

t_null_is_as_absent() {
	inside_ok '.hooks = null | .linux.seccomp = null | .annotations = null | .process.rlimits = null | .linux.devices = null' 'echo ok'
	is "$out" ok
}

t_duplicate_keys_do_not_crash() {
	bundle
	sed 's/"ociVersion"/"ociVersion": "1.0.0", "ociVersion"/' "$B/config.json" >c && mv c "$B/config.json"
	run rt run --bundle "$B" "$ID"
	[ $rc -lt 128 ] || fail "rc $rc"
}

t_nothing_is_left_after_a_refusal() {
	inside_bad "" '.linux.namespaces += [{type: "moon"}]'
	is "$(rt list -q)" ""
	is "$(tap_strays)" ""
	is "$(tap_groups | grep "$ID" || true)" ""
}

tap_main "$@"
