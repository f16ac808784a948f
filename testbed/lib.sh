# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# What the test bed's scripts share: messages, the cache's layout and keys, packages, and steps with progress.
# Sourced, never run; it builds and boots nothing. The sourcing script has set $top to the top of the tree.

prog=${0##*/}
cache=${HWDBM_CACHE:-$HOME/.cache/hwdbm}
ccache_dir=$cache/ccache
pins=$cache/pins
cross=aarch64-linux-gnu-
kernel_src=$cache/kernel/src
kernel_out=$kernel_src/o
qemu_src=$cache/qemu/src
qemu_out=$cache/qemu/out

# What the whole test bed needs at its largest; stated and checked before work starts.
# Disk: kernel source and objects 1.8 GB, QEMU 0.5 GB, ccache 0.6 GB, the rest 0.5 GB.
need_disk_mb=4000
need_build_memory_mb=2500
ccache_limit=600M

say() {
	printf '%s\n' "$*" >&2
}

die() {
	printf '%s: %s\n' "$prog" "$*" >&2
	exit 1
}

# Bad input is told apart from a failure by its exit status.
usage_error() {
	printf '%s: %s\n' "$prog" "$*" >&2
	exit 2
}

# size_bytes TEXT: bytes of "4096", "4K", "2M", "1G"; fails for anything else
size_bytes() {
	case $1 in
	''|*[!0-9KMG]*|[KMG]*|*[KMG]?*) return 1 ;;
	0[0-9]*) return 1 ;;
	*K) echo $((${1%K} << 10)) ;;
	*M) echo $((${1%M} << 20)) ;;
	*G) echo $((${1%G} << 30)) ;;
	*) echo "$1" ;;
	esac
}

# The largest unit that divides BYTES evenly
size_text() {
	if [ $(($1 % (1 << 30))) -eq 0 ] && [ "$1" -gt 0 ]; then echo "$(($1 >> 30))G"
	elif [ $(($1 % (1 << 20))) -eq 0 ] && [ "$1" -gt 0 ]; then echo "$(($1 >> 20))M"
	elif [ $(($1 % (1 << 10))) -eq 0 ] && [ "$1" -gt 0 ]; then echo "$(($1 >> 10))K"
	else echo "$1"
	fi
}

free_disk_mb() {
	df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }'
}

free_memory_mb() {
	awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo
}

# ---- packages of this machine -------------------------------------------------------------------

# Packages that building hwdbm for this machine needs
packages_host() {
	echo gcc make pkg-config clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev libjansson-dev \
		libmicrohttpd-dev libdw-dev git python3
}

# Packages that the test bed needs on top
packages_testbed() {
	echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ccache ninja-build flex bison bc dwarves libssl-dev \
		cpio patch xz-utils tar util-linux dpkg-dev debian-archive-keyring ca-certificates python3-tomli \
		python3-venv libglib2.0-dev libpixman-1-dev libfdt-dev libattr1-dev libcap-ng-dev \
		perl procps curl qemu-system-x86 kmod
}

# What the benchmarks compare with
packages_bench() {
	echo bpftrace linux-perf
}

packages_missing() {
	# Only "install ok installed" counts; a removed package may have left its configuration behind.
	for package in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
		"install ok installed") ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
		sudo "$@"
	else
		return 125
	fi
}

# The one place that installs anything: packages_install PACKAGE...
packages_install() {
	command -v dpkg-query >/dev/null || die "this is not a Debian machine; the test bed knows Debian 12 and 13 only"
	missing=$(packages_missing "$@")
	[ -n "$missing" ] || return 0
	as_root true 2>/dev/null ||
		die "these Debian packages are missing and there is no privilege to install them; as root: apt-get install ${missing% }"
	say "$prog: installing with apt-get: ${missing% }"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 ||
		die "apt-get update failed; the lines above say why"
	# shellcheck disable=SC2086 # a list of package names
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing >&2 ||
		die "apt-get could not install ${missing% }; the lines above say why"
}

# ---- Debian packages that are only unpacked into the cache ---------------------------------------

