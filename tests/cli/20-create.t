#!/bin/bash
# create, start, state, delete: runtime.md#lifecycle as an engine walks through it.
. "${0%/*}/../lib/tap.sh"

t_smoke() { inside_ok . 'echo hi; id -u'; is "$out" "hi
0"; }

tap_main "$@"
