#!/bin/bash
# What an instance wrote: diff, commit, export, and where the image may go from there.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

have_docker() { docker version >/dev/null 2>&1; }
have_umoci() { command -v umoci >/dev/null; }
config_of() { isle image inspect -f "{{json .Config.$2}}" "$1"; }
id_of() { isle image inspect -f '{{.Id}}' "$1"; }
manifest_of() { isle image inspect -f '{{.Manifest}}' "$1"; }

# tar_list FILE: all that a tar says of its entries, sorted by name; files by their digest.
tar_list() {
	python3 - "$1" <<-'END'
		import hashlib, sys, tarfile
		t = tarfile.open(sys.argv[1])
		for m in sorted(t, key=lambda m: m.name.removeprefix("./").strip("/")):
		    data = hashlib.sha256(t.extractfile(m).read()).hexdigest() if m.isreg() else ""
		    x = sorted((k, v) for k, v in m.pax_headers.items() if "xattr" in k)
		    print("./" + m.name.removeprefix("./").strip("/"), m.type, oct(m.mode), m.uid, m.gid, m.mtime, m.linkname,
		          m.size, m.devmajor, m.devminor, data, x)
	END
}

# Without the files below our mounts, which the start made.
of_the_program() { grep -vE '^(\./)?etc/(hostname|hosts|resolv\.conf) '; }

# What docker diff calls A, C and D, and each kind of file.
CHANGE='set -e
	echo new >/new
	mkdir /dir; echo in >/dir/file; ln /dir/file /dir/hard; ln -s file /dir/soft
	mkfifo /dir/fifo; mknod /dir/null c 1 3; chown 1000:2000 /dir/file; chmod 4755 /dir/file
	echo more >>/etc/passwd
	chmod 600 /etc/group
	rm /bin/noexec
	rm -r /home/ann; mkdir /home/ann; echo again >/home/ann/file
	rm -r /var/tmp; echo "a file now" >/var/tmp
	rm -r /usr/lib
	rm /bin/true; mkdir /bin/true
	touch -d "2001-02-03 04:05:06" /new
	mkdir -p /deep/a/b/c; echo x >/deep/a/b/c/x'

t_diff_lists_what_docker_would() {
	isle run --name dd $BUSYBOX sh -c "$CHANGE"
	run isle diff dd
	sort -k2 >want <<-END
		C /bin
		D /bin/noexec
		C /bin/true
		A /deep
		A /deep/a
		A /deep/a/b
		A /deep/a/b/c
		A /deep/a/b/c/x
		A /dir
		A /dir/fifo
		A /dir/file
		A /dir/hard
		A /dir/null
		A /dir/soft
		C /etc
		C /etc/group
		C /etc/passwd
		C /home
		C /home/ann
		A /home/ann/file
		A /new
		C /usr
		D /usr/lib
		C /var
		C /var/tmp
	END
	is "$(sort -k2 "$T/.out")" "$(cat want)"
}

t_commit_has_exactly_the_instances_files() {
	isle run --name cc $BUSYBOX sh -c "$CHANGE"
	good isle commit cc committed:1
	like "$out" '^sha256:[0-9a-f]{64}$'
	is "$(id_of committed:1)" "$out"
	isle create --name again committed:1 sh -c 'cat /new; ls /bin/true; test ! -e /usr/lib'
	isle export -o a.tar cc
	isle export -o b.tar again
	tar_list a.tar | of_the_program >a
	tar_list b.tar >b
	diff a b
	grep -q '^./dir/hard ' a
	grep -q '^./home/ann/file ' a
	is "$(isle start -a again)" new
	is "$(isle diff again)" "" "diff of the new instance"
}

t_a_layer_holds_the_changes_and_no_more() {
	isle run --name ll $BUSYBOX sh -c "$CHANGE"
	isle commit ll layer:1
	isle save layer:1 --format oci-dir -o layout
	run jq -r '.layers[-1] | .mediaType, .digest' \
		"layout/blobs/sha256/$(manifest_of layer:1 | cut -d: -f2)"
	has "$out" application/vnd.oci.image.layer.v1.tar+gzip
	tar tzf "layout/blobs/sha256/${out##*:}" | sed 's,/$,,' | sort >have
	grep -qx 'bin/.wh.noexec' have
	grep -qx 'usr/.wh.lib' have
	grep -qx 'home/ann/.wh..wh..opq' have
	grep -qx 'var/tmp' have
	grep -qx 'bin/true' have
	# The start made those three; the program did not.
	run grep -E 'etc/(hosts|hostname|resolv.conf)' have
	is "$out" ""
}

