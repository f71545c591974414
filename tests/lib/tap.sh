# tests/lib/tap.sh - the harness of the command-line tests.
#
# A test file sources this, defines functions named t_*, and ends with "tap_main".
# Each function is one case: it runs in a subshell under "set -e", in a directory
# of its own, and fails at the first command that fails.  The name is the function's,
# with spaces.  Run one file by hand, or some of its cases:
#
#	tests/cli/20-create.t
#	RUNTIME=runc tests/cli/20-create.t pid_file 'exists'
#
# Environment:
#	RUNTIME         the program under test (default: the one in the build folder)
#	RT_GLOBAL       global options for it ("--systemd-cgroup")
#	RUNTIME_WRAP    a program put in front of it ("tests/lib/noopenat2")
#	ISLE_BUILD      the build folder (default: build)
#	ISLE_REQUIRE    a,b,c: prerequisites whose absence is a failure, not a skip
#	ISLE_KEEP       1: keep the temporary directory
#
# As root everything happens in a mount namespace of its own, below a subreaper, so
# that whatever a case leaves behind is found ("leaves nothing behind") and removed.
# shellcheck shell=bash

TESTS_LIB=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
TOP=$(cd "$TESTS_LIB/../.." && pwd)
TEST_FILE=$(cd "${0%/*}" && pwd)/${0##*/}
: "${ISLE_BUILD:=$TOP/build}"
export LC_ALL=C
umask 022

tap_bail() { echo "Bail out! $*"; exit 2; }

# --- the tools: small C programs, built on first use ------------------------

# tap_tool NAME: build tests/lib/NAME.c statically into the build folder.
tap_tool() {
	local src=$TESTS_LIB/$1.c bin=$TAP_TOOLS/$1
	[ "$bin" -nt "$src" ] && return
	mkdir -p "$TAP_TOOLS"
	${TAP_CC:-cc} -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -static \
		-o "$bin.$$" "$src" && mv -f "$bin.$$" "$bin"
}

TAP_TOOLS=$ISLE_BUILD/tests/lib
if ! { mkdir -p "$TAP_TOOLS" && [ -w "$TAP_TOOLS" ]; } 2>/dev/null; then
	TAP_TOOLS=/tmp/isle-tests.$(id -u)
fi
for tap_t in reaper probe host killnth noopenat2; do
	tap_tool $tap_t || tap_bail "cannot build tests/lib/$tap_t.c"
done

# --- the program under test ---------------------------------------------------

if [ -z "$RUNTIME" ]; then
	for RUNTIME in "$ISLE_BUILD"/{main/,}src/cli/runtime/isle-runtime; do
		[ ! -x "$RUNTIME" ] || break
	done
fi
RUNTIME=$(command -v "${RUNTIME:-isle-runtime}") || tap_bail "no isle-runtime; build it or set RUNTIME"
RUNTIME=$(realpath "$RUNTIME")
case ${RUNTIME##*/} in
runc*) ENGINE=runc ;;
crun*) ENGINE=crun ;;
*) ENGINE=isle ;;
esac
export RUNTIME ISLE_BUILD

# Root works in a mount namespace and below a subreaper.  Changes to mounts cannot
# reach the machine; orphans of a killed runtime come to the reaper, where they are seen.
if [ "$(id -u)" = 0 ] && [ -z "$TAP_REAPER" ]; then
	exec unshare -m --propagation private "$TAP_TOOLS/reaper" bash "$TEST_FILE" "$@"
elif [ -z "$TAP_REAPER" ]; then
	exec "$TAP_TOOLS/reaper" bash "$TEST_FILE" "$@"
fi

# --- names ---------------------------------------------------------------------

TAP_DIR=$(mktemp -d "${TMPDIR:-/tmp}/isle-cli.XXXXXX") || tap_bail "mktemp"
chmod 755 "$TAP_DIR"
CGROUP=/isle-test-$$                    # every group of this file is below it
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
	CGROUP_MODE=2
elif [ -d /sys/fs/cgroup/memory ]; then
	CGROUP_MODE=1
else
	CGROUP_MODE=0
fi

