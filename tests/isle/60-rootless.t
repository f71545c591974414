#!/bin/bash
# 60-rootless.t - isle as an ordinary user: ids of /etc/subuid, pasta's network, his own store.
#
# The user is made up: /etc/passwd, /etc/subuid and /etc/subgid, and a /dev/net/tun open to
# everyone, are bound over in the harness's own mount namespace, never edited.
# shellcheck shell=bash
# shellcheck source=tests/lib/isle.sh
. "$(dirname "$(readlink -f "$0")")/../lib/isle.sh"

ME=54322 FIRST=600000
H=$TAP_DIR/home STORE=$TAP_DIR/home/.local/share/isle RUN_ROOT=$TAP_DIR/home/run/isle
USER_PATH=/usr/sbin:/usr/bin:/sbin:/bin

# as_user CMD...: with what a login has, and USER_ENV.
USER_ENV=("XDG_RUNTIME_DIR=$H/run")
as_user() {
	setpriv --reuid $ME --regid $ME --clear-groups --inh-caps=-all \
		env -i PATH="$USER_PATH" HOME="$H" LC_ALL=C "${USER_ENV[@]}" "$@"
}
isle() { as_user "$ISLE" "$@"; }
have_tun() { as_user sh -c ': <>/dev/net/tun' 2>/dev/null; }
have_reach() { as_user test -x "$ISLE"; }
have_uidmap() { have_userns && command -v newuidmap newgidmap >/dev/null; }

subids() { for f in subuid subgid; do echo "$1" >"$TAP_DIR/etc/$f"; done; }

isle_sweep() {
	local all
	subids "islet:$FIRST:65536"
	all=$(isle ps -aq)
	# shellcheck disable=SC2086
	[ -z "$all" ] || isle rm -f -v $all
	isle volume prune -a -f
} >/dev/null 2>&1

make_user() {
	local f
	mkdir -p "$H/run" "$TAP_DIR/etc"
	(cat /etc/passwd; echo "islet:x:$ME:$ME::$H:/bin/sh") >"$TAP_DIR/etc/passwd"
	(cat /etc/group; echo "islet:x:$ME:") >"$TAP_DIR/etc/group"
	subids "islet:$FIRST:65536"
	for f in passwd group subuid subgid; do
		[ -e /etc/$f ] || { echo "1..0 # SKIP needs /etc/$f"; exit 0; }
		mount --bind "$TAP_DIR/etc/$f" /etc/$f
	done
	if [ -c /dev/net/tun ]; then
		mknod -m 666 "$TAP_DIR/tun" c 10 200 && mount --bind "$TAP_DIR/tun" /dev/net/tun
	fi
	chown -R $ME:$ME "$H"
}

answers() { curl -sS -m 5 "http://$1/passwd" | grep -q '^ann:'; }
no_pasta() { [ -z "$(ls "$RUN_ROOT/net/pasta")" ] && ! pgrep -u $ME -f "^pasta.*$RUN_ROOT"; }
# prints WORD ARGS...: isle ARGS has WORD in its output.
prints() { isle "${@:2}" | grep -q "$1"; }
# web [ARGS...]: a server of /etc on port 80.
web() { bg "$@" $BUSYBOX httpd -f -h /etc; }

t_ids_are_the_users_and_his_subordinate_ones() {
	irun --network none $BUSYBOX sh -c 'id -u; cat /proc/self/uid_map; stat -c %u:%g /home/ann'
	is $rc 0
	is "$(head -n 1 <<<"$out")" 0
	like "$out" "0 +$ME +1"
	like "$out" "1 +$FIRST +65536"
	is "$(tail -n 1 <<<"$out")" 1000:1000
	is "$(stat -c %u:%g "$STORE"/layers/*/home/ann | sort -u)" $((FIRST + 999)):$((FIRST + 999))
	irun --network none -u ann $BUSYBOX id
	has "$out" "uid=1000(ann) gid=1000(ann)"
	has "$out" "2000(more)"
}

t_published_port() {
	need pasta tun
	web -p 8080:80 -p 127.0.0.1:8081:80
	until_ok answers 127.0.0.1:8080
	answers 198.51.100.2:8080
	answers 127.0.0.1:8081
	bad "" curl -sS -m 5 http://198.51.100.2:8081/passwd
	good isle port "$NAME" 80
	has "$out" 0.0.0.0:8080
	has "$out" 127.0.0.1:8081
	in_bg ip -o addr show dev eth0
	has "$out" 198.51.100.2/24
	in_bg sh -c 'grep -c "127.0.1.1.$(hostname)" /etc/hosts'
	is "$out" 1
}

t_port_is_free_again_after_stop_and_rm() {
	need pasta tun
	web -p 8080:80
	until_ok answers 127.0.0.1:8080
	good isle restart -t 1 "$NAME"
	until_ok answers 127.0.0.1:8080
	good isle stop -t 1 "$NAME"
	until_ok port_free 8080
	until_ok no_pasta
	good isle start "$NAME"
	until_ok answers 127.0.0.1:8080
	good isle rm -f "$NAME"
	port_free 8080
	until_ok no_pasta
	good isle run --rm -p 8080:80 $BUSYBOX true
}

