#!/bin/bash
# timeout: 300
# 30-pull.t - isle-image against Debian's docker-registry and against one that cuts, stalls
# and lies (tests/lib/registry.py).  ISLE_IMAGE=FILE: the program under test.
# shellcheck shell=bash
if [ -z "${ISLE_TEST_NETNS-}" ] && [ "$(id -u)" = 0 ]; then
	export ISLE_TEST_NETNS=1
	exec unshare -n bash "$0" "$@"
fi
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$(readlink -f "$0")")/../lib/tap.sh"

if [ -z "${ISLE_IMAGE-}" ]; then
	for ISLE_IMAGE in "$ISLE_BUILD"/{main/,}src/cli/image/isle-image; do
		[ ! -x "$ISLE_IMAGE" ] || break
	done
fi
[ -x "$ISLE_IMAGE" ] || tap_bail "no isle-image; build it or set ISLE_IMAGE"
have_registry() { command -v docker-registry >/dev/null && command -v skopeo >/dev/null; }
ip link set lo up 2>/dev/null

export HOME=$TAP_DIR/home XDG_CONFIG_HOME=$TAP_DIR/home/.config
unset REGISTRY_AUTH_FILE DOCKER_CONFIG http_proxy https_proxy
IMAGE=$TAP_DIR/image
mkdir -p "$HOME" "$TAP_DIR"/trees/{a,b,c}
for t in a b c; do
	head -c 2000000 /dev/urandom >"$TAP_DIR/trees/$t/$t"
done
python3 "$TESTS_LIB/layout.py" "$IMAGE" "$TAP_DIR"/trees/{a,b,c} || tap_bail "pack the image"