# With systemd's driver the group of a container is a scope, named slice:prefix:name.
case " ${RT_GLOBAL-} " in
*" --systemd-cgroup "* | *" --cgroup-manager=systemd "*) CGROUP_DRIVER=systemd ;;
*) CGROUP_DRIVER=cgroupfs ;;
esac
# The cgroupsPath of the container $ID, and its group below a hierarchy's mount.
cgroups_path() {
	if [ $CGROUP_DRIVER = systemd ]; then
		echo "system.slice:${CGROUP#/}:$ID"
	else
		echo "$CGROUP/$ID"
	fi
}
cgroup_dir() {
	if [ $CGROUP_DRIVER = systemd ]; then
		echo "/system.slice/${CGROUP#/}-$ID.scope"
	else
		echo "$CGROUP/$ID"
	fi
}

# crun 1.8 wants every controller on v1 before it works on a hybrid host.  The folder is
# made in the tmpfs that the host shares, so it is removed again.
TAP_HUGETLB=
if [ $ENGINE = crun ] && [ "$(id -u)" = 0 ] && [ $CGROUP_MODE = 1 ] &&
   ! grep -q ' /sys/fs/cgroup/hugetlb ' /proc/self/mountinfo; then
	mkdir -p /sys/fs/cgroup/hugetlb &&
		mount -t cgroup -o hugetlb none /sys/fs/cgroup/hugetlb && TAP_HUGETLB=1
fi

# --- prerequisites ---------------------------------------------------------------

have_root() { [ "$(id -u)" = 0 ]; }
have_userns() { unshare -U true 2>/dev/null; }
have_cgroup1() { have_root && [ $CGROUP_MODE = 1 ]; }
have_cgroup2() { have_root && [ $CGROUP_MODE = 2 ]; }
have_cgroup() { have_root && [ $CGROUP_MODE != 0 ]; }
have_cgroupfs() { [ $CGROUP_DRIVER = cgroupfs ]; }      # said where a group is named by its path
have_systemd() { [ -d /run/systemd/system ]; }
have_criu() { command -v criu >/dev/null && criu check >/dev/null 2>&1; }
have_nocriu() { ! command -v criu >/dev/null; }
have_apparmor() { [ -d /sys/kernel/security/apparmor ]; }
have_selinux() { [ -d /sys/fs/selinux ]; }
have_timens() { [ -e /proc/self/ns/time ]; }
have_ip() { have_root && command -v ip >/dev/null; }
have_strace() { command -v strace >/dev/null; }
have_cpus2() { [ "$(nproc)" -ge 2 ]; }
have_idmap() { have_root && "$TAP_TOOLS/host" can-idmap "$TAP_DIR"; }
have_hugetlb1() { grep -q ' /sys/fs/cgroup/hugetlb ' /proc/self/mountinfo; }
have_memsw() { [ -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ]; }
have_subuid() { have_root && command -v newuidmap >/dev/null; }
have_overlay() { have_root && grep -qw overlay /proc/filesystems; }
# Idmapped mounts of tmpfs: Linux 6.3.
have_idmaptmpfs() { have_idmap && printf '6.3\n%s\n' "$(uname -r)" | sort -CV; }
# Mounts inside a detached mount tree: Linux 6.15.
have_mounttree() { have_root && printf '6.15\n%s\n' "$(uname -r)" | sort -CV; }
have_isle() { [ $ENGINE = isle ]; }     # said of what runc 1.1 and crun 1.8 lack

# need NAME...: go on only where all of them are there.
need() {
	local n
	for n; do
		"have_$n" && continue
		case ,$ISLE_REQUIRE, in
		*,"$n",*) fail "needs $n, which ISLE_REQUIRE says is here" ;;
		esac
		echo "needs $n" >"$TAP_SKIP"
		exit 77
	done
}

