#!/bin/bash
# isle run: each flag reaches what it is for.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

have_fuse() { [ -c /dev/fuse ]; }
have_python() { command -v python3 >/dev/null; }
log_has() { isle logs "$NAME" 2>&1 | grep -q -- "$1"; }

# --- process 1 ----------------------------------------------------------------------

t_init_reaps_orphans() {
	# A grandchild whose parent has gone and which ends later: nobody but process 1 waits for it.
	bg --init $BUSYBOX sh -c 'sh -c "sleep 0.2 & echo begun"; exec sleep 1000'
	in_bg readlink /proc/1/exe
	is "$out" /dev/init
	until_ok log_has begun
	# A zombie's name is in brackets.
	reaped() { ! isle exec "$NAME" ps -o args | grep -E '^(\[sleep|sleep 0)'; }
	until_ok reaped
}

t_init_forwards_signals_and_the_exit_status() {
	bg --init $BUSYBOX sh -c 'trap "echo got it; exit 9" USR1; echo ready; while :; do sleep 0.05; done'
	until_ok log_has ready
	good isle kill -s USR1 "$NAME"
	good isle wait "$NAME"
	is "$out" 9
	log_has "got it"
	irun --init $BUSYBOX /nowhere
	is $rc 127
	irun --init $BUSYBOX sh -c 'kill -9 $$'
	is $rc 137
}

# --- privileges and devices ------------------------------------------------------------

t_privileged() {
	need fuse
	local all script='grep -E "CapEff|Seccomp:" /proc/self/status; ls /dev
		echo 0 2>&1 >/proc/sys/kernel/print-fatal-signals; mount -t tmpfs none /mnt 2>&1 && echo mounted'
	all=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
	irun --privileged $BUSYBOX sh -c "mkdir /mnt; $script"
	has "$out" "$all" "capabilities"
	like "$out" $'Seccomp:\t0'
	has "$out" fuse
	has "$out" mounted
	hasnt "$out" "Read-only"
	irun $BUSYBOX sh -c "mkdir /mnt; $script"
	hasnt "$out" "$all"
	like "$out" $'Seccomp:\t2'
	hasnt "$out" fuse
	hasnt "$out" mounted
	has "$out" "Read-only"
}

t_device() {
	need fuse
	irun --device /dev/fuse $BUSYBOX sh -c 'stat -c "%t:%T" /dev/fuse; : <>/dev/fuse && echo opened'
	is "$out" $'a:e5\nopened'
	irun --device /dev/fuse:/dev/other:r $BUSYBOX sh -c 'ls /dev/fuse 2>&1; : </dev/other && echo opened; : >/dev/other'
	has "$out" "No such file"
	has "$out" opened
	isnt $rc 0
	has "$err" "not permitted"
	irun $BUSYBOX sh -c 'mknod /f c 10 229 && : <>/f'
	isnt $rc 0
	has "$err" "not permitted"
	irun --device-cgroup-rule 'c 10:229 rwm' $BUSYBOX sh -c 'mknod /f c 10 229 && : <>/f && echo opened'
	is "$out" opened
	irun --device /dev/nowhere $BUSYBOX true
	is $rc 125
	has "$err" /dev/nowhere
	irun --device /dev/fuse:/dev/fuse:x $BUSYBOX true
	is $rc 125
	has "$err" "--device"
}

# --- namespaces of another ----------------------------------------------------------------

t_ipc_and_pid_of_another() {
	bg --ipc shareable $BUSYBOX sh -c 'echo shared >/dev/shm/f; exec sleep 1000'
	local first=$NAME
	in_shm() { isle exec "$first" test -s /dev/shm/f; }
	until_ok in_shm
	irun --ipc "container:$first" --pid "container:$first" $BUSYBOX sh -c 'cat /dev/shm/f; cat /proc/1/cmdline | tr "\0" " "'
	is "$out" $'shared\nsleep 1000 '
	is "$(isle exec "$first" readlink /proc/self/ns/ipc)" \
		"$(isle run --rm --ipc "container:$first" $BUSYBOX readlink /proc/self/ns/ipc)"
	irun --ipc container:nobody $BUSYBOX true
	is $rc 125
	has "$err" nobody
	# One that keeps its own to itself; and one that has ended has none.
	bg_sleep --ipc private
	irun --ipc "container:$NAME" $BUSYBOX true
	is $rc 125
	has "$err" shareable
	good isle stop -t 0 "$NAME"
	irun --pid "container:$NAME" $BUSYBOX true
	is $rc 125
	has "$err" "not running"
}

