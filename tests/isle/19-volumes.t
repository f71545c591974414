#!/bin/bash
# Volumes: named, anonymous, filled from the image, in use.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

t_a_named_volume_outlives_its_instances() {
	irun -v data:/d $BUSYBOX sh -c 'echo kept >/d/f'
	irun -v data:/d $BUSYBOX cat /d/f
	is "$out" kept
	is "$(isle volume ls -q)" data
}

t_filled_from_the_image() {
	irun -v etc:/etc $BUSYBOX true
	[ -e "$STORE/volumes/etc/_data/passwd" ]
	irun -v empty:/etc:nocopy $BUSYBOX ls /etc/passwd
	[ $rc != 0 ]
}

t_anonymous_ones_go_with_rm() {
	irun -v /d $BUSYBOX touch /d/f
	is "$(isle volume ls -q)" ""
	good isle run --name keeps -v /d $BUSYBOX true
	is "$(isle volume ls -q | wc -l)" 1
	good isle rm -v keeps
	is "$(isle volume ls -q)" ""
}

t_one_in_use_is_not_removed() {
	bg_sleep -v used:/d
	run isle volume rm used
	is $rc 1
	has "$err" "in use by ${CID:0:12}"
	good isle rm -f "$NAME"
	good isle volume rm used
}

t_create_inspect_and_prune() {
	good isle volume create --label a=b named
	is "$(isle volume inspect -f '{{.Name}} {{.Labels.a}} {{.Driver}}' named)" "named b local"
	good isle volume prune -f
	is "$(isle volume ls -q)" named
	good isle volume prune -a -f
	is "$(isle volume ls -q)" ""
	run isle volume create a/b
	is $rc 1
	run isle volume rm nowhere
	is $rc 1
	has "$err" "no such volume"
}

isle_main "$@"