# differs ENGINE... REASON: this case is not what those other runtimes do.
differs() {
	local why=${!#}
	while [ $# -gt 1 ]; do
		if [ "$1" = $ENGINE ]; then
			echo "$1: $why" >"$TAP_SKIP"
			exit 77
		fi
		shift
	done
}

# --- checks ------------------------------------------------------------------------

fail() { trap - ERR; echo "FAIL: $*" >&2; exit 1; }

# is GOT WANT [WHAT]
is() { [ "$1" = "$2" ] || fail "${3:+$3: }got '$1', want '$2'"; }
isnt() { [ "$1" != "$2" ] || fail "${3:+$3: }got '$1', which it must not be"; }
# has TEXT PART [WHAT]: a plain substring.
has() { [[ $1 == *"$2"* ]] || fail "${3:+$3: }'$2' is not in: $1"; }
hasnt() { [[ $1 != *"$2"* ]] || fail "${3:+$3: }'$2' is in: $1"; }
# like TEXT REGEX [WHAT]
like() { [[ $1 =~ $2 ]] || fail "${3:+$3: }no match for /$2/ in: $1"; }

# run CMD...: sets $rc, $out (stdout) and $err (stderr); never fails itself.
run() {
	rc=0
	"$@" >"$T/.out" 2>"$T/.err" || rc=$?
	out=$(cat "$T/.out" | tr -d '\000')
	err=$(cat "$T/.err" | tr -d '\000')
	echo "+ $*"; echo "rc=$rc"; sed 's/^/  out: /' "$T/.out"; sed 's/^/  err: /' "$T/.err"
}
# good CMD...: run, and it must succeed.
good() { run "$@"; [ $rc = 0 ] || fail "exit $rc from: $* : $err"; }
# says WORDS: stderr of the last run has them.  crun has words of its own.
# runc's are within a quoted string.
says() { [ -z "$1" ] || [ $ENGINE = crun ] || has "${err//\\\"/\"}" "$1" "stderr"; }
# bad WORDS CMD...: run; it must fail and say WORDS on stderr (a substring).
bad() {
	local words=$1
	shift
	run "$@"
	[ $rc != 0 ] || fail "succeeded: $*"
	says "$words"
}
# until_ok CMD...: wait for it to succeed, 5 s at most (500 tries of 10 ms).
until_ok() {
	local i
	for ((i = 0; i < 500; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.01
	done
	fail "waited in vain for: $*"
}

# --- bundles and containers -----------------------------------------------------------

TAP_ID=0
# Seconds a case may take.
: "${TAP_TIMEOUT:=40}"

# rt ARGS...: the program under test with this case's --root.
rt() {
	# shellcheck disable=SC2086
	${RT_AS:-} $RUNTIME_WRAP "$RUNTIME" --root "$T/state" ${RT_GLOBAL:-} "$@"
}

# The template of all root file systems: busybox and our probe.
tap_template() {
	local d=$TAP_DIR/template a bb
	bb=$(command -v busybox)
	mkdir -p "$d"/{bin,etc,tmp,root,home/ann,proc,sys,dev,mnt,var/tmp,usr}
	cp "$bb" "$d/bin/busybox" && cp "$TAP_TOOLS/probe" "$d/bin/probe"
	for a in $TAP_APPLETS; do ln -s busybox "$d/bin/$a"; done
	printf 'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n' >"$d/etc/passwd"
	printf 'root:x:0:\nann:x:1000:\n' >"$d/etc/group"
	chmod 1777 "$d/tmp"
	(cd "$TAP_DIR" && "$RUNTIME" spec) || tap_bail "$RUNTIME spec failed"
	# A known start: no terminal, writable root, a cgroup of ours.
	jq --arg cg "$CGROUP" '.process.terminal = false | .root.readonly = false
		| .process.args = ["true"] | .root.path = "rootfs" | del(.linux.cgroupsPath)
		| .process.env = ["PATH=/bin", "TERM=xterm"]' \
		"$TAP_DIR/config.json" >"$TAP_DIR/base.json" || tap_bail "jq"
}
TAP_APPLETS='sh cat ls true false env id pwd echo sleep stat readlink mount umount grep
	cut head tail wc tr sed awk test [ hostname dnsdomainname ps kill touch mkdir rmdir
	rm ln mv cp chmod chown chrt ionice taskset ulimit date tty stty dd seq printf
	printenv nproc uname arch find sort mknod nice ip ifconfig sysctl xargs setsid
	timeout usleep unshare cmp od sync tee which whoami'

# bundle [FILTER [JQ-ARGS...]]: a fresh bundle in $B, its id in $ID.  FILTER edits the
# base config.  The root file system is hard links: replace files, never write into them.
bundle() {
	TAP_ID=$((TAP_ID + 1))
	ID=t$$-$TAP_CASE-$TAP_ID
	B=$T/b$TAP_ID
	mkdir -p "$B"
	cp -al "$TAP_DIR/template" "$B/rootfs"
	conf_from "$TAP_DIR/base.json" "$@"
}
# conf FILTER [JQ-ARGS...]: edit the config of $B.
conf() { conf_from "$B/config.json" "$@"; }
conf_from() {
	local from=$1 filter=${2:-.}
	shift; [ $# = 0 ] || shift
	jq --arg cgroup "$(cgroups_path)" "$@" \
		"def sh(s): .process.args = [\"sh\", \"-c\", s];
		 def ns(t): .linux.namespaces |= map(select(.type != t));
		 def newns(t): ns(t) | .linux.namespaces += [{type: t}];
		 def joinns(t; p): ns(t) | .linux.namespaces += [{type: t, path: p}];
		 def mnt(m): .mounts += [m];
		 def tmpfs(d; o): mnt({destination: d, type: \"tmpfs\", source: \"tmpfs\", options: o});
		 def bind(s; d; o): mnt({destination: d, type: \"bind\", source: s, options: ([\"bind\"] + o)});
		 def map1(h; n): newns(\"user\")
			| .linux.uidMappings = [{containerID: 0, hostID: h, size: n}]
			| .linux.gidMappings = [{containerID: 0, hostID: h, size: n}];
		 def caps(l): .process.capabilities = {bounding: l, effective: l, permitted: l,
			inheritable: [], ambient: []};
		 if .linux.cgroupsPath then . else .linux.cgroupsPath = \$cgroup end
		 | $filter" "$from" >"$B/config.new" || fail "jq: $filter"
	mv -f "$B/config.new" "$B/config.json"
}

# inside FILTER SCRIPT [JQ-ARGS...]: run SCRIPT in a fresh container; sets rc, out, err.
inside() {
	local filter=$1 script=$2
	shift 2
	bundle "sh(\$script) | $filter" --arg script "$script" "$@"
	run rt run --bundle "$B" "$ID" </dev/null
}
# inside_ok: the same, and it must succeed.
inside_ok() { inside "$@"; [ $rc = 0 ] || fail "exit $rc: $err"; }
# inside_bad WORDS FILTER [SCRIPT]: the container must be refused with WORDS.
inside_bad() {
	local words=$1
	shift
	inside "$1" "${2:-echo started}" "${@:3}"
	[ $rc != 0 ] || fail "it ran: $out"
	hasnt "$out" started "stdout"
	says "$words"
}
# up [FILTER [JQ-ARGS...]]: a container running "sleep" in the background; $ID, $B, $PID.
up() {
	local filter=${1:-.}
	[ $# = 0 ] || shift
	bundle ".process.args = [\"sleep\", \"1000\"] | $filter" "$@"
	rt run -d --bundle "$B" --pid-file "$B/pid" "$ID" </dev/null >"$B/log" 2>&1 ||
		fail "run -d: $(cat "$B/log")"
	PID=$(cat "$B/pid")
}
# in_it CMD...: exec in $ID; sets rc, out, err.
in_it() { run rt exec "$ID" "$@" </dev/null; }

status_of() { rt state "$1" | jq -r .status; }
status_is() { [ "$(status_of "$1")" = "$2" ]; }
wait_status() { until_ok status_is "$1" "$2"; }
gone() { ! kill -0 "$1" 2>/dev/null || [ "$(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null)" = Z ]; }

# cgfile CONTROLLER V1FILE V2FILE: the path of a file of the group of $ID.
cgfile() {
	if [ $CGROUP_MODE = 2 ]; then
		echo "/sys/fs/cgroup$(cgroup_dir)/$3"
	else
		echo "/sys/fs/cgroup/$1$(cgroup_dir)/$2"
	fi
}
cg() { cat "$(cgfile "$@")"; }

# status_field NAME < /proc/x/status
status_field() { sed -n "s/^$1:[[:space:]]*//p"; }

# --- cleaning up -------------------------------------------------------------------------

# Whatever a case left: containers, processes, mounts, groups.  Prints what had to be
# removed by force.
tap_sweep() {
	local d id p tries
	for d in "$T"/state/*/; do
		[ -d "$d" ] || continue
		id=${d%/}; id=${id##*/}
		timeout 20 "$RUNTIME" --root "$T/state" delete --force "$id" >/dev/null 2>&1
	done
	for tries in 1 2 3 4 5; do
		p=$(tap_strays)
		[ -n "$p" ] || break
		# shellcheck disable=SC2086
		kill -9 $p 2>/dev/null
		sleep 0.02
	done
	if have_root; then
		awk -v d="$T/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
			while read -r d; do umount -l "$(printf '%b' "$d")" 2>/dev/null; done
	fi
	tap_groups | sort -r | while read -r d; do
		[ ! -e "$d/freezer.state" ] || echo THAWED >"$d/freezer.state" 2>/dev/null
		[ ! -e "$d/cgroup.freeze" ] || echo 0 >"$d/cgroup.freeze" 2>/dev/null
		for p in $(cat "$d/cgroup.procs" 2>/dev/null); do kill -9 "$p" 2>/dev/null; done
		rmdir "$d" 2>/dev/null || { sleep 0.05; rmdir "$d" 2>/dev/null; }
	done
	return 0
}
# Orphans of this case: children of the reaper other than this script.
tap_strays() {
	local p
	for p in $(cat "/proc/$TAP_REAPER/task/$TAP_REAPER/children"); do
		[ "$p" = $$ ] && continue
		[ "$(cut -d' ' -f3 "/proc/$p/stat" 2>/dev/null)" = Z ] || echo "$p"
	done
}
no_strays() { [ -z "$(tap_strays)" ]; }
tap_groups() { find /sys/fs/cgroup/ -type d -path "*$CGROUP*" 2>/dev/null; }

tap_one() {
	local fn=$1 n=$2 name rc_case job alarm first
	name=${fn#t_}; name=${name//_/ }
	T=$TAP_DIR/c$n
	TAP_CASE=$n
	TAP_SKIP=$T/.skip
	mkdir -p "$T/state"
	chmod 755 "$T"
	# A job of its own: a process group that can be killed, and INT not ignored.
	set -m
	sleep "$TAP_TIMEOUT" &
	alarm=$!
	(
		set -eE -o pipefail
		trap 'echo "FAIL: line $LINENO: $BASH_COMMAND" >&2' ERR
		cd "$T"
		exec 3>&- 4>&-
		${TAP_TRACE:+set -x}
		$fn
	) >"$TAP_DIR/log" 2>&1 </dev/null &
	job=$!
	wait -n -p first $job $alarm 2>/dev/null
	rc_case=$?
	if [ "$first" = $alarm ]; then
		echo "FAIL: still running after $TAP_TIMEOUT s" >>"$TAP_DIR/log"
		kill -9 -- -$job
		wait $job
		rc_case=1
	else
		kill $alarm
		wait $alarm
	fi 2>/dev/null
	set +m
	if [ $rc_case = 77 ] && [ -e "$TAP_SKIP" ]; then
		echo "ok $n - $name # SKIP $(cat "$TAP_SKIP")"
	elif [ $rc_case = 0 ]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		tail -n 25 "$TAP_DIR/log" | cut -c 1-400 | tr -d '\000' | sed 's/^/# /'
		TAP_FAILED=$((TAP_FAILED + 1))
	fi
	tap_sweep >/dev/null 2>&1
	[ -n "$ISLE_KEEP" ] || rm -rf --one-file-system "$T"
}

# tap_relay FILE PREFIX [PATTERN...]: run another test file and pass its results on as ours.
tap_relay() {
	local file=$1 prefix=$2 line
	shift 2
	while IFS= read -r line; do
		case $line in
		1..*) ;;
		ok\ * | not\ ok\ *)
			TAP_N=$((TAP_N + 1))
			[[ $line =~ ^(not\ )?ok\ [0-9]+\ -\ (.*)$ ]]
			echo "${BASH_REMATCH[1]}ok $TAP_N - $prefix: ${BASH_REMATCH[2]}"
			[ -z "${BASH_REMATCH[1]}" ] || TAP_FAILED=$((TAP_FAILED + 1)) ;;
		*) echo "$line" ;;
		esac
	done < <(env -u TAP_REAPER bash "$file" "$@")
}

tap_exit() {
	[ -z "$TAP_HUGETLB" ] || {
		umount /sys/fs/cgroup/hugetlb && rmdir /sys/fs/cgroup/hugetlb
	} 2>/dev/null
	[ -n "$ISLE_KEEP" ] || rm -rf --one-file-system "$TAP_DIR" 2>/dev/null
	exit $((TAP_FAILED > 0))
}

# tap_main [PATTERN...]: run the cases (whose names match one of the patterns).
tap_main() {
	local fn p keep
	TAP_N=0 TAP_FAILED=0
	tap_template
	trap 'tap_sweep; TAP_FAILED=1; tap_exit' INT TERM HUP
	while read -r fn; do
		keep=$(($# == 0))
		for p; do [[ ${fn//_/ } =~ ${p//_/ } ]] && keep=1; done
		[ $keep = 1 ] || continue
		TAP_N=$((TAP_N + 1))
		tap_one "$fn" $TAP_N
	done < <(sed -n 's/^\(t_[A-Za-z0-9_]*\)() *{.*/\1/p' "$TEST_FILE")
	if declare -F tap_more >/dev/null && [ $# = 0 ]; then
		tap_more                # results relayed from other files
	fi
	echo "1..$TAP_N"
	tap_exit
}
