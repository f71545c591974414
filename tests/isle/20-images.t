#!/bin/bash
# Images as people type them: list, tag, rmi, history, save, load, import, prune, check.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

have_skopeo() { command -v skopeo >/dev/null; }
id_of() { isle image inspect -f '{{.Id}}' "$1"; }
manifest_of() { isle image inspect -f '{{.Manifest}}' "$1"; }
# A store of this case alone, with busybox in it.
own_store() {
	STORE=$PWD/store
	isle load -q -i "$IMAGES/busybox.tar"
}
gone() { ! isle image inspect "$1" >/dev/null 2>&1; }

t_images_lists_what_is_there() {
	run isle images
	is $rc 0
	has "$out" "REPOSITORY"
	has "$out" "isle.test/busybox"
	is "$(isle images -q $BUSYBOX)" "$(id_of $BUSYBOX | cut -c 8-19)"
	is "$(isle images --no-trunc -q $BUSYBOX)" "$(id_of $BUSYBOX)"
	is "$(isle images --format '{{.Repository}}:{{.Tag}}' isle.test/busybox)" $BUSYBOX
	is "$(isle images --format '{{.Tag}}' --filter 'reference=*/busy*')" 1
	is "$(isle images -q --filter dangling=true)" ""
	is "$(isle images -q --filter label=no-such-label)" ""
	run isle images --filter colour=red
	isnt $rc 0
	has "$err" "dangling"
	run isle images --filer dangling=true
	has "$err" "did you mean --filter"
}

t_tag_and_rmi_of_names() {
	own_store
	isle tag $BUSYBOX local
	isle tag local local:2
	is "$(id_of local:2)" "$(id_of $BUSYBOX)"
	run isle rmi local:2
	is "$out" "Untagged: local:2"
	run isle rmi "$(isle images -q local)"
	is $rc 1
	has "$err" "must be forced"
	isle rmi local
	run isle rmi $BUSYBOX
	has "$out" "Deleted: sha256:"
	is "$(find "$STORE/blobs" -type f)" "" "blobs"
	is "$(ls "$STORE/layers")" "" "layers"
	run isle rmi $BUSYBOX
	is $rc 1
	has "$err" "no such image: $BUSYBOX"
	run isle rmi -f $BUSYBOX
	is $rc 0
	run isle tag nowhere x
	has "$err" "no such image: nowhere"
}

t_rmi_of_an_image_in_use() {
	own_store
	isle create --name user $BUSYBOX true
	run isle rmi $BUSYBOX
	is $rc 1
	has "$err" "must be forced"
	isle rmi -f $BUSYBOX
	gone $BUSYBOX
	# Its layers stay below the instance.
	good isle start -a user
	isle rm user
	isle image prune -f
	is "$(ls "$STORE/layers")" "" "layers"
	isle load -q -i "$IMAGES/busybox.tar"
	isle run -d --name user $BUSYBOX sleep 1000
	run isle rmi -f $BUSYBOX
	has "$err" "cannot be forced"
	isle rm -f user
}

t_a_name_moves_and_leaves_a_dangling_image() {
	own_store
	printf x >file
	tar -cf a.tar file
	printf y >file
	tar -cf b.tar file
	isle import a.tar moving
	old=$(id_of moving)
	isle import b.tar moving
	isnt "$(id_of moving)" "$old"
	is "$(isle images --no-trunc -q -f dangling=true)" "$old"
	run isle image prune -f
	has "$out" "deleted: $old"
	has "$out" "Total reclaimed space:"
	gone "$old"
	id_of $BUSYBOX >/dev/null
	isle image prune -a -f
	is "$(isle images -q)" ""
}

t_history_and_inspect() {
	run isle history --no-trunc --format '{{.ID}}' $BUSYBOX
	has "$out" "$(id_of $BUSYBOX)"
	run isle image inspect -f '{{.Os}} {{.RootFS.Type}} {{len .RootFS.Layers}}' $BUSYBOX
	is "$out" "linux layers 1"
	is "$(isle inspect --type image -f '{{.Id}}' $BUSYBOX)" "$(id_of $BUSYBOX)"
	run isle image inspect no-such
	is $rc 1
	has "$err" "no such image: no-such"
}

