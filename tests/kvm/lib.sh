# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Migrations by the machine's own QEMU with hwdbm beside them. Sourced, after tests/lib.sh, by tests that set top, hwdbm
# and scratch.

stop_started() {
	# shellcheck disable=SC2086 # process ids
	[ -z "$started" ] || kill $started 2> /dev/null || true
	# shellcheck disable=SC2086
	[ -z "$started" ] || wait $started 2> /dev/null || true
	started=
}

migration_cleanup() {
	stop_started
	rm -rf "$scratch"
}

# can_migrate NAME: whether this machine can; says why not
can_migrate() {
	if [ ! -w /dev/kvm ]; then
		skip "$1" "no /dev/kvm"
	elif [ "$(uname -m)" != x86_64 ]; then
		skip "$1" "the guest is x86-64 code"
	elif ! command -v qemu-system-x86_64 > /dev/null; then
		skip "$1" "the Debian package qemu-system-x86 is missing"
	elif ! "$hwdbm" converge --duration 1ms > /dev/null 2> "$scratch/log"; then
		skip "$1" "$(tail -n 1 "$scratch/log")"
	else
		make -s --no-print-directory -C "$top" build/kvm/payload.rom > /dev/null
		return 0
	fi
	return 1
}

# migrate_under COMMAND NAME WAY LATE: a migration over TCP with hwdbm COMMAND -j and QEMU's monitor
# beside it, attached before it, or with LATE when it has begun; it is held back for 3 iterations then; judged against QEMU's account
migrate_under() {
	folder=$scratch/$3 under=$1 title=$2 way=$3 late=$4
	rm -rf "$folder"
	mkdir "$folder"
	"$top/tests/kvm/migrate" --rom "$top/build/kvm/payload.rom" --folder "$folder" --account "$folder/account" \
		--pid "$folder/pid" --ready "$folder/ready" --way "$way" --syncs 3 --tcp --monitor --linger 1.5 \
		> "$folder/log" 2>&1 &
	started=$!
	for _ in $(seq 200); do [ ! -s "$folder/pid" ] || break; sleep 0.1; done
	if [ ! -s "$folder/pid" ]; then
		wait "$started" || true
		started=
		not_ok "converge: $title" "$(tail -n 1 "$folder/log")"
		return
	fi
	if [ -n "$late" ]; then
		touch "$folder/ready"
		for _ in $(seq 200); do [ ! -e "$folder/begun" ] || break; sleep 0.1; done
	fi
	# Probes that follow the log may come late on a busy machine, and what they miss is said; here all is compared.
	"$hwdbm" "$under" -j --always --vm "hwdbm-test-source-${started%% *}" --qmp "$folder/source.qmp2" -o "$folder/rec" > "$folder/lines" \
		2> "$scratch/log" &
	observer=$!
	started="$started $observer"
	# The header is written when all is attached.
	for _ in $(seq 100); do [ ! -s "$folder/rec" ] || break; sleep 0.1; done
	touch "$folder/attached" "$folder/ready"
	status=0
	wait "${started%% *}" || { not_ok "converge: $title: QEMU" "$(tail -n 1 "$folder/log")"; status=1; }
	wait "$observer" || { not_ok "converge: $title: hwdbm" "$(tail -n 1 "$scratch/log")"; status=1; }
	started=
	[ "$status" -eq 0 ] || return 0
	judge "converge: $title, against QEMU's account" "$top/tests/kvm/compare" converge "$folder/lines" "$folder/account" 25344 \
		--vmm ${late:+--late}
	"$hwdbm" converge -j -i "$folder/rec" > "$folder/again" 2> "$scratch/log" || true
	grep -E '"type":"(converge|phase)"' "$folder/lines" > "$folder/live"
	judge "converge: $title, again from the recording" sh -c 'grep -E "\"type\":\"(converge|phase)\"" "$1" | diff - "$2"' sh \
		"$folder/again" "$folder/live"
	"$hwdbm" stat -j -i "$folder/rec" > "$folder/stat" 2> "$scratch/log" || true
	judge "stat: $title, against QEMU's account" "$top/tests/kvm/compare" stat "$folder/stat" "$folder/account" \
		${late:+--late}
}
