# tests/lib/isle.sh - what the tests of `isle` share, over tests/lib/tap.sh.
#
# Each file of tests/isle/ gets a network namespace of its own (with loopback, and "uplink0",
# 198.51.100.2/24 and 2001:db8:1::2/64, whose peer is the world), a store of its own with the
# images below loaded, and after each case no instance is left.
#
#	ISLE=FILE                       the program under test (default: the build's)
#	tests/isle/10-run.t             all cases;  tests/isle/10-run.t 'exit code'   some
#
# $BUSYBOX  busybox-static, users root and ann (1000), group more (2000) with ann in it
# $DEBIAN   bash, coreutils and perl with their libraries
#
#	isle ARGS...            the program with this file's --root and --run-root
#	irun ARGS...            run isle run --rm ARGS...: sets rc, out, err (tap.sh)
#	bg ARGS...              an instance in the background, named $NAME, its ID in $CID
#	bg_sleep ARGS...        the same, sleeping in $BUSYBOX
#	in_bg CMD...            run isle exec $NAME CMD: sets rc, out, err
#	registry_start          docker-registry on 127.0.0.1: its host:port in $REGISTRY
# shellcheck shell=bash

if [ -z "${ISLE_TEST_NETNS-}" ] && [ "$(id -u)" = 0 ]; then
	export ISLE_TEST_NETNS=1
	exec unshare -n bash "$0" "$@"
fi

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/tap.sh"

if [ -z "${ISLE-}" ]; then
	for ISLE in "$ISLE_BUILD"/{main/,}src/cli/isle/isle; do
		[ ! -x "$ISLE" ] || break
	done
fi
ISLE=$(realpath "$ISLE" 2>/dev/null) && [ -x "$ISLE" ] || tap_bail "no isle; build it or set ISLE"
export ISLE

BUSYBOX=isle.test/busybox:1
DEBIAN=isle.test/debian:1
IMAGES=$TOP/build/engines
STORE=$TAP_DIR/store RUN_ROOT=$TAP_DIR/run
DAEMONS=()

have_registry() { command -v docker-registry >/dev/null; }
have_nft() { command -v nft >/dev/null; }
have_pasta() { command -v pasta >/dev/null; }

isle() { "$ISLE" --root "$STORE" --run-root "$RUN_ROOT" "$@"; }
irun() { run isle run --rm "$@"; }
bg() {
	NAME=c$$-$TAP_CASE-$((TAP_ID += 1))
	good isle run -d --name "$NAME" "$@"
	CID=$out
}
bg_sleep() { bg "$@" $BUSYBOX sleep 1000; }
in_bg() { run isle exec "$NAME" "$@"; }
inspect() { isle inspect -f "$1" "${2:-$NAME}"; }
state_is() { [ "$(inspect '{{.State.Status}}' "${2:-$NAME}")" = "$1" ]; }
wait_state() { until_ok state_is "$@"; }

# daemon NAME CMD...: started now, ended with the file; its output in $TAP_DIR/NAME.log.
daemon() {
	local name=$1
	shift
	"$@" >"$TAP_DIR/$name.log" 2>&1 </dev/null &
	DAEMONS+=($!)
}

port_free() { ! ss -Hltn "sport = :$1" | grep -q .; }

registry_start() {
	local port=5000
	until port_free $port; do port=$((port + 1)); done
	REGISTRY=127.0.0.1:$port
	mkdir -p "$TAP_DIR/registry"
	cat >"$TAP_DIR/registry.yml" <<-END
		version: 0.1
		storage: {filesystem: {rootdirectory: $TAP_DIR/registry}, delete: {enabled: true}}
		http: {addr: "$REGISTRY"}
	END
	daemon registry docker-registry serve "$TAP_DIR/registry.yml"
	until_ok nc -z 127.0.0.1 $port
}

# After each case: no instance, no network, no volume.
isle_sweep() {
	local all
	all=$(timeout 20 "$ISLE" --root "$STORE" --run-root "$RUN_ROOT" ps -aq 2>/dev/null)
	# shellcheck disable=SC2086
	[ -z "$all" ] || timeout 60 "$ISLE" --root "$STORE" --run-root "$RUN_ROOT" rm -f -v $all
	timeout 20 "$ISLE" --root "$STORE" --run-root "$RUN_ROOT" network prune -f
	timeout 20 "$ISLE" --root "$STORE" --run-root "$RUN_ROOT" volume prune -a -f
} >/dev/null 2>&1

eval "tap_plain_sweep() $(declare -f tap_sweep | tail -n +2)"
# The reaper's children are daemons of the file too: those stay.
tap_strays() {
	local p
	for p in $(cat "/proc/$TAP_REAPER/task/$TAP_REAPER/children"); do
		case " $$ ${DAEMONS[*]} " in *" $p "*) continue ;; esac
		[ "$(cut -d' ' -f3 "/proc/$p/stat" 2>/dev/null)" = Z ] || echo "$p"
	done
}
tap_sweep() {
	isle_sweep
	tap_plain_sweep
}

# What must be gone when nothing is there any more; prints what is left.
isle_leftovers() {
	local cid
	ip -o link | grep -E 'isle|veth' | sed 's/^/link: /'
	nft list tables 2>/dev/null | grep isle | sed 's/^/nft: /'
	awk -v d="$STORE" 'index($5, d) == 1 { print "mount: " $5 }' /proc/self/mountinfo
	ls -A "$STORE/instances" 2>/dev/null | sed 's/^/instance: /'
	ls -A "$RUN_ROOT/bundles" 2>/dev/null | sed 's/^/bundle: /'
	ls -A "$RUN_ROOT/keepers" 2>/dev/null | sed 's/^/keeper: /'
	ls -A "$RUN_ROOT/runtime" 2>/dev/null | grep -v '^@' | sed 's/^/runtime: /'
	tap_strays | sed 's/^/process: /'
	for cid; do
		find /sys/fs/cgroup -type d -name "*$cid*" | sed 's/^/cgroup: /'
	done
	return 0
}

isle_setup() {
	local i
	ip link set lo up
	ip link add uplink0 type veth peer name world0
	ip addr add 198.51.100.2/24 dev uplink0
	ip -6 addr add 2001:db8:1::2/64 dev uplink0 nodad
	ip link set uplink0 up
	ip link set world0 up
	ip route add default via 198.51.100.1
	if [ -w "$TOP/build" ] || [ ! -e "$IMAGES/busybox.tar" ]; then
		"$TOP/tests/engines/image" "$IMAGES" || tap_bail "tests/engines/image failed"
	fi
	for i in busybox debian; do
		isle load -q -i "$IMAGES/$i.tar" >/dev/null || tap_bail "isle load of $i.tar"
	done
}

tap_exit() {
	local p
	tap_sweep
	for p in "${DAEMONS[@]}"; do
		kill "$p" && wait "$p"
	done 2>/dev/null
	[ -n "$ISLE_KEEP" ] || rm -rf --one-file-system "$TAP_DIR" 2>/dev/null
	exit $((TAP_FAILED > 0))
}

# isle_main: instead of tap_main.
isle_main() {
	have_root || { echo "1..0 # SKIP needs root"; exit 0; }
	isle_setup
	tap_main "$@"
}
