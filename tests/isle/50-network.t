#!/bin/bash
# 50-network.t - networks, in namespaces of the test's own: "host" is the one this file runs
# in, "world" is a neighbour of it, instances are made by net_drive without a keeper.
if [ -z "${ISLE_TEST_NETNS-}" ] && [ "$(id -u)" = 0 ]; then
	export ISLE_TEST_NETNS=1
	exec unshare -n bash "$0" "$@"
fi
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

have_drive() { [ -x "$DRIVE" ] && [ -x "$NFT" ]; }
have_net() { have_root && have_drive && have_ip && command -v python3 >/dev/null; }
for d in "$ISLE_BUILD"/{main/,}; do
	DRIVE=${d}tests/unit/net_drive NFT=${d}src/cli/nft/isle-nft
	[ ! -x "$DRIVE" ] || break
done

nd() { "$DRIVE" "$T/d" "$NFT" "$@"; }

# space NAME: a namespace held by a process, its pid in $NAME.
space() {
	unshare -n sleep 1000 &
	declare -g "$1=$!"
	until_ok apart $!
}
apart() { [ "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$1/ns/net")" ]; }
within() { nsenter -t "$1" -n "${@:2}"; }

# A server on PORT of a namespace, TCP or UDP: it answers with the address of who asks.
serve() {
	within "$1" python3 -c '
import socket, sys
udp, port = sys.argv[1] == "udp", int(sys.argv[2])
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", port))
if not udp: s.listen(8)
while True:
    if udp:
        _, who = s.recvfrom(100)
        s.sendto(who[0].encode(), who)
    else:
        c, who = s.accept()
        c.sendall(who[0].encode()); c.close()
' "$2" "$3" &
	until_ok served "$1" "$2" "$3"
}
served() { within "$1" ss -Hln${2:0:1} "sport = :$3" | grep -q .; }

# ask [tcp|udp] ADDRESS PORT: the answer, or "no".  A busy machine gets $TRIES of them; where
# no answer is right, one try is enough.
ask() {
	python3 -c '
import socket, sys, time
udp, a, p = sys.argv[1] == "udp", sys.argv[2], int(sys.argv[3])
f = socket.AF_INET6 if ":" in a else socket.AF_INET
for n in range(int(sys.argv[4])):
    s = socket.socket(f, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    s.settimeout(1.5)
    try:
        s.connect((a, p))
        if udp: s.send(b"?")
        print(s.recv(100).decode().replace("::ffff:", ""))
        break
    except OSError:
        time.sleep(0.1 if n else 0)
else:
    print("no")
' "$1" "$2" "$3" "${TRIES:-5}"
}
ask_from() { nsenter -t "$1" -n bash -c "$(declare -f ask); ask \"\$@\"" ask "${@:2}"; }

# The host with an uplink to $WORLD; nothing of isle yet.
host() {
	need net
	mkdir -p "$T/d/instances"
	# What an earlier case left, as it ended in the middle.
	local l
	for l in $(ours); do ip link del "$l" 2>/dev/null || true; done
	nft flush ruleset
	ip link set lo up
	space WORLD
	ip link del up0 2>/dev/null || true
	ip link add up0 type veth peer name w0 netns "$WORLD"
	ip addr add 198.51.100.1/24 dev up0
	ip -6 addr add 2001:db8::1/64 dev up0 nodad
	ip link set up0 up
	within "$WORLD" ip addr add 198.51.100.9/24 dev w0
	within "$WORLD" ip -6 addr add 2001:db8::9/64 dev w0 nodad
	within "$WORLD" ip link set w0 up
	within "$WORLD" ip route add default via 198.51.100.1
}
# instance NAME NETWORK [PLAN...]: its namespace in $NAME, its address in $ADDR, $ADDR6.
instance() {
	space "$1"
	nd plan "$1" "$1" "${@:2}" >"$T/plan" || fail "plan $1: $(cat "$T/plan")"
	read -r ADDR ADDR6 IFNAME PORTS <"$T/plan"
	[ "$2" = bridge ] || nd hosts "$1"
	nd connect "$1" "${!1}"
}
ours() { ip -o link | grep -oE ' (isle|iv)[^:@]*' || true; }
all_gone() {
	[ -z "$(ours)" ] && ! nft list tables | grep -q isle &&
		[ -z "$(ls -A "$T/d/run/bridges")$(ls -A "$T/d/run/links")" ]
}

t_neighbours_reach_each_other() {
	host
	instance one bridge
	is "$IFNAME" eth0
	one4=$ADDR one6=$ADDR6
	serve "$one" tcp 80
	instance two bridge
	is "$(ask_from "$two" tcp "$one4" 80)" "$ADDR" "the source is kept"
	is "$(ask_from "$two" tcp "$one6" 80)" "$ADDR6" "the source is kept"
	is "$(ask tcp "$one4" 80)" "$(ip -4 -o addr show isle0 | grep -oE '[0-9.]+\.1')" "from the host"
}

t_instances_reach_the_world_as_the_host() {
	host
	serve "$WORLD" tcp 7
	instance one bridge
	is "$(ask_from "$one" tcp 198.51.100.9 7)" 198.51.100.1
	is "$(ask_from "$one" tcp 2001:db8::9 7)" 2001:db8::1
}

t_a_published_port_is_answered_from_everywhere() {
	host
	instance one bridge 8080:80/tcp 5353:53/udp
	local me=$ADDR
	serve "$one" tcp 80
	serve "$one" udp 53
	instance two bridge
	isnt "$(ask tcp 127.0.0.1 8080)" no
	isnt "$(ask udp 127.0.0.1 5353)" no
	isnt "$(ask tcp 198.51.100.1 8080)" no
	isnt "$(ask tcp 2001:db8::1 8080)" no
	is "$(ask_from "$WORLD" tcp 198.51.100.1 8080)" 198.51.100.9 "the source is kept"
	is "$(ask_from "$WORLD" udp 198.51.100.1 5353)" 198.51.100.9 "the source is kept"
	is "$(ask_from "$WORLD" tcp 2001:db8::1 8080)" 2001:db8::9 "the source is kept"
	isnt "$(ask_from "$two" tcp 198.51.100.1 8080)" no "a neighbour"
	isnt "$(ask_from "$one" tcp 198.51.100.1 8080)" no "itself"
	isnt "$(ask_from "$one" udp 198.51.100.1 5353)" no "itself"
	is "$(TRIES=1 ask_from "$WORLD" tcp "$me" 80)" no "not published at its own address"
}

t_a_host_address_of_a_port_is_the_only_one() {
	host
	instance one bridge 127.0.0.1/8080:80/tcp 198.51.100.1/8081:80/tcp
	serve "$one" tcp 80
	isnt "$(ask tcp 127.0.0.1 8080)" no
	is "$(TRIES=1 ask tcp 198.51.100.1 8080)" no
	is "$(TRIES=1 ask_from "$WORLD" tcp 198.51.100.1 8080)" no
	isnt "$(ask_from "$WORLD" tcp 198.51.100.1 8081)" no
	is "$(TRIES=1 ask tcp 127.0.0.1 8081)" no
	run nd plan other other bridge ::1/9000:80/tcp
	has "$err" "::1"
}

t_a_taken_port_is_refused_by_name() {
	host
	instance one bridge 8080:80/tcp
	run nd plan two two bridge 127.0.0.1/8080:80/tcp
	is "$rc" 1
	has "$err" "already allocated by instance one"
	serve $$ tcp 8090
	run nd plan two two bridge 8090:80/tcp
	is "$rc" 1
	has "$err" "address already in use"
	run nd plan two two bridge 203.0.113.1/8091:80/tcp
	is "$rc" 1
	has "$err" "203.0.113.1"
}

t_networks_are_apart() {
	host
	good nd create red
	good nd create dark internal
	serve "$WORLD" tcp 7
	instance one bridge 8080:80/tcp
	local one4=$ADDR
	serve "$one" tcp 80
	instance two red
	is "$(TRIES=1 ask_from "$two" tcp "$one4" 80)" no
	is "$(ask_from "$two" tcp 198.51.100.9 7)" 198.51.100.1
	isnt "$(ask_from "$two" tcp 198.51.100.1 8080)" no "what is published"
	serve "$two" tcp 80
	is "$(TRIES=1 ask_from "$one" tcp "$ADDR" 80)" no
	instance three dark
	local three4=$ADDR
	serve "$three" tcp 80
	is "$(TRIES=1 ask_from "$three" tcp 198.51.100.9 7)" no "an internal network leads nowhere"
	is "$(TRIES=1 ask_from "$one" tcp "$three4" 80)" no
	instance four dark
	is "$(ask_from "$four" tcp "$three4" 80)" "$ADDR"
}

t_instances_cannot_reach_the_hosts_loopback() {
	host
	instance one bridge
	python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 8765)); s.listen(1)
while True: s.accept()' &
	until_ok served $$ tcp 8765
	within "$one" ip route add 127.0.0.2/32 via "${ADDR%.*}.1" 2>/dev/null || true
	within "$one" ip addr del 127.0.0.1/8 dev lo
	within "$one" ip route add table local 127.0.0.1 via "${ADDR%.*}.1" dev eth0 2>/dev/null || true
	within "$one" sysctl -qw net.ipv4.conf.all.route_localnet=1
	is "$(TRIES=1 ask_from "$one" tcp 127.0.0.1 8765)" no
}

