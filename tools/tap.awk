# tap.awk - count one program's TAP (testanything.org, 13) for tools/check.
#
# In: rc (its exit status), limit (its timeout), name, require (comma list).  Out: the
# failed cases with what was said about them; counts and skips are files to write.
# Several plans add up, as a cmocka binary prints one a group.

function fail(text)
{
	failed++
	print "  not ok " name ": " text
}

# A skip whose reason names something that must be here is a failure.
function must_run(reason,    n, i, words)
{
	n = split(require, words, /[, ]+/)
	for (i = 1; i <= n; i++)
		if (words[i] != "" && reason ~ ("(^|[^a-z0-9])" words[i] "([^a-z0-9]|$)"))
			return words[i]
	return ""
}

function skip(what, reason,    w)
{
	w = must_run(reason)
	if (w != "") {
		fail(what ": skipped for \"" reason "\", but " w " is required here")
		return
	}
	skipped++
	print name ": " what (reason == "" ? "" : " - " reason) > skips
}

BEGIN { printf "" > skips }

/^Bail out!/ { bail = $0; next }

/^1\.\.[0-9]+/ {
	plans++
	split($1, range, /\.\./)
	planned += range[2]
	if (range[2] == 0 && match($0, /# *[Ss][Kk][Ii][Pp]/))
		skip("all", trim_reason(substr($0, RSTART + RLENGTH)))
	next
}

/^(not )?ok( |$)/ {
	seen++
	showing = 0
	what = $0
	sub(/^(not )?ok *[0-9]* *-? */, "", what)
	if (match($0, /# *[Ss][Kk][Ii][Pp][A-Za-z]*/)) {
		reason = trim_reason(substr($0, RSTART + RLENGTH))
		sub(/ *# *[Ss][Kk][Ii][Pp].*/, "", what)
		skip(what, reason)
	} else if ($1 == "not") {
		fail(what)
		showing = 1
	} else {
		passed++
	}
	next
}

# What a case says about itself follows its line.
showing || /^# +error/ { if (++shown <= 200) print "    " $0 }

function trim_reason(s)
{
	sub(/^[ :]+/, "", s)
	sub(/[ ]+$/, "", s)
	return s
}

END {
	if (bail != "")
		fail(bail)
	if (rc == 124) {
		fail("no end after " limit " s: killed")
	} else if (rc == 137) {
		fail("killed by SIGKILL (its limit is " limit " s)")
	} else if (rc == 77 && seen == 0) {
		skip("all", "exit status 77")
	} else if (!plans) {
		fail("printed no plan, exit status " rc)
	} else if (seen < planned) {
		fail("planned " planned " cases, " seen " ran, exit status " rc)
	} else if (seen > planned) {
		fail("planned " planned " cases, but " seen " ran")
	} else if (rc != 0 && failed == 0) {
		fail("every case passed, yet the exit status is " rc)
	}
	printf "%d %d %d\n", passed, failed, skipped > counts
}