t_namespaces_of_the_host() {
	irun --ipc host --pid host --uts host --network host --cgroupns host $BUSYBOX sh -c \
		'for n in ipc pid uts net cgroup; do readlink /proc/self/ns/$n; done'
	is "$out" "$(for n in ipc pid uts net cgroup; do readlink /proc/self/ns/$n; done)"
}

# --- a terminal ------------------------------------------------------------------------

# on_tty ARGS...: isle ARGS on a terminal whose screen is ./screen; type's words are typed.
on_tty() {
	rm -f keys screen
	mkfifo keys
	SHELL=/bin/bash script -qefc "$(printf '%q ' "$ISLE" --root "$STORE" --run-root "$RUN_ROOT" "$@")" \
		screen <keys >/dev/null 2>&1 &
	TTY=$!
	exec {KEYS}>keys
}
type() { printf "$1" >&"$KEYS"; }
screen_has() { grep -q -- "$1" screen; }
hang_up() {
	rc=0
	wait $TTY || rc=$?
	exec {KEYS}>&-
}

t_detach_and_attach() {
	NAME=tty$$
	on_tty run -it --name $NAME $BUSYBOX sh
	until_ok screen_has '#'
	type 'echo on$((1 + 1))\r'
	until_ok screen_has on2
	type '\x10\x11'
	hang_up
	is $rc 0
	state_is running
	on_tty attach --detach-keys ctrl-x,x $NAME
	type 'tty; echo on$((1 + 2))\r'
	until_ok screen_has on3
	screen_has /dev/
	# Half of the keys is the program's after all.
	type '\x18echo on$((2 + 2))\r'
	until_ok screen_has on4
	type '\x18x'
	hang_up
	is $rc 0
	state_is running
	on_tty attach $NAME
	type 'exit 5\r'
	hang_up
	is $rc 5
	irun --detach-keys ctrl- $BUSYBOX true
	is $rc 125
	has "$err" "detach keys"
}

# --- logs --------------------------------------------------------------------------------

t_journald() {
	need python
	irun --log-driver journald $BUSYBOX true
	is $rc 125
	has "$err" journald
	mount -t tmpfs run /run
	mkdir -p /run/systemd/journal
	python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
while True: print(s.recv(65536), flush=True)' >journal &
	until_ok test -S /run/systemd/journal/socket
	bg --log-driver journald --log-opt tag=mine $BUSYBOX sh -c 'echo to out; echo to err >&2'
	until_ok grep -q 'to err' journal
	until_ok grep -q 'to out' journal
	like "$(grep 'to out' journal)" 'PRIORITY=6.*CONTAINER_ID_FULL='"$CID"'.*mine'
	like "$(grep 'to err' journal)" 'PRIORITY=3.*'"$NAME"
	wait_state exited
	run isle logs "$NAME"
	isnt $rc 0
	has "$err" journalctl
	umount -l /run
}

# --- ports --------------------------------------------------------------------------------

# Without modules, which the image lacks: AF_INET6, SOCK_DGRAM, struct sockaddr_in6.
UDP_ECHO='socket(S, 10, 2, 0); bind(S, pack("SnNa16L", 10, 53, 0, "\0" x 16, 0));
	while (1) { $who = recv(S, $b, 100, 0); send(S, $b, 0, $who); }'