t_names_on_a_network_of_ones_own() {
	host
	good nd create red
	instance one red alias=first
	local one4=$ADDR
	instance two red
	has "$(cat "$T/d/instances/two/hosts")" "$one4"$'\t'"one first"
	has "$(cat "$T/d/instances/one/hosts")" "$ADDR"$'\t'"two"
	good nd disconnect two
	hasnt "$(cat "$T/d/instances/one/hosts")" $'\ttwo'
	good nd disconnect one red
	hasnt "$(cat "$T/d/instances/one/hosts")" first
}

t_connect_and_disconnect_while_it_runs() {
	host
	good nd create red
	instance one bridge
	instance two red
	local two4=$ADDR
	serve "$two" tcp 80
	is "$(TRIES=1 ask_from "$one" tcp "$two4" 80)" no
	good nd plan one one red
	good nd connect one "$one"
	good nd connect one "$one"
	isnt "$(ask_from "$one" tcp "$two4" 80)" no
	has "$(within "$one" ip route)" "dev eth0"
	good nd disconnect one red
	hasnt "$(within "$one" ip -br link)" eth1
	run nd disconnect one red
	is "$rc" 1
	has "$err" "is not on network red"
}

t_all_is_gone_after_the_last() {
	host
	good nd create red
	instance one bridge 8080:80/tcp
	instance two red
	kill -9 "$one" "$two"
	good nd disconnect one
	good nd disconnect two
	until_ok all_gone
	good nd rm red
	is "$(nd describe one | jq length)" 0
}