# Each case has a store and a registry of its own.
pull() {
	"$ISLE_IMAGE" --root "$PWD/store" --run-root "$PWD/run" pull --retry 3 \
		--retry-delay 20ms --timeout 1s "$@"
}
# hostile OPTION=VALUE...: $HOST, and its requests in ./log.
hostile() {
	rm -f port
	python3 "$TESTS_LIB/registry.py" "${LAYOUT:-$IMAGE}" "$PWD/${LOG:-log}" "$@" >port &
	PIDS="${PIDS-} $!"
	# shellcheck disable=SC2064
	trap "kill $PIDS 2>/dev/null" EXIT
	until_ok test -s port
	HOST=127.0.0.1:$(cat port)
}
pulled() {
	has "$out" "Status: Downloaded newer image for $HOST/x:1"
	is "$(cat store/layers/*/[abc] | sha256sum)" "$(cat_trees | sha256sum)" "unpacked files"
	is "$(find store/tmp -name '*.blob')" "" "partial files"
}
# In the order of the layers' names.
cat_trees() {
	local d t
	for d in store/layers/*/; do
		for t in a b c; do [ ! -e "$d$t" ] || cat "$TAP_DIR/trees/$t/$t"; done
	done
}
layer_bytes() { awk '/blobs/ { n += $5 } END { print n + 0 }' "${1:-log}"; }
layers_size() { jq '[.layers[].size] | add' "$IMAGE/blobs/sha256/$(jq -r '.manifests[0].digest' "$IMAGE/index.json" | cut -d: -f2)"; }
# refused TEXT: the pull fails with one line that has TEXT, and names nothing in the store.
refused() {
	run pull -q "$HOST/x:1"
	is "$rc" 1 "exit status"
	is "$out" ""
	has "$err" "$1"
	is "$(wc -l <<<"$err")" 1 "lines"
	is "$(ls store/layers)" "" "layers"
}

t_plain() {
	hostile
	good pull "$HOST/x:1"
	pulled
	good pull "$HOST/x:1"
	has "$out" "Status: Image is up to date"
	is "$(layer_bytes)" "$(layers_size)"
	good pull -q "$HOST/x:1"
	like "$out" '^sha256:[0-9a-f]{64}$'
}

t_by_digest() {
	hostile
	good pull -q "$HOST/x@$(jq -r '.manifests[0].digest' "$IMAGE/index.json")"
	run pull -q "$HOST/x@sha256:$(printf '0%.0s' {1..64})"
	has "$err" "other bytes than asked for"
}

t_cut_connection_goes_on() {
	hostile cut=700000
	good pull "$HOST/x:1"
	pulled
	is "$(layer_bytes)" "$(layers_size)" "bytes sent"
}

t_cut_without_range() {
	hostile cut_once=500000 no_range=1
	good pull "$HOST/x:1"
	pulled
}

t_stall_times_out() {
	hostile stall=500000
	good pull "$HOST/x:1"
	pulled
}

# The heart: kill -9 in the middle, then another process fetches only the rest.
t_killed_pull_resumes() {
	local pid before
	hostile slow=1000000
	"$ISLE_IMAGE" --root "$PWD/store" --run-root "$PWD/run" pull -q "$HOST/x:1" &
	pid=$!
	until_ok sh -c '[ "$(find store/tmp -name "*.blob" -size +100k | wc -l)" = 3 ]' 2>/dev/null
	kill -9 $pid
	wait $pid 2>/dev/null || true
	before=$(find store/tmp -name '*.blob' -printf '%s\n' | awk '{ n += $1 } END { print n }')
	[ "$before" -gt 100000 ] || fail "only $before bytes were kept"
	LOG=log2 hostile
	good pull "$HOST/x:1"
	pulled
	is "$(layer_bytes log2)" $(($(layers_size) - before)) "bytes fetched again"
	is "$(grep -c 'bytes=' log2)" 3 "requests with Range"
}

t_resume_of_wrong_bytes_begins_anew() {
	local d
	hostile
	mkdir -p store/tmp
	d=$(jq -r '.layers[0].digest' "$IMAGE/blobs/sha256/$(jq -r '.manifests[0].digest' "$IMAGE/index.json" | cut -d: -f2)")
	head -c 300000 /dev/urandom >"store/tmp/${d/:/-}.blob"
	good pull "$HOST/x:1"
	pulled
}

t_two_pulls_share() {
	hostile slow=3000000
	pull -q "$HOST/x:1" >one 2>&1 &
	local pid=$!
	good pull -q "$HOST/x:1"
	wait $pid || fail "the other pull: $(cat one)"
	is "$(cat one)" "$out"
	is "$(layer_bytes)" "$(layers_size)" "bytes sent"
}

t_server_errors() {
	hostile fail=2
	good pull "$HOST/x:1"
	pulled
	hostile fail=9
	rm -rf store
	refused "the registry failed (500), 3 times in a row"
}

t_retry_after() {
	hostile busy=1
	good pull "$HOST/x:1"
	hostile busy=1 retry_after=4000
	rm -rf store
	refused "asks to wait 4000 seconds"
}

t_wrong_digest() { hostile digest=1; refused "sha256:"; }
t_too_short() { hostile short=1; refused "the manifest says"; }
t_too_long() { hostile long=1; refused "sends more than"; }
t_huge_manifest() { hostile manifest=5000000; refused "longer than 4194304 bytes"; }
t_schema_1() { hostile schema1=1; refused "schema 1"; }
t_redirect_loop() { hostile loop=1; refused "more than 8 redirects"; }
t_nobody_there() {
	HOST=127.0.0.1:1
	refused "127.0.0.1"
}

t_login_token_and_redirect_without_secrets() {
	local first
	LOG=log2 hostile
	first=$HOST
	hostile auth=bearer redirect="http://$first" token_fail=1
	run pull -q "$HOST/x:1"
	is "$rc" 1
	has "$err" "isle login $HOST"
	run "$ISLE_IMAGE" login -u ann -p wrong "$HOST"
	is "$rc" 1
	run "$ISLE_IMAGE" login -u ann --password-stdin "$HOST" <<<secret
	is "$rc" 0 "$err"
	has "$out" "Login Succeeded"
	is "$(stat -c %a "$XDG_CONFIG_HOME/isle/auth.json")" 600
	good pull "$HOST/x:1"
	pulled
	has "$(cat log)" "manifests/1 - Bearer"
	is "$(awk '{ print $4 }' log2 | sort -u)" "-" "Authorization at the other host"
	good "$ISLE_IMAGE" logout "$HOST"
	hasnt "$(cat "$XDG_CONFIG_HOME/isle/auth.json")" "$HOST"
}

t_basic() {
	hostile auth=basic
	refused "isle login $HOST"
	mkdir -p "$HOME/.docker"
	printf '{"auths":{"%s":{"auth":"%s"}}}' "$HOST" "$(printf ann:secret | base64)" \
		>"$HOME/.docker/config.json"
	good pull "$HOST/x:1"
	rm "$HOME/.docker/config.json"
	pulled
}

t_push_and_pull_back() {
	need registry
	local port=5000 there
	while ss -Hltn "sport = :$port" | grep -q .; do port=$((port + 1)); done
	cat >registry.yml <<-END
		version: 0.1
		storage: {filesystem: {rootdirectory: $PWD/registry}}
		http: {addr: "127.0.0.1:$port"}
	END
	docker-registry serve registry.yml >registry.log 2>&1 &
	PIDS=$!
	# shellcheck disable=SC2064
	trap "kill $PIDS 2>/dev/null" EXIT
	there=127.0.0.1:$port
	until_ok bash -c ": </dev/tcp/127.0.0.1/$port" 2>/dev/null
	skopeo copy -q --dest-tls-verify=false "oci:$IMAGE:1" "docker://$there/x:1"
	HOST=$there
	good pull "$HOST/x:1"
	pulled
	rm -rf registry/docker/registry/v2
	good "$ISLE_IMAGE" --root "$PWD/store" --run-root "$PWD/run" push "$HOST/x:1"
	has "$out" "1: digest: $(jq -r '.manifests[0].digest' "$IMAGE/index.json")"
	rm -rf store
	good pull "$HOST/x:1"
	pulled
	good "$ISLE_IMAGE" --root "$PWD/store" --run-root "$PWD/run" push "$HOST/x:1"
	has "$err" "Layer already exists"
}

tap_main