# echo_udp FAMILY-ADDRESS PORT: what comes back.
echo_udp() {
	python3 -c '
import socket, sys
a = sys.argv[1]
s = socket.socket(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
for n in range(10):
    try:
        s.sendto(b"hello\n", (a, int(sys.argv[2])))
        print(s.recv(100).decode().strip()); break
    except OSError: pass' "$1" "$2"
}

t_udp_ports() {
	need python
	bg -p 5353:53/udp $DEBIAN perl -e "$UDP_ECHO"
	is "$(isle port "$NAME" | sort | tr '\n' ' ')" "53/udp -> 0.0.0.0:5353 53/udp -> [::]:5353 "
	is "$(echo_udp 127.0.0.1 5353)" hello
	bg -p 5354:53/udp $DEBIAN perl -e "$UDP_ECHO"
	is "$(echo_udp 198.51.100.2 5354)" hello
	bg -p 5355:53/udp $DEBIAN perl -e "$UDP_ECHO"
	is "$(echo_udp 2001:db8:1::2 5355)" hello
}

t_a_bridge_that_is_full() {
	bg_sleep
	local n before
	before=$(ip -o link show master isle0 | wc -l)
	for ((n = before; n < 1023; n++)); do
		echo "tuntap add dev full$n mode tap"
		echo "link set full$n master isle0 group 77"
	done >batch
	ip -batch batch || fail "taps"
	irun $BUSYBOX true
	is $rc 125
	has "$err" "1,023"
	ip link del group 77
	irun $BUSYBOX true
	is $rc 0
}

# --- registries -------------------------------------------------------------------------------

# registry_tls PORT: docker-registry with a certificate of an authority of our own, ./ca.pem.
registry_tls() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ours \
		2>/dev/null
	openssl req -newkey rsa:2048 -nodes -keyout reg.key -out reg.csr -subj /CN=reg 2>/dev/null
	openssl x509 -req -in reg.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out reg.pem -days 2 \
		-extfile <(echo "subjectAltName=IP:198.51.100.2,IP:127.0.0.1") 2>/dev/null
	cat >tls.yml <<-END
		version: 0.1
		storage: {filesystem: {rootdirectory: $PWD/data}}
		http: {addr: "198.51.100.2:$1", tls: {certificate: $PWD/reg.pem, key: $PWD/reg.key}}
	END
	docker-registry serve tls.yml >tls.log 2>&1 &
	TLS=$!
	until_ok nc -z 198.51.100.2 "$1"
}

t_https_and_mirrors() {
	need registry
	local tls=198.51.100.2:5443
	registry_tls 5443
	registry_start
	good isle tag $BUSYBOX $tls/team/box:1
	run isle push -q $tls/team/box:1
	isnt $rc 0
	has "$err" certificate
	mkdir isle
	export XDG_CONFIG_HOME=$PWD
	printf '[registry %s]\ninsecure = yes\n' $tls >isle/registries.conf
	good isle push -q $tls/team/box:1
	good isle rmi $tls/team/box:1
	good isle pull -q $tls/team/box:1
	# A mirror is asked first; one that is not there is passed over.
	good isle tag $BUSYBOX "$REGISTRY/cache/team/only:1"
	good isle push -q "$REGISTRY/cache/team/only:1"
	good isle rmi "$REGISTRY/cache/team/only:1"
	cat >isle/registries.conf <<-END
		default = $tls
		namespace = team
		[registry $tls]
		insecure = yes
		mirror = 127.0.0.1:1/none
		mirror = $REGISTRY/cache
	END
	good isle pull -q only:1
	good isle rmi $tls/team/only:1
	kill $TLS
}

# --- reboots and kills ------------------------------------------------------------------------

# reboot: everything that runs ends, /run is empty, the network is gone; the store stays.
reboot() {
	local p f
	for f in "$STORE"/instances/*/status.json; do
		for p in $(jq 'select(.status == "running") | .keeperPid, .pid' "$f"); do
			kill -9 "$p" || true
			until_ok gone "$p"
		done
	done 2>/dev/null
	RUN_ROOT=$TAP_DIR/run-after-$TAP_CASE
	ip link del isle0
	nft delete table inet isle 2>/dev/null || nft flush ruleset
}

t_system_start_after_a_reboot() {
	bg_sleep --restart always -p 8090:80
	local always=$NAME
	bg_sleep --restart unless-stopped
	local unless=$NAME
	bg_sleep --restart unless-stopped
	good isle stop -t 0 "$NAME"
	local stopped=$NAME
	bg_sleep
	local no=$NAME
	reboot
	good isle system start
	state_is running "$always"
	state_is running "$unless"
	state_is exited "$stopped"
	state_is exited "$no"
	is "$(isle port "$always" 80/tcp | head -1)" 0.0.0.0:8090
	good isle exec "$always" ip addr show eth0
	has "$out" "inet "
	good isle system start
}

t_killed_keeper_is_told() {
	bg_sleep --restart always
	local keeper pid
	keeper=$(jq .keeperPid "$STORE/instances/$CID/status.json")
	kill -9 "$keeper"
	until_ok gone "$keeper"
	is "$(isle ps -a --filter name="$NAME" --format '{{.Status}}' | cut -c 1-2)" Ex
	run isle exec "$NAME" true
	isnt $rc 0
	good isle start "$NAME"
	state_is running
	good isle exec "$NAME" true
	good isle rm -f "$NAME"
	[ ! -e "$STORE/instances/$CID" ]
}

isle_main "$@"
