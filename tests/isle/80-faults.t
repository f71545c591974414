#!/bin/bash
# Bad input and faults of the host: one clear line each, and nothing lost.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

one_line() { is "$(printf '%s\n' "$err" | wc -l)" 1 "lines on stderr: $err"; }

t_a_full_disk() {
	need root
	truncate -s 24M disk.img
	mkfs.ext4 -q -m 0 disk.img
	mkdir full
	mount -o loop disk.img full
	dd if=/dev/zero of=full/filler bs=1M count=20 2>/dev/null || true
	run "$ISLE" --root "$T/full/store" --run-root "$T/run" load -q -i "$IMAGES/debian.tar"
	[ $rc != 0 ] || fail "it fitted: $(df full)"
	has "$err" "no space left on device"
	one_line
	rm full/filler
	good "$ISLE" --root "$T/full/store" --run-root "$T/run" system check
	good "$ISLE" --root "$T/full/store" --run-root "$T/run" load -q -i "$IMAGES/busybox.tar"
	run "$ISLE" --root "$T/full/store" --run-root "$T/run" run --rm --network none $BUSYBOX echo here
	is "$out" here
	umount full
}

t_two_commands_on_the_same_name() {
	local i won=0 lost=0
	for i in 1 2 3 4; do
		(isle run -d --name same $BUSYBOX sleep 1000 >"$T/out.$i" 2>"$T/err.$i" && touch "$T/won.$i") &
	done
	wait
	for i in 1 2 3 4; do
		if [ -e "$T/won.$i" ]; then
			won=$((won + 1))
		else
			has "$(cat "$T/err.$i")" "same"
			lost=$((lost + 1))
		fi
	done
	is $won 1
	is $lost 3
	is "$(isle ps -aq | wc -l)" 1
	# Removed by several at once: each says it is gone or that it was.
	for i in 1 2 3 4; do
		isle rm -f same >/dev/null 2>"$T/rm.$i" &
	done
	wait
	is "$(isle ps -aq)" ""
}

t_a_removed_layer_directory() {
	local layer
	cp -a "$STORE" "$T/store"
	layer=$(ls -d "$T"/store/layers/* | head -n 1)
	rm -rf "$layer"
	rc=0
	for i in $BUSYBOX $DEBIAN; do
		"$ISLE" --root "$T/store" --run-root "$T/run" run --rm --network none $i true \
			>out 2>err || rc=$((rc + 1))
		[ ! -s err ] || { err=$(cat err); one_line; has "$err" isle; }
	done
	is $rc 1 "images that do not run"
	run "$ISLE" --root "$T/store" --run-root "$T/run" system check
	like "$out$err" "layer|image"
	good "$ISLE" --root "$T/store" --run-root "$T/run" load -q -i "$IMAGES/busybox.tar"
	good "$ISLE" --root "$T/store" --run-root "$T/run" load -q -i "$IMAGES/debian.tar"
	good "$ISLE" --root "$T/store" --run-root "$T/run" run --rm --network none $BUSYBOX true
	good "$ISLE" --root "$T/store" --run-root "$T/run" run --rm --network none $DEBIAN true
}

t_a_config_file_with_a_wrong_key() {
	printf '# a comment\nlog-drivr = none\n' >isle.conf
	run isle --config isle.conf ps
	[ $rc != 0 ] || fail "it was taken"
	has "$err" "isle.conf:2"
	has "$err" "log-drivr"
	has "$err" "log-driver"
	one_line
	run isle --config nowhere.conf ps
	[ $rc != 0 ] || fail "a missing file was taken"
	has "$err" "nowhere.conf"
}

t_a_database_that_is_none() {
	mkdir -p store
	echo rubbish >store/isle.db
	run "$ISLE" --root "$T/store" --run-root "$T/run" ps
	[ $rc != 0 ] || fail "it was taken"
	has "$err" isle.db
	one_line
	is "$(cat store/isle.db)" rubbish "the file is left as it was"
}

t_unknown_names_get_the_nearest() {
	run isle rnu
	has "$err" '"run"'
	run isle network crate x
	has "$err" '"network create"'
	run isle run --nmae x $BUSYBOX
	is $rc 125
	has "$err" "--name"
	run isle inspect no-such-thing
	[ $rc != 0 ]
	has "$err" "no-such-thing"
	one_line
}

t_a_pipe_that_closes_is_no_crash() {
	run bash -c "'$ISLE' --root '$STORE' --run-root '$RUN_ROOT' images --help | head -n 1 >/dev/null; echo \${PIPESTATUS[0]}"
	isnt "$out" 139
	run bash -c "'$ISLE' --root '$STORE' --run-root '$RUN_ROOT' images >/dev/full"
	[ $rc != 0 ]
	has "$err" "no space left on device"
}

isle_main "$@"