# Runs an apt tool ($1) on the cache's own lists, so that the machine's are not touched.
private_apt() {
	tool=$1
	shift
	"$tool" -c "$cache/apt/apt.conf" "$@"
}

# "URI CODENAME" of each Debian archive that this machine's apt has a list of
debian_targets() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' |
		sed -n 's/ Debian$//p' | sort -u
}

# Writes the private apt configuration. Where packages come from is taken from the machine's own Debian sources.
private_apt_configure() {
	# shellcheck disable=SC1091
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	[ -n "$release" ] || { echo "/etc/os-release names no Debian release"; return 1; }
	targets=$(debian_targets)
	if [ -z "$targets" ] && as_root true 2>/dev/null; then
		as_root apt-get -q update || return 1
		targets=$(debian_targets)
	fi
	main=$(echo "$targets" | awk -v r="$release" '$2 == r { print $1; exit }')
	security=$(echo "$targets" | awk -v r="$release-security" '$2 == r { print $1; exit }')
	[ -n "$main" ] || {
		echo "apt has no list of Debian's $release on this machine (its apt sources name none, or apt-get update was never run)"
		return 1
	}
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
	native=$(dpkg --print-architecture)
	signed="signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"
	{
		echo "deb [arch=$native,arm64 $signed] $main $release main"
		[ -z "$security" ] || echo "deb [arch=$native,arm64 $signed] $security $release-security main"
		if [ "$release" != trixie ]; then
			echo "deb [arch=$native $signed] $main trixie main"
			[ -z "$security" ] || echo "deb [arch=$native $signed] $security trixie-security main"
		fi
		echo "deb-src [$signed] $main trixie main"
		[ -z "$security" ] || echo "deb-src [$signed] $security trixie-security main"
	} > "$cache/apt/sources.list"
	# The machine's own release first: its libraries fit its cross compiler.
	cat > "$cache/apt/preferences" <<-EOF
		Package: *
		Pin: release n=$release*
		Pin-Priority: 900
	EOF
	cat > "$cache/apt/apt.conf" <<-EOF
		Dir::Etc::sourcelist "$cache/apt/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::Etc::preferences "$cache/apt/preferences";
		Dir::Etc::preferencesparts "-";
		Dir::State::Lists "$cache/apt/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$cache/apt/cache";
		APT::Architecture "$native";
		APT::Architectures { "$native"; "arm64"; };
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Acquire::Retries "3";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	EOF
}

# separate_apt_configure DIR ARCHITECTURES SUITES SECURITY_SUITES: an apt configuration with lists of its own in DIR, for
# suites that must not change what the test bed is built from. The first architecture is the one meant where none is named.
separate_apt_configure() {
	separate_targets=$(debian_targets)
	separate_main=$(echo "$separate_targets" | awk '$2 !~ /-security$/ { print $1; exit }')
	separate_security=$(echo "$separate_targets" | awk '$2 ~ /-security$/ { print $1; exit }')
	[ -n "$separate_main" ] || return 1
	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	separate_options="[arch=$(echo "$2" | tr ' ' ,) signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
	{
		for suite in $3; do
			echo "deb $separate_options $separate_main $suite main"
		done
		for suite in $4; do
			[ -z "$separate_security" ] || echo "deb $separate_options $separate_security $suite main"
		done
	} > "$1/sources.list"
	cat > "$1/apt.conf" <<-EOF
		Dir::Etc::sourcelist "$1/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State::Lists "$1/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$1/cache";
		APT::Architecture "${2%% *}";
		APT::Architectures { $(for arch in $2; do printf '"%s"; ' "$arch"; done)};
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Acquire::Retries "3";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	EOF
}

# separate_apt DIR TOOL ARGUMENTS...
separate_apt() {
	separate_dir=$1 separate_tool=$2
	shift 2
	"$separate_tool" -c "$separate_dir/apt.conf" "$@"
}

sysroot_packages="busybox-static libbpf-dev libelf-dev zlib1g-dev libjansson-dev libzstd-dev"