t_save_and_load_keep_every_digest() {
	own_store
	isle tag $BUSYBOX short:1
	manifest=$(manifest_of $BUSYBOX) id=$(id_of $BUSYBOX)
	isle save -o both.tar $BUSYBOX short:1
	isle save $BUSYBOX | gzip >piped.tar.gz
	isle save --format oci-dir -o layout short:1
	for what in both.tar piped.tar.gz layout oci:layout:1; do
		STORE=$PWD/store-${what//\//-}
		run isle load -i "$what"
		is $rc 0 "load of $what: $err"
		is "$(isle images --no-trunc -q | sort -u)" "$id" "$what"
		is "$(manifest_of "$id")" "$manifest" "$what"
	done
	STORE=$PWD/store-stdin
	is "$(isle load <piped.tar.gz)" "Loaded image: $BUSYBOX"
	is "$(isle run --rm --network none $BUSYBOX echo works)" works
	run isle save -o nothing.tar no-such
	isnt $rc 0
	[ ! -e nothing.tar ]
	run isle save
	isnt $rc 0
}

t_others_read_what_save_writes() {
	need skopeo
	isle save -o both.tar $BUSYBOX
	isle save --format oci-dir -o layout $BUSYBOX
	for what in docker-archive:both.tar oci-archive:both.tar oci:layout; do
		run skopeo inspect --config "$what"
		is $rc 0 "$what: $err"
	done
	is "$(skopeo inspect --format '{{.Digest}}' oci:layout)" "$(manifest_of $BUSYBOX)"
	# And the reverse: what others write is loaded.
	skopeo copy -q oci:layout docker-archive:theirs.tar:h.test/theirs:1
	STORE=$PWD/store
	is "$(isle load -i theirs.tar)" "Loaded image: h.test/theirs:1"
	is "$(isle run --rm --network none h.test/theirs:1 echo works)" works
}

t_import_with_changes() {
	own_store
	mkdir -p root/bin
	cp "$(command -v busybox)" root/bin/busybox
	ln -s busybox root/bin/sh
	tar -C root -cJf plain.xz . 2>/dev/null
	tar -C root -czf root.tgz .
	run isle import -c 'CMD echo of cmd $GREETING' -c 'ENV GREETING=hello' -m why root.tgz made:1
	is $rc 0 "$err"
	is "$(isle run --rm --network none made:1)" "of cmd hello"
	is "$(isle history --format '{{.Comment}}' made:1)" why
	run isle import -c 'RUN x' root.tgz made:2
	has "$err" "RUN x"
	gone made:2
	run isle import - <root.tgz
	is "$out" "$(id_of "$out")"
}

t_bad_archives_are_refused() {
	own_store
	before=$(isle images --no-trunc -q)
	isle save -o good.tar $BUSYBOX
	head -c 100000 good.tar >cut.tar
	echo text >text.tar
	mkdir flip && tar -C flip -xf good.tar
	big=$(find flip/blobs -type f -size +100k)
	printf X | dd of="$big" bs=1 seek=5000 conv=notrunc status=none
	tar -C flip -cf flip.tar .
	mkdir empty && tar -C empty -cf empty.tar .
	for f in cut text flip empty no-such; do
		STORE=$PWD/store-$f
		run isle load -i $f.tar
		is $rc 1 "$f"
		is "$(wc -l <<<"$err")" 1 "lines of $f: $err"
		has "$err" "$f.tar"
		is "$(isle images -q)" "" "$f"
	done
	STORE=$PWD/store-layout
	run isle load -i flip
	is $rc 1
	has "$err" "has digest"
	STORE=$PWD/store
	is "$(isle images --no-trunc -q)" "$before"
}

t_two_loads_of_one_image_at_once() {
	STORE=$PWD/store
	for _ in 1 2 3 4; do
		isle load -q -i "$IMAGES/busybox.tar" &
		pids="${pids-} $!"
	done
	for p in $pids; do wait "$p"; done
	is "$(isle system check --content)" whole
	is "$(ls "$STORE/tmp")" lock
}

t_a_killed_load_loses_nothing_and_is_swept() {
	own_store
	before=$(isle images --no-trunc -q)
	for i in 0.005 0.01 0.02 0.03 0.05 0.08; do
		timeout -s KILL $i "$ISLE" --root "$STORE" --run-root "$RUN_ROOT" load -q -i "$IMAGES/debian.tar" || :
		id_of $BUSYBOX >/dev/null
	done
	isle system check --content >/dev/null
	is "$(find "$STORE/tmp" -name '*.layer' -o -name '*.work')" ""
	isle load -q -i "$IMAGES/debian.tar"
	isle image inspect $DEBIAN >/dev/null
	has "$(isle images --no-trunc -q)" "$before"
}

t_check_names_what_is_torn() {
	own_store
	is "$(isle system check)" whole
	layer=$(echo "$STORE"/layers/*)
	rm -rf "$layer"
	run isle system check
	is $rc 1
	has "$out" "image $BUSYBOX: layer sha256:${layer##*/} is missing"
	# Loading it again mends it.
	isle load -q -i "$IMAGES/busybox.tar"
	is "$(isle system check)" whole
	big=$(find "$STORE/blobs" -type f -size +100k)
	printf X | dd of="$big" bs=1 seek=5000 conv=notrunc status=none
	is "$(isle system check)" whole
	run isle system check --content
	is $rc 1
	has "$out" "blob sha256:${big##*/} is torn"
	isle load -q -i "$IMAGES/busybox.tar"
	is "$(isle system check --content)" whole
	mkdir "$STORE/tmp/x.work"
	run isle system check
	is $rc 0
	has "$out" mended
}

t_a_full_disk_is_one_line() {
	need root
	mkdir small
	mount -t tmpfs -o size=2m none small
	STORE=$PWD/small/store
	run isle load -q -i "$IMAGES/debian.tar"
	is $rc 1
	has "$err" "no space left"
	is "$(wc -l <<<"$err")" 1
	is "$(isle images -q)" ""
	run isle image prune -f
	is $rc 0
	umount small
}

t_registries_conf() {
	export XDG_CONFIG_HOME=$PWD/config
	mkdir -p config/isle
	printf 'default = 127.0.0.1:1\n[registry 127.0.0.1:1]\ninsecur = yes\n' >config/isle/registries.conf
	run isle pull short
	isnt $rc 0
	has "$err" 'registries.conf:3: unknown key "insecur"; did you mean "insecure"?'
	printf 'default = 127.0.0.1:1\nnamespace = library\n' >config/isle/registries.conf
	own_store
	isle tag $BUSYBOX 127.0.0.1:1/library/tool:latest
	# Listed and found as it is typed.
	is "$(isle images --format '{{.Repository}}' tool)" tool
	is "$(id_of tool)" "$(id_of $BUSYBOX)"
	isle rmi tool
	gone tool
	rm config/isle/registries.conf
	run isle pull short
	has "$err" registries.conf
}

isle_main "$@"
