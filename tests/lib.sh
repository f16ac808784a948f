# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# How a test says what came of it. Sourced by the scripts under tests/; the runner, tests/run, counts the lines.

# Where tests leave their files
mkdir -p "$top/out/tests"

ok() {
	echo "ok $1"
}

# not_ok NAME REASON
not_ok() {
	echo "not ok $1: $2"
	failed=1
}

# skip NAME REASON
skip() {
	echo "skip $1: $2"
}

# judge NAME COMMAND...: ok if the command succeeds, else what it says
judge() {
	name=$1
	shift
	if said=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$said"; fi
}

# expect_fails NAME STATUS PATTERN COMMAND...: the command must end with STATUS (any but 0 for "!0") and say one
# line that matches PATTERN
expect_fails() {
	test_name=$1 want=$2 pattern=$3
	shift 3
	test_status=0
	test_output=$("$@" 2>&1 < /dev/null) || test_status=$?
	if [ "$test_status" -eq 0 ] || { [ "$want" != '!0' ] && [ "$test_status" -ne "$want" ]; }; then
		not_ok "$test_name" "exit status $test_status instead of $want: $(echo "$test_output" | tail -n 1)"
	elif ! echo "$test_output" | grep -Eq -- "$pattern"; then
		not_ok "$test_name" "says '$(echo "$test_output" | tail -n 1)', which has no '$pattern'"
	else
		ok "$test_name"
	fi
}

# probe_lines PREFIX FILE: what dirtyprobe wrote, in the words of the runner
probe_lines() {
	sed -n -e "s/^ok \(.*\) # SKIP \(.*\)/skip $1\1: \2/p" -e '/# SKIP/d' \
		-e "s/^ok /ok $1/p" -e "s/^not ok /not ok $1/p" "$2"
}

# no_result FILE: why testbed/run, whose words FILE holds, has no result
no_result() {
	sed -n 's/^testbed\/run: //p' "$1" | tail -n 1
}