t_settle_removes_at_once() {
	host
	instance one bridge 8080:80/tcp
	kill -9 "$one"
	good nd disconnect one
	good nd settle
	all_gone || fail "left: $(ours) $(nft list tables)"
}

t_other_tables_are_not_touched() {
	host
	nft add table inet mine
	nft add chain inet mine c
	instance one bridge 8080:80/tcp
	kill -9 "$one"
	good nd disconnect one
	good nd settle
	is "$(nft list tables)" "table inet mine"
	nft delete table inet mine
}

t_a_flushed_ruleset_is_made_again() {
	host
	instance one bridge 8080:80/tcp
	serve "$one" tcp 80
	nft flush ruleset
	instance two bridge 8081:80/tcp
	isnt "$(ask_from "$WORLD" tcp 198.51.100.1 8080)" no
	nft flush ruleset
	good nd reconcile
	isnt "$(ask_from "$WORLD" tcp 198.51.100.1 8080)" no
	nft flush ruleset
	good nd disconnect two
	good nd disconnect one
	good nd settle
}

t_a_foreign_device_of_that_name_is_refused() {
	host
	ip link add isle0 type veth peer name isle1
	space one
	good nd plan one one bridge
	run nd connect one "$one"
	is "$rc" 1
	has "$err" "is no bridge"
	ip link del isle0
}

t_a_subnet_that_the_host_routes_to_is_not_taken() {
	host
	ip addr add 172.29.5.1/24 dev up0
	ip addr add 10.208.0.1/24 dev up0
	like "$(nd inspect bridge | jq -r '.IPAM.Config[0].Subnet')" '^172\.28\.'
	good nd create red
	is "$(nd inspect red | jq -r '.IPAM.Config[0].Subnet')" 10.208.4.0/22
	run nd create blue subnet=198.51.100.128/25
	is "$rc" 1
	has "$err" "198.51.100.0/24"
}

t_killed_anywhere_connect_leaves_nothing_for_good() {
	host
	need strace
	local n
	for n in 1 2 3 5 8 11; do
		space one
		good nd plan one one bridge 8080:80/tcp
		strace -qq -f -o /dev/null -e trace=sendto,sendmsg,rename,renameat,execve \
			-e inject=sendto,sendmsg,rename,renameat,execve:signal=KILL:when=$n \
			"$DRIVE" "$T/d" "$NFT" connect one "$one" >/dev/null 2>&1 || true
		kill -9 "$one"
		good nd disconnect one
		good nd settle
		all_gone || fail "after kill $n: $(ours) $(nft list tables)"
	done
}

tap_main "$@"