# Chooses the versions to build from and writes them down; the cache's keys are made of them.
pins_choose() {
	private_apt_configure || return 1
	private_apt apt-get -q update || { echo "apt-get update of the cache's own lists failed"; return 1; }
	candidate() {
		private_apt apt-cache policy "$1" | awk '$1 == "Candidate:" && $2 != "(none)" { print $2; exit }'
	}
	newest() {
		private_apt apt-cache madison "$1" | awk -F ' *[|] *' '{ print $2 }' | sort -rV | head -n 1
	}
	{
		# QEMU 10.0 is the version our patches are for.
		echo "qemu $(private_apt apt-cache showsrc --only-source qemu |
			awk '$1 == "Version:" && $2 ~ /^1:10\.0\./ { print $2 }' | sort -rV | head -n 1)"
		echo "linux-source-6.12 $(candidate linux-source-6.12)"
		echo "meson $(newest meson)"
		echo "prometheus $(candidate prometheus)"
		for package in $sysroot_packages; do
			echo "$package:arm64 $(candidate "$package:arm64")"
		done
	} > "$pins.new"
	without=$(awk 'NF < 2 { printf "%s ", $1 }' "$pins.new")
	[ -z "$without" ] || { echo "Debian's lists have no ${without% }"; return 1; }
	mv "$pins.new" "$pins"
}

# Whether versions were chosen, for all that is wanted today
pins_complete() {
	[ -f "$pins" ] || return 1
	for package in qemu linux-source-6.12 meson prometheus; do
		[ -n "$(pin "$package")" ] || return 1
	done
	for package in $sysroot_packages; do
		[ -n "$(pin "$package:arm64")" ] || return 1
	done
}

pin() {
	awk -v p="$1" '$1 == p { print $2 }' "$pins"
}

# fetch_deb PACKAGE[:ARCH] DIR: unpacks the pinned version of a package into DIR
fetch_deb() {
	(
		mkdir -p "$cache/apt/debs" "$2"
		cd "$cache/apt/debs"
		rm -f "${1%%:*}"_*.deb
		private_apt apt-get -q download "$1=$(pin "$1")"
		dpkg-deb -x "${1%%:*}"_*.deb "$2"
		rm -f "${1%%:*}"_*.deb
	)
}

# ---- a VMM as Debian ships it, for the guest ------------------------------------------------------

# Runs an apt tool ($1) for arm64 on Debian 13 alone, whatever this machine runs: its tree has its own libraries.
vmm_apt() {
	tool=$1
	shift
	"$tool" -c "$cache/vmm-apt/apt.conf" "$@"
}

vmm_apt_configure() {
	private_apt_configure || return 1
	mkdir -p "$cache/vmm-apt/lists/partial" "$cache/vmm-apt/cache/archives/partial"
	sed -n '/^deb .* trixie/s/\[arch=[^ ]*/[arch=arm64/p' "$cache/apt/sources.list" > "$cache/vmm-apt/sources.list"
	sed -e "s#$cache/apt/#$cache/vmm-apt/#g" -e '/preferences"/d' -e '/^APT::Architecture/d' \
		"$cache/apt/apt.conf" > "$cache/vmm-apt/apt.conf"
	cat >> "$cache/vmm-apt/apt.conf" <<-EOF
		Dir::Etc::preferences "/dev/null";
		APT::Architecture "arm64";
		APT::Architectures { "arm64"; };
		APT::Install-Recommends "false";
	EOF
}

# Chooses the versions of QEMU and of all that it needs, "PACKAGE VERSION" each, and writes them down.
vmm_pins_choose() {
	vmm_apt_configure || return 1
	vmm_apt apt-get -q update || { echo "apt-get update of Debian 13's lists for arm64 failed"; return 1; }
	vmm_apt apt-get -q -s install qemu-system-arm |
		sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' | LC_ALL=C sort > "$cache/vmm-pins.new"
	grep -q '^qemu-system-arm ' "$cache/vmm-pins.new" || { echo "Debian 13 has no qemu-system-arm for arm64"; return 1; }
	mv "$cache/vmm-pins.new" "$cache/vmm-pins"
}

vmm_dir() {
	echo "$cache/images/vmm-$(hash_text < "$cache/vmm-pins")"
}

