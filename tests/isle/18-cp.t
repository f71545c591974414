#!/bin/bash
# isle cp and export.
# shellcheck source=tests/lib/isle.sh
. "${0%/*}/../lib/isle.sh"

t_in_and_out_of_a_running_one() {
	bg_sleep
	echo data >file
	good isle cp file "$NAME:/tmp/"
	in_bg cat /tmp/file
	is "$out" data
	good isle cp "$NAME:/tmp/file" back
	is "$(cat back)" data
}

t_in_and_out_of_one_that_ended() {
	good isle create --name still $BUSYBOX cat /in
	echo data >file
	good isle cp file still:/in
	good isle cp still:/in back
	is "$(cat back)" data
	run isle start -a still
	is "$out" data
}

t_streams() {
	bg_sleep
	echo data >file
	in_bg mkdir /srv
	tar cf - file | isle cp - "$NAME:/srv"
	in_bg cat /srv/file
	is "$out" data
	is "$(isle cp "$NAME:/srv" - | tar tf - | tr '\n' ' ')" "srv/ srv/file "
}

t_a_link_does_not_lead_out() {
	bg_sleep
	in_bg ln -s /etc/hostname /tmp/link
	good isle cp -L "$NAME:/tmp/link" link
	case $(cat link) in "${CID:0:12}") ;; *) fail "the host's file: $(cat link)" ;; esac
}

t_refused() {
	bg_sleep
	run isle cp "$NAME:/nowhere" x
	is $rc 1
	has "$err" "no such file"
	run isle cp x y
	is $rc 1
	run isle cp "nowhere-3:/x" y
	is $rc 1
	has "$err" "no such instance"
}

t_export() {
	bg_sleep
	in_bg sh -c 'echo new >/new'
	good isle export -o all.tar "$NAME"
	is "$(tar xOf all.tar ./new)" new
}

isle_main "$@"