t_detached_with_rm_takes_all_back() {
	need pasta tun
	bg --rm -p 8080:80 $BUSYBOX sleep 0.2
	until_ok no_pasta
	until_ok port_free 8080
	until_ok test ! -e "$STORE/instances/$CID"
	is "$(isle ps -aq)" ""
}

t_port_and_name_taken() {
	need pasta tun
	web -p 8080:80
	bad "is already allocated by instance $NAME" isle run --rm -p 8080:80 $BUSYBOX true
	bad "the name \"$NAME\" is in use" isle run --rm --name "$NAME" $BUSYBOX true
	daemon ncat ncat -l -k 127.0.0.1 8090
	until_ok nc -z 127.0.0.1 8090
	bad "address already in use" isle run --rm -p 8090:80 $BUSYBOX true
	bad "ip_unprivileged_port_start" isle run --rm -p 80:80 $BUSYBOX true
	is "$(isle ps -aq | grep -c .)" 1
}

t_network_modes() {
	need pasta tun
	irun --network none $BUSYBOX ip -o link
	is "$(grep -c . <<<"$out")" 1 "devices"
	irun --network host $BUSYBOX ip -o link
	has "$out" uplink0
	bg_sleep
	irun --network "container:$NAME" $BUSYBOX ip -o addr
	has "$out" 198.51.100.2/24
	bad "network nosuch not found" isle run --rm --network nosuch $BUSYBOX true
	bad "networks of one's own need root" isle network create mine
	is "$(grep -c . <<<"$err")" 1 "lines of the refusal"
}

t_network_disconnect_and_connect() {
	need pasta tun
	web -p 8080:80
	until_ok answers 127.0.0.1:8080
	good isle network disconnect bridge "$NAME"
	in_bg ip -o link
	hasnt "$out" eth0
	port_free 8080
	good isle network connect bridge "$NAME"
	in_bg ip -o link
	has "$out" eth0
}

t_first_commands_at_once_share_a_namespace() {
	local i pids=()
	for i in 1 2 3 4 5 6; do
		isle run -d --name "first$i" --network none $BUSYBOX sleep 1000 >"$T/$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || fail "$(cat "$T"/[1-6])"; done
	is "$(for i in 1 2 3 4 5 6; do
		readlink "/proc/$(inspect '{{.State.Pid}}' first$i)/ns/user"
	done | sort -u | grep -c .)" 1 "user namespaces"
	for i in 1 2 3 4 5 6; do
		good isle exec -u ann "first$i" id -u
		is "$out" 1000
	done
	good isle rm -f first1 first2 first3 first4 first5 first6
	until_ok no_strays
}

t_later_commands_join_the_keepers_namespace() {
	bg --network none $BUSYBOX sh -c 'echo said; exec sleep 1000'
	in_bg sh -c 'echo inside >/tmp/in; chown ann /tmp/in'
	is $rc 0
	echo outside >"$H/out"
	chown $ME "$H/out"
	good isle cp "$H/out" "$NAME:/tmp/out"
	in_bg cat /tmp/out
	is "$out" outside
	good isle cp "$NAME:/tmp/in" "$H/in"
	is "$(cat "$H/in")" inside
	is "$(stat -c %u "$H/in")" $ME
	until_ok prints said logs "$NAME"
	good isle diff "$NAME"
	has "$out" "A /tmp/in"
	good isle top "$NAME"
	has "$out" "sleep 1000"
	good isle stats --no-stream --format '{{.PIDs}}' "$NAME"
	is "$out" 1
	good isle rename "$NAME" "$NAME-new"
	good isle kill "$NAME-new"
	good isle wait "$NAME-new"
	is "$out" 137
	good isle rm "$NAME-new"
}

t_commit_push_pull_keep_owners() {
	need registry
	registry_start
	bg --network none $BUSYBOX sleep 1000
	in_bg sh -c 'echo mine >/home/ann/f; chown ann:more /home/ann/f; chmod 640 /home/ann/f'
	good isle commit "$NAME" "$REGISTRY/x:1"
	good isle push "$REGISTRY/x:1"
	good isle rm -f "$NAME"
	good isle rmi "$REGISTRY/x:1"
	bad "no such image" isle image inspect "$REGISTRY/x:1"
	good isle pull "$REGISTRY/x:1"
	irun --network none "$REGISTRY/x:1" stat -c '%u:%g %a' /home/ann/f
	is "$out" "1000:2000 640"
	irun --network none -u ann "$REGISTRY/x:1" cat /home/ann/f
	is "$out" mine
	good isle rmi "$REGISTRY/x:1"
}

