#!/bin/bash
# isle commit, and inspect of what it made.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

t_what_was_written_is_in_the_image() {
	bg_sleep -e OF=instance
	in_bg sh -c 'echo new >/new; rm /etc/group'
	good isle commit -a me -m "a word" -c 'CMD ["cat", "/new"]' -c 'LABEL a=b' "$NAME" isle.test/made:1
	like "$out" '^sha256:[0-9a-f]{64}$'
	state_is running
	irun isle.test/made:1
	is "$out" new
	irun isle.test/made:1 sh -c 'ls /etc/group; echo $OF'
	is "$out" instance
	is "$(isle inspect --type image -f '{{.Author}} {{.Config.Labels.a}}' isle.test/made:1)" "me b"
	is "$(isle inspect -f '{{len .RootFS.Layers}}' isle.test/made:1)" 2
	isle rm -f "$NAME"
	good isle rmi isle.test/made:1
}

t_of_one_that_ended_and_without_a_name() {
	good isle run --name ended $BUSYBOX sh -c 'echo x >/x'
	good isle commit ended
	local id=$out
	irun "$id" cat /x
	is "$out" x
	good isle rmi -f "$id"
}

t_refused() {
	bg_sleep
	run isle commit -c 'FROM x' "$NAME" isle.test/made:2
	is $rc 1
	state_is running
	run isle commit nowhere-4
	is $rc 1
	has "$err" "no such instance"
}

isle_main "$@"