# ---- keys: a result is as good as the inputs its key is made of ---------------------------------

hash_text() {
	sha256sum | cut -c 1-16
}

# Patch files of a variant in the order they are applied; a folder may be empty: kernel_patches VARIANT
kernel_patches() {
	series=$top/kernel-patches/v6.12
	case $1 in
	stock) set -- ;;
	fixes) set -- fixes ;;
	tracepoints) set -- tracepoints/stock ;;
	patched|debug|mutant:*) mutant=$1; set -- fixes tracepoints split host speed tests ;;
	esac
	for folder in "$@"; do
		find "$series/$folder" -maxdepth 1 -name '*.patch' 2>/dev/null | LC_ALL=C sort
	done
	case ${mutant:-} in
	mutant:*) echo "$top/tests/mutants/${mutant#mutant:}.patch" ;;
	esac
	mutant=
}

# Patch files that every variant gets on top: what the test bed's machine needs, and no host
kernel_testbed_patches() {
	find "$top/testbed/kernel" -maxdepth 1 -name '*.patch' | LC_ALL=C sort
}

# Says whether a kernel variant exists; prints a sentence if not
kernel_variant_check() {
	case $1 in
	stock|patched|fixes|tracepoints|debug) ;;
	mutant:*/*|mutant:) usage_error "mutant '$1' is not a name" ;;
	mutant:*)
		[ -f "$top/tests/mutants/${1#mutant:}.patch" ] ||
			usage_error "there is no mutant '${1#mutant:}': $(cd "$top/tests/mutants" 2>/dev/null && ls -- *.patch 2>/dev/null | sed 's/\.patch$//' | tr '\n' ' ')are known"
		;;
	*) usage_error "unknown kernel '$1': stock, patched, fixes, tracepoints, debug or mutant:NAME" ;;
	esac
}

# The configuration of a variant
kernel_config_text() {
	cat "$top/testbed/kernel/config"
	[ "$1" != debug ] || cat "$top/testbed/kernel/config-debug"
}

kernel_key() {
	{
		pin linux-source-6.12
		${cross}gcc -dumpfullversion
		pahole --version
		kernel_config_text "$1"
		{ kernel_patches "$1"; kernel_testbed_patches; } | while read -r patch; do cat "$patch"; done
	} | hash_text
}

kernel_dir() {
	echo "$cache/images/$(echo "$1" | tr : -)-$(kernel_key "$1")"
}

qemu_key() {
	{
		pin qemu
		pin meson
		cat "$top"/testbed/qemu/*.patch "$top/testbed/qemu/build"
	} 2>/dev/null | hash_text
}

qemu_binary() {
	echo "$cache/images/qemu-$(qemu_key)/qemu-system-aarch64"
}

sysroot_dir() {
	echo "$cache/sysroot-$(grep ':arm64 ' "$pins" | hash_text)"
}

# In the checkout, not in the cache: make goes by time, and would take another checkout's objects for its own.
guest_dir() {
	echo "$top/build/guest"
}

# ---- steps with progress ------------------------------------------------------------------------

step=0
steps=0

# run_step NAME MINUTES LINES FUNCTION [ARGS]: runs a step with its output in a log, of which LINES lines are
# expected; tells the share done every half minute. A failure says which step, why, and where the log is.
run_step() {
	step_name=$1 step_minutes=$2 step_lines=$3
	shift 3
	step=$((step + 1))
	mkdir -p "$cache/logs"
	step_log=$cache/logs/$(printf '%s' "$step_name" | tr -cs 'A-Za-z0-9.' '-').log
	say "[$step/$steps] $step_name (about $step_minutes min)"
	step_began=$(date +%s)
	step_watch "$step_lines" "$step_log" "$step_began" $$ 9>&- &
	step_watcher=$!
	trap 'kill "$step_watcher" 2>/dev/null; say "$prog: interrupted; the next call goes on from here"; exit 130' INT TERM HUP
	set +e
	# The step keeps the lock's descriptor: were this script killed, no second build could mix with what still runs.
	( set -e; "$@" ) > "$step_log" 2>&1
	step_status=$?
	set -e
	kill "$step_watcher" 2>/dev/null || true
	wait "$step_watcher" 2>/dev/null || true
	trap - INT TERM HUP
	if [ "$step_status" -ne 0 ]; then
		say "$prog: step '$step_name' failed (exit $step_status); the log is $step_log"
		if [ "$(free_disk_mb "$cache")" -lt 20 ]; then
			say "  why: the disk that holds $cache is full"
		else
			# Neither the names of files that are compiled nor what make says when a recipe failed.
			grep -nE "(error|Error|ERROR|fail|FAILED|annot|can't|[Nn]o such|[Nn]o rule|not found|^E:|denied|[Kk]illed)" "$step_log" |
				grep -vE '^[0-9]+: +[A-Z]+ +|\*\*\* \[|\*\*\* Waiting|gcc .* -c ' | tail -n 4 | sed 's/^/  why: line /' >&2
			tail -n 2 "$step_log" | sed 's/^/  end: /' >&2
		fi
		exit 1
	fi
	say "[$step/$steps] $step_name: done in $(($(date +%s) - step_began)) s"
}

step_watch() {
	trap 'exit 0' TERM
	# A sleep left behind must not keep the caller's output open.
	while sleep 30 >/dev/null 2>&1 & wait $!; do
		kill -0 "$4" 2>/dev/null || exit 0
		elapsed=$(($(date +%s) - $3))
		lines=$(wc -l < "$2" 2>/dev/null || echo 0)
		[ "$1" -gt 0 ] || { say "    $elapsed s"; continue; }
		percent=$((lines * 100 / $1))
		[ "$percent" -lt 99 ] || percent=99
		if [ "$percent" -ge 5 ]; then
			say "    $percent %, $elapsed s gone, about $((elapsed * (100 - percent) / percent + 1)) s left"
		else
			say "    $elapsed s gone"
		fi
	done
}

# Held while anything in the cache is built; two builds at once would mix.
cache_lock() {
	case $cache in
	*[!A-Za-z0-9/._+-]*) die "the path $cache has a character that the kernel's build does not take; set HWDBM_CACHE" ;;
	/*) ;;
	*) die "HWDBM_CACHE=$cache is not an absolute path" ;;
	esac
	mkdir -p "$cache" 2>/dev/null || die "cannot create $cache; set HWDBM_CACHE to a folder that can be written"
	exec 9> "$cache/lock"
	flock -w 3 9 && return 0
	say "$prog: another build holds $cache/lock; waiting for it"
	flock 9
}

# apply_series TREE STATE PATCH...: makes TREE equal to its pristine state plus the patches. Only files whose content
# changes are touched, so that make rebuilds no more than it must. STATE keeps the pristine copies.
apply_series() {
	tree=$1 state=$2
	shift 2
	mkdir -p "$state/pristine"
	touch "$state/files"
	for patch in "$@"; do
		sed -n -e 's#^--- a/\([^	]*\).*#\1#p' -e 's#^+++ b/\([^	]*\).*#\1#p' "$patch"
	done | sort -u | while read -r file; do
		grep -qxF "$file" "$state/files" && continue
		if [ -e "$tree/$file" ]; then
			mkdir -p "$state/pristine/$(dirname "$file")"
			cp -p "$tree/$file" "$state/pristine/$file"
		fi
		echo "$file" >> "$state/files"
	done
	rm -rf "$state/new"
	cp -a "$state/pristine" "$state/new"
	for patch in "$@"; do
		echo "applying $patch"
		patch -p1 -s -f -F0 --no-backup-if-mismatch -d "$state/new" < "$patch" ||
			{ echo "error: patch does not apply: $patch"; return 1; }
	done
	while read -r file; do
		if [ ! -e "$state/new/$file" ]; then
			rm -f "$tree/$file"
		elif ! cmp -s "$state/new/$file" "$tree/$file"; then
			mkdir -p "$tree/$(dirname "$file")"
			# A fresh time stamp, whatever the copy's is.
			cat "$state/new/$file" > "$tree/$file"
			echo "changed $file"
		fi
	done < "$state/files"
	rm -rf "$state/new"
}