t_volumes_and_binds() {
	irun --network none -v data:/home/ann -u ann $BUSYBOX sh -c 'echo v >/home/ann/v'
	is $rc 0
	irun --network none -v data:/mnt/data $BUSYBOX stat -c %u /mnt/data /mnt/data/v
	is "$out" "1000
1000"
	good isle volume rm data
	as_user mkdir "$H/shared"
	irun --network none -v "$H/shared:/s" $BUSYBOX sh -c 'touch /s/root; touch /s/ann; chown ann /s/ann'
	is "$(stat -c %u "$H/shared/root" "$H/shared/ann")" "$ME
$((FIRST + 999))"
	bad "" isle run --rm --network none -v /etc:/e $BUSYBOX touch /e/x
}

t_devices_and_the_hosts_processes() {
	irun --network none --device /dev/null:/dev/nothing $BUSYBOX sh -c 'echo x >/dev/nothing && stat -c %t:%T /dev/nothing'
	is "$out" 1:3
	irun --network none --pid host $BUSYBOX sh -c "test -d /proc/$$ && echo seen"
	is "$out" seen
}

t_limits_are_refused_where_no_group_is_the_users() {
	irun --network none $BUSYBOX true
	is $rc 0
	bad "limits" isle run --rm --network none -m 64m $BUSYBOX echo started
	hasnt "$out" started
	has "$err" "delegated"
	is "$(grep -c . <<<"$err")" 1 "lines"
	is "$(isle ps -aq)" ""
	bg_sleep --network none
	bad "no cgroup to freeze" isle pause "$NAME"
	bad "" isle update --cpus 1 "$NAME"
}

t_system_and_doctor() {
	need pasta uidmap
	good isle system df
	good isle system check
	is "$out" whole
	good isle run -d --network none $BUSYBOX true
	until_ok prints Exited ps -a
	good isle system prune -f
	is "$(isle ps -aq)" ""
	good isle info --format '{{.Rootless}}'
	is "$out" true
	run isle doctor
	like "$out" "ok +ordinary users"
	like "$out" "ok +store's marks"
	subids "someone:1:1"
	run isle doctor
	like "$out" "warn +ordinary users"
	has "$out" "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 islet"
}

t_without_a_subuid_line() {
	subids ""
	irun --network none $BUSYBOX id -u
	is "$out" 0
	bad "as root: usermod --add-subuids" isle run --rm --network none -u ann $BUSYBOX id
	is "$(grep -c . <<<"$err")" 1 "lines"
	bad "home/ann" as_user "$ISLE" --root "$H/alone" --run-root "$H/run/alone" load -i "$IMAGES/busybox.tar"
	has "$err" "its owner 1000:1000 is not among this user's ids"
}

t_missing_programs_are_named() {
	need uidmap
	mkdir "$T/bin"
	USER_PATH=$T/bin
	run isle run --rm --network none $BUSYBOX true
	isnt $rc 0
	has "$err" "apt-get install uidmap"
	is "$(grep -c . <<<"$err")" 1 "lines"
	USER_PATH=/usr/sbin:/usr/bin:/sbin:/bin
	ln -s "$(command -v newuidmap)" "$(command -v newgidmap)" "$T/bin"
	USER_PATH=$T/bin
	run isle run --rm $BUSYBOX true
	isnt $rc 0
	has "$err" "apt-get install passt"
	is "$(grep -c . <<<"$err")" 1 "lines"
}

t_without_XDG_RUNTIME_DIR() {
	local dir=/tmp/isle-$ME
	! [ -e /run/user/$ME ] || dir=/run/user/$ME/isle
	[ ! -e "$dir" ] || fail "$dir is there already"
	trap 'rm -rf /tmp/isle-'$ME EXIT
	USER_ENV=()
	good isle run -d --name "away$$" --network none $BUSYBOX sleep 1000
	[ -S "$dir/keepers/$out" ] || fail "no keeper below $dir"
	good isle exec "away$$" id -u
	is "$out" 0
	good isle rm -f "away$$"
	rm -rf "$dir"
	mkdir "$dir"
	bad "is not this user's own directory" isle ps
}

t_killed_keeper_is_cleaned_after() {
	need pasta tun
	web -p 8080:80
	until_ok answers 127.0.0.1:8080
	kill -9 "$(sed 's/.*"keeperPid": *\([0-9]*\).*/\1/' "$STORE/instances/$CID/status.json")"
	good isle rm -f "$NAME"
	until_ok no_pasta
	port_free 8080
	until_ok no_strays
	is "$(ls "$RUN_ROOT/keepers" "$RUN_ROOT/net/pasta" "$STORE/instances" | grep -v :)" ""
}

have_root || { echo "1..0 # SKIP needs root, to make up a user"; exit 0; }
command -v newuidmap newgidmap setpriv >/dev/null && unshare -U true 2>/dev/null ||
	{ echo "1..0 # SKIP needs uidmap, setpriv and user namespaces"; exit 0; }
make_user
have_reach || { echo "1..0 # SKIP needs a build that other users can reach"; exit 0; }
isle_main "$@"