t_others_unpack_the_same_files() {
	need umoci
	isle run --name uu $BUSYBOX sh -c "$CHANGE"
	isle commit uu others:1
	isle save others:1 --format oci-dir -o layout
	run jq -r '.manifests[0].annotations."org.opencontainers.image.ref.name"' layout/index.json
	echo "$out"
	umoci unpack --image "layout:$out" bundle
	isle create --name vv others:1
	isle export -o v.tar vv
	tar --format=posix -cf w.tar -C bundle/rootfs .
	tar_list v.tar >v
	tar_list w.tar | sed '/^\.\/\.* /d' >w
	diff v w
}

t_nothing_changed_is_an_image_too() {
	isle run --name nn $BUSYBOX true
	good isle commit nn
	like "$out" '^sha256:[0-9a-f]{64}$'
	is "$(isle run --rm "$out" echo fine)" fine
	is "$(isle images -q --filter dangling=true)" "$(echo "$out" | cut -c 8-19)"
	good isle commit nn
	isle image prune -f
}

t_history_and_the_instances_own_settings() {
	isle run --name hh -e A=1 -u ann -w /tmp -l k=v -v /anonymous -p 127.0.0.1:0:80 \
		--stop-signal INT $BUSYBOX sh -c 'echo > /tmp/x'
	isle commit -a 'Ann <ann@isle.test>' -m 'a message' hh history:1
	run isle history --no-trunc history:1
	has "$(sed -n 2p "$T/.out")" "sh -c echo > /tmp/x"
	has "$(sed -n 2p "$T/.out")" "a message"
	is "$(isle image inspect -f '{{.Author}}' history:1)" "Ann <ann@isle.test>"
	is "$(config_of history:1 Cmd)" '["sh","-c","echo > /tmp/x"]'
	has "$(config_of history:1 Env)" '"A=1"'
	is "$(config_of history:1 User)" '"ann"'
	is "$(config_of history:1 WorkingDir)" '"/tmp"'
	is "$(config_of history:1 Labels)" '{"k":"v"}'
	is "$(config_of history:1 Volumes)" '{"/anonymous":{}}'
	is "$(config_of history:1 ExposedPorts)" '{"80/tcp":{}}'
	is "$(config_of history:1 StopSignal)" '"INT"'
	isle rm -v hh
}

t_changes_are_applied() {
	isle create --name xx -e A=1 $BUSYBOX sh
	isle commit -c 'CMD ["a", "b"]' -c 'ENV A=2 B="3 4"' -c 'EXPOSE 53/udp' \
		-c 'LABEL l=1' -c 'USER 1000:2000' -c 'VOLUME /data' -c 'WORKDIR /srv' \
		-c 'ENTRYPOINT ["echo"]' -c 'STOPSIGNAL QUIT' xx change:1
	is "$(config_of change:1 Cmd)" '["a","b"]'
	is "$(config_of change:1 Entrypoint)" '["echo"]'
	has "$(config_of change:1 Env)" '"A=2"'
	has "$(config_of change:1 Env)" '"B=3 4"'
	is "$(config_of change:1 ExposedPorts)" '{"53/udp":{}}'
	is "$(config_of change:1 Labels)" '{"l":"1"}'
	is "$(config_of change:1 Volumes)" '{"/data":{}}'
	is "$(isle run --rm change:1)" "a b"
	is "$(isle run --rm --entrypoint id change:1 -u)" 1000
	# A command for another entrypoint is taken away, as in a Dockerfile.
	isle commit -c 'ENTRYPOINT ["echo", "one"]' xx change:2
	is "$(config_of change:2 Cmd)" null
	is "$(isle run --rm change:2)" one
	bad 'FROM' isle commit -c 'FROM scratch' xx change:3
	bad 'no such image' isle image inspect change:3
}

t_a_running_instance_is_paused_meanwhile() {
	bg $BUSYBOX sh -c 'while :; do date +%s%N >>/ticks; done'
	isle events --since "$(date +%s)" --until "$(($(date +%s) + 3600))" --filter "container=$NAME" \
		--format '{{.Action}}' >events &
	local pid=$!
	good isle commit "$NAME" running:1
	until_ok grep -qx commit events
	kill $pid
	is "$(grep -Ex 'pause|unpause|commit' events | tr '\n' ' ')" "pause unpause commit "
	state_is running
	in_bg wc -l /ticks
	local n=$out
	ticks_on() { in_bg wc -l /ticks; [ "${out%% *}" -gt "${n%% *}" ]; }
	until_ok ticks_on
	: >events
	isle commit --pause=false "$NAME" running:2
	state_is running
	isle pause "$NAME"
	isle commit "$NAME" running:3
	state_is paused
	isle unpause "$NAME"
	is "$(isle run --rm running:3 test -s /ticks && echo there)" there
}

