#!/bin/bash
# The manual, docs/man/isle-runtime.8, says what "-h" says: commands, arguments, options.
. "${0%/*}/../lib/tap.sh"

MANUAL=$TOP/docs/man/isle-runtime.8

# One line an option, "-b, --bundle DIR|the help text", from "-h" on stdin.
options_of_help() {
	awk '
	function out() { if (o != "") print o "|" h; o = "" }
	/^Options:$/ { on = 1; next }
	!on { next }
	/^ +-/ {
		out()
		sub(/^ +/, "")
		# The text begins behind two blanks, or stands on the next line.
		n = match($0, /  +/)
		o = n ? substr($0, 1, n - 1) : $0
		h = n ? substr($0, n + RLENGTH) : ""
		next
	}
	/^ / { sub(/^ +/, ""); h = h (h == "" ? "" : " ") $0; next }
	{ out(); on = 0 }
	END { out() }'
}

# The same from the manual: part "$1" is a command or "GLOBAL OPTIONS".  The first
# sentence of an item is the help text, written as a sentence.
options_of_manual() {
	awk -v part="$1" '
	function out() { if (o != "") print o "|" h; o = ""; h = "" }
	/^\.S[sh] / { out(); here = (substr($0, 5) == part); next }
	!here { next }
	/^\.It / {
		out()
		o = substr($0, 5)
		gsub(/Fl -/, "--", o); gsub(/Fl /, "-", o); gsub(/Ar /, "", o); gsub(/ , /, ", ", o)
		text = 1
		next
	}
	/^\.El/ { out(); text = 0 }
	/^\./ { text = 0; next }
	text {
		h = h (h == "" ? "" : " ") $0
		if ($0 ~ /\.$/) { text = 0; sub(/\.$/, "", h); h = tolower(substr(h, 1, 1)) substr(h, 2) }
	}'
}

verbs_of_help() { "$RUNTIME" -h | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'; }

# "CONTAINER-ID [SIGNAL]" of a command, as the manual writes it.
args_of_manual() {
	awk -v part="$1" '
	/^\.S[sh] / { here = (substr($0, 5) == part); next }
	here && /^\.Pp/ { exit }
	here && /^\.(Ar|Op)/ && !/Ar OPTIONS/ {
		s = $0
		if (sub(/^\.Op Ar /, "", s)) {
			if (sub(/ Op Ar /, " [", s)) s = s "]"
			s = "[" s "]"
		} else sub(/^\.Ar /, "", s)
		line = line (line == "" ? "" : " ") s
	}
	END { print line }' "$MANUAL"
}

t_manual_has_the_global_options() {
	need isle
	rt -h | options_of_help >h
	options_of_manual "GLOBAL OPTIONS" <"$MANUAL" >m
	[ -s h ]
	is "$(cat m)" "$(cat h)"
}

t_manual_has_every_command_and_no_other() {
	need isle
	is "$(sed -n 's/^\.Ss //p' "$MANUAL")" "$(verbs_of_help)"
}

t_manual_has_the_options_of_every_command() {
	need isle
	local v
	for v in $(verbs_of_help); do
		rt "$v" -h | options_of_help >h
		options_of_manual "$v" <"$MANUAL" >m
		[ -s h ]
		# A text that begins with a name keeps its capital only in one of the two.
		sed -i 's/|\(.\)/|\L\1/' h m
		is "$(cat m)" "$(cat h)" "options of $v"
	done
}

t_manual_has_the_arguments_and_summary_of_every_command() {
	need isle
	local v
	for v in $(verbs_of_help); do
		rt "$v" -h >h
		is "$(args_of_manual "$v")" \
			"$(sed -n '1s/^Usage: isle-runtime [a-z]* \[OPTIONS\] *//p' h)" "$v"
		grep -qix -- "$(sed -n 3p h)\." "$MANUAL" || fail "summary of $v"
	done
}

t_help_of_a_command_and_of_the_program_agree() {
	need isle
	local v
	for v in $(verbs_of_help); do
		has "$(rt -h)" "$(rt "$v" --help | sed -n 3p)"
	done
}

t_help_fits_a_terminal() {
	need isle
	local v
	for v in "" $(verbs_of_help); do
		# shellcheck disable=SC2086
		is "$(rt $v -h | awk 'length > 110')" "" "$v"
	done
}

t_suggestions() {
	need isle
	bad 'did you mean "create"' rt craete
	bad "did you mean --bundle" rt create --bundel /x id
	bad "did you mean --log-format" rt --logformat json list
}

t_argument_counts_in_the_words_of_runc() {
	need isle
	bad '"create" requires exactly 1 argument(s)' rt create
	bad '"start" requires exactly 1 argument(s)' rt start a b
	bad '"exec" requires a minimum of 1 argument(s)' rt exec
	bad '"kill" requires a maximum of 2 argument(s)' rt kill a TERM x
}

tap_main "$@"