t_a_commit_that_fails_resumes_the_instance() {
	bg_sleep
	bad 'BOGUS' isle commit -c 'BOGUS x' "$NAME" bogus:1
	state_is running
	in_bg echo goes on
	is "$out" "goes on"
	bad 'no such instance' isle commit nobody x
	bad 'must be lowercase' isle commit "$NAME" 'UPPER/Case'
	state_is running
}

t_image_gone_under_the_instance() {
	isle load -q -i "$IMAGES/busybox.tar"
	isle create --name gg $BUSYBOX true
	isle commit gg other:1
	isle run --name oo other:1 true
	isle rmi -f other:1
	bad 'isle export oo | isle import' isle commit oo other:2
}

t_commit_of_a_commit() {
	isle run --name one $BUSYBOX sh -c 'echo 1 >/one; echo 1 >/both; mkdir /d; echo >/d/x'
	isle commit one chain:1
	isle run --name two chain:1 sh -c 'rm /one; echo 2 >/both; rm -r /d; mkdir /d; echo >/d/y'
	isle commit two chain:2
	is "$(isle run --rm chain:2 sh -c 'cat /both; ls /d; ls /one' 2>/dev/null)" $'2\ny'
	is "$(isle history -q chain:2 | wc -l)" "$(($(isle history -q $BUSYBOX | wc -l) + 2))"
	is "$(isle image inspect -f '{{len .RootFS.Layers}}' chain:2)" 3
}

t_an_export_is_imported() {
	isle run --name ee $BUSYBOX sh -c "$CHANGE"
	isle export ee >e.tar
	good isle import -c 'CMD ["cat", "/new"]' e.tar imported:1
	is "$(isle run --rm imported:1)" new
	isle create --name ff imported:1
	isle export -o f.tar ff
	tar_list e.tar >e
	tar_list f.tar >f
	diff e f
	# By a pipe as well; and a terminal gets none.
	is "$(isle export ee | isle import - imported:2 | cut -c 1-7)" sha256:
	run script -qec "$ISLE --root $STORE --run-root $RUN_ROOT export ee" /dev/null
	isnt $rc 0
	has "$out" "terminal"
}

t_save_and_load_give_the_same_image() {
	isle run --name ss $BUSYBOX sh -c "$CHANGE"
	isle commit ss saved:1
	local id manifest
	id=$(id_of saved:1) manifest=$(manifest_of saved:1)
	isle save -o saved.tar saved:1
	STORE=$PWD/store
	isle load -q -i saved.tar
	is "$(id_of saved:1)" "$id"
	is "$(manifest_of saved:1)" "$manifest"
	is "$(isle run --rm saved:1 cat /new)" new
}

t_push_and_pull_give_the_same_digest() {
	need registry
	registry_start
	isle run --name pp $BUSYBOX sh -c "$CHANGE"
	isle commit pp "$REGISTRY/committed:1"
	isle push -q "$REGISTRY/committed:1"
	local id manifest
	id=$(id_of "$REGISTRY/committed:1") manifest=$(manifest_of "$REGISTRY/committed:1")
	isle export -o p.tar pp
	STORE=$PWD/store
	isle pull -q "$REGISTRY/committed:1"
	is "$(id_of "$REGISTRY/committed:1")" "$id"
	is "$(manifest_of "$REGISTRY/committed:1")" "$manifest"
	isle create --name qq "$REGISTRY/committed:1"
	isle export -o q.tar qq
	tar_list p.tar | of_the_program >p
	tar_list q.tar >q
	diff p q
}

t_the_same_typed_for_docker() {
	need docker
	docker image inspect $BUSYBOX >/dev/null 2>&1 || docker load -q -i "$IMAGES/busybox.tar"
	docker run --name "isle-diff-$$" $BUSYBOX sh -c "$CHANGE"
	docker diff "isle-diff-$$" | sort >docker
	docker rm "isle-diff-$$"
	isle run --name dd $BUSYBOX sh -c "$CHANGE"
	isle diff dd | sort >ours
	diff docker ours
}

isle_main "$@"
