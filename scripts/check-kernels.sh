#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Runs the bpf tests and a short e2e on Debian's stock cloud kernels, in QEMU without KVM, side by side. The kernels are fetched
# by apt once, and only unpacked: this machine's own boot is not touched. Each kernel ends with one line, "kernel 6.1: N passed, N
# failed, N skipped"; the exit code is 0 only if that line came from each and nothing failed, and 77 where packages can not be
# fetched.
#
#   check-kernels.sh [--no-build] [KERNEL]... [PATTERN]...     6.1 bpf/test_race: that test on that kernel
#   KERNEL     6.1 or 6.12; without one, both
#   PATTERN    part of a name, as in bpf/ or e2e/short; without one, those that an emulated machine has the time for, and a line for
#              each bpf test that is left out; e2e tests other than those run by default must be named in full
#   --no-build  what is in $BUILD is run as it is
#
# BUILD: the folder of the programs (default build). KERNELS_CACHE: where the kernels are kept (default build/kernels).
# KERNELS_SECONDS: what each has (default 400); more for slower tests, or on a busy machine.
set -euo pipefail

cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build}
readonly CACHE=${KERNELS_CACHE:-build/kernels}
readonly LOGS=$BUILD/check-kernels
readonly DEADLINE=${KERNELS_SECONDS:-400}             # that a kernel has, boot and all
readonly E2E=(e2e/short e2e/vlan)                    # what of e2e TCG is fast enough for
readonly UNFETCHED=77
# What is too slow there, where one load of the programs takes the verifier a few seconds.
declare -A left_out=(
	[bpf/test_datapath]='loads the programs for each of its cases: more than 100 s'
	[bpf/test_datapath_maps]='loads them several times: 73 s'
	[bpf/test_cohort]='loads them several times'
	[bpf/test_hooks]='wants a tun device, and loads the programs for each of its cases'
	[bpf/test_takeover]='loads them twice for each of its cases: minutes'
	[bpf/test_differential]='compares with a core that is not of this kernel'
)
declare -A package_of=([6.1]=linux-image-cloud-amd64 [6.12]=linux-image-6.12-cloud-amd64)
readonly MODULES=(llc stp garp mrp 8021q bridge veth dummy sch_ingress cls_bpf) # in the order of their needs
# What tests and lab call, beside busybox.
readonly PROGRAMS=(bash ip tc ethtool nsenter jq bpftool sysctl realpath timeout sort comm od mktemp tail stat unshare)

kernels=() patterns=() tests=()
with_build=yes
work=
declare -A machine_of=() # the pid of each kernel's QEMU

say() {
	printf 'check-kernels: %s\n' "$*"
}

die() {
	say "$*" >&2
	exit 1
}

# There is nothing to run, which is not the product's fault.
unfetched() {
	say "skipped: $*"
	exit "$UNFETCHED"
}

parse() {
	while (($# > 0)); do
		case $1 in
		--no-build) with_build=no ;;
		-h | --help) sed -n '9,16s/^# \{0,1\}//p' "$0" && exit 0 ;;
		-*) sed -n '9,16s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
		[0-9]*)
			[[ -n ${package_of[$1]:-} ]] || die "there is no kernel $1 here; there are: ${!package_of[*]}"
			kernels+=("$1")
			;;
		*) patterns+=("$1") ;;
		esac
		shift
	done
	((${#kernels[@]} > 0)) || kernels=(6.1 6.12)
}

build() {
	[[ $with_build == yes ]] || return 0
	scripts/install-deps.sh build test kernels || unfetched 'the packages of build, test and kernels can not be installed'
	make -s BUILD="$BUILD" all test-programs
}

is_wanted() { # NAME
	local pattern

	((${#patterns[@]} > 0)) || return 0
	for pattern in "${patterns[@]}"; do
		[[ $1 != *"$pattern"* ]] || return 0
	done
	return 1
}

collect() {
	local file name

	for name in "${E2E[@]}"; do
		! is_wanted "$name" || tests+=("$name")
	done
	for file in "$BUILD"/tests/bpf/*; do
		[[ -f $file && -x $file ]] || continue
		name=bpf/${file##*/}
		is_wanted "$name" || continue
		if ((${#patterns[@]} == 0)) && [[ -n ${left_out[$name]:-} ]]; then
			printf 'left out %s  (%s)\n' "$name" "${left_out[$name]}"
		else
			tests+=("$name")
		fi
	done
	for name in "${patterns[@]}"; do # slower ones, by full name
		[[ $name != e2e/* || " ${tests[*]} " == *" $name "* || ! -x tests/$name.sh ]] || tests+=("$name")
	done
	((${#tests[@]} > 0)) || die "no test has \"${patterns[*]}\" in its name"
}

# --- kernels -----------------------------------------------------------------------------------------------------------------

# The apt options for packages that the machine's sources do not have: a list of our own with the suites that do, at the host that
# the machine's sources name for Debian itself.
private_apt() { # prints options, one a line
	local root key host

	root=$(realpath -m "$CACHE/apt")
	host=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk '/\/debian\/? /{print $1; exit}')
	key=$(find /usr/share/keyrings -name 'debian-archive-keyring.*' | head -n 1)
	[[ -n $host && -n $key ]] || return 1
	mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
	printf 'deb [signed-by=%s] %s %s main\n' "$key" "$host" bookworm-backports "$key" "$host" trixie >"$root/sources.list"
	printf '%s\n' -o "Dir::Etc::sourcelist=$root/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o "Dir::State::lists=$root/lists" -o "Dir::Cache=$root/cache"
}

# The name of the image that a meta-package stands for now; nothing if apt does not know it.
image_named_by() { # META-PACKAGE [APT-OPTIONS...]
	apt-cache "${@:2}" depends "$1" 2>/dev/null | awk '/Depends: linux-image/{print $2; exit}'
}

# Unpacks into $CACHE/KERNEL: vmlinuz, modules/ (unpacked too: busybox's insmod takes no compressed ones).
kernel_fetch() { # KERNEL
	local dir=$CACHE/$1 image options=() module

	[[ ! -e $dir/complete ]] || return 0
	rm -rf "$dir"
	mkdir -p "$dir/deb" "$dir/modules"
	image=$(image_named_by "${package_of[$1]}")
	if [[ $image != linux-image-"$1".* ]]; then
		mapfile -t options < <(private_apt)
		apt-get -q "${options[@]}" update >"$dir/apt.log" 2>&1 || unfetched "apt-get update failed: $(tail -n 3 "$dir/apt.log")"
		image=$(image_named_by "${package_of[$1]}" "${options[@]}")
		[[ -n $image ]] || image=$(image_named_by linux-image-cloud-amd64 "${options[@]}")
	fi
	[[ $image == linux-image-"$1".* ]] || unfetched "apt knows no cloud kernel $1 (${package_of[$1]}); try: apt-get update"
	say "kernel $1: fetching $image"
	(cd "$dir/deb" && apt-get -q "${options[@]}" download "$image" >../apt.log 2>&1) ||
		unfetched "$image can not be fetched: $(tail -n 3 "$dir/apt.log")"
	dpkg-deb -x "$dir"/deb/*.deb "$dir/root"
	cp "$dir"/root/boot/vmlinuz-* "$dir/vmlinuz"
	for module in "${MODULES[@]}"; do
		module=$(find "$dir/root" -name "$module.ko" -o -name "$module.ko.xz")
		[[ -n $module ]] || continue # built in; a test that misses one says so
		cp "$module" "$dir/modules/"
	done
	! compgen -G "$dir/modules/*.xz" >/dev/null || xz -d "$dir"/modules/*.xz
	rm -rf "$dir/root" "$dir/deb"
	: >"$dir/complete"
}

# --- what the machine boots into ---------------------------------------------------------------------------------------------

# A file and the libraries it loads, at the same places.
root_add() { # FILE [AS]
	local to=$work/root${2:-$1} library

	mkdir -p "${to%/*}"
	cp -L "$1" "$to"
	[[ $1 != *.so* ]] || return 0
	for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*' || true); do # a static one has none
		[[ -e $work/root$library ]] || root_add "$library"
	done
}

pack() { # FOLDER ARCHIVE
	(cd "$1" && find . -print0 | cpio --null --create --format=newc --quiet) >"$2"
}

root_make() {
	local name file

	mkdir -p "$work/root"/{usr/bin,usr/sbin,usr/lib,usr/lib64,proc,sys,dev,run,tmp,etc,var,rainbow/tests}
	for name in bin sbin lib lib64; do
		ln -s "usr/$name" "$work/root/$name"
	done
	for name in "${PROGRAMS[@]}"; do
		file=$(PATH=$PATH:/usr/sbin:/sbin command -v "$name") || die "$name is missing here"
		root_add "$(realpath "$file")" "/usr/bin/$name"
	done
	root_add "$(command -v busybox)" /usr/bin/busybox
	ln -s bash "$work/root/usr/bin/sh" # for system(3)
	cp tests/kernels/init.sh "$work/root/init"
	cp -r tests/e2e tests/lab tests/kernels "$work/root/rainbow/tests/"
	for file in "$BUILD"/rainbowd "$BUILD"/rainbowctl "$BUILD"/tests/{bpf,e2e,lab}/*; do
		[[ -f $file && (-x $file || $file == *.bpf.o) ]] || continue
		root_add "$file" "/rainbow/build/${file#"$BUILD/"}"
	done
	find "$work/root/rainbow/build" -type f ! -name '*.o' -exec strip {} +
	printf '%s\n' "${tests[@]}" >"$work/root/rainbow/tests/kernels/plan"
	pack "$work/root" "$work/root.cpio"
}

# The kernel unpacks archives one behind the other.
initramfs_make() { # KERNEL
	local module

	mkdir -p "$work/$1/modules"
	for module in "${MODULES[@]}"; do
		[[ ! -e $CACHE/$1/modules/$module.ko ]] || cp "$CACHE/$1/modules/$module.ko" "$work/$1/modules/"
	done
	printf '%s\n' "${MODULES[@]}" >"$work/$1/modules/order"
	printf '%s\n' "$1" >"$work/$1/kernel"
	pack "$work/$1" "$work/$1.cpio"
	cat "$work/root.cpio" "$work/$1.cpio" >"$work/$1.initramfs"
}

# --- machines ----------------------------------------------------------------------------------------------------------------

# Two serial ports: the kernel's console, and the report. No network card.
machine_start() { # KERNEL
	initramfs_make "$1"
	: >"$LOGS/$1.report"
	timeout -k 5 "$DEADLINE" qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -cpu max,la57=off -smp 2 -m 1024 \
		-nodefaults -no-user-config -display none -no-reboot -nic none \
		-kernel "$CACHE/$1/vmlinuz" -initrd "$work/$1.initramfs" \
		-append 'console=ttyS0 loglevel=7 panic=-1 mitigations=off tsc=reliable' \
		-serial "file:$LOGS/$1.console" -serial "file:$LOGS/$1.report" >"$LOGS/$1.qemu" 2>&1 </dev/null &
	machine_of[$1]=$!
}

# Shows a machine's report; true if it came to its end and nothing failed.
machine_report() { # KERNEL EXIT-CODE
	local report=$LOGS/$1.report closing

	sed -i 's/\r$//' "$report"
	cat "$report"
	closing=$(tail -n 1 "$report")
	[[ ! $closing =~ ^kernel\ $1:\ [0-9]+\ passed,\ 0\ failed,\ [0-9]+\ skipped$ ]] || return 0
	[[ ! $closing =~ ^kernel\ $1:\ [0-9]+\ passed,\ [0-9]+\ failed,\ [0-9]+\ skipped$ ]] || return 1
	tail -n 20 "$LOGS/$1.console" "$LOGS/$1.qemu" | sed 's/\r$//; s/^/    | /'
	if (($2 == 124 || $2 == 137)); then
		printf 'kernel %s: FAILED, not at its end after %d s\n' "$1" "$DEADLINE"
	else
		printf 'kernel %s: FAILED, it ended without its closing line\n' "$1"
	fi
	return 1
}

run() {
	local kernel pid code failed=0

	for kernel in "${kernels[@]}"; do
		machine_start "$kernel"
	done
	while ((${#machine_of[@]} > 0)); do
		code=0
		wait -n -p pid "${machine_of[@]}" || code=$?
		for kernel in "${!machine_of[@]}"; do
			[[ ${machine_of[$kernel]} == "$pid" ]] || continue
			unset "machine_of[$kernel]"
			machine_report "$kernel" "$code" || failed=1
		done
	done
	return "$failed"
}

finish() {
	trap '' INT TERM HUP
	((${#machine_of[@]} == 0)) || kill "${machine_of[@]}" 2>/dev/null || true
	wait
	[[ -z $work ]] || rm -rf -- "$work"
}

main() {
	local kernel

	parse "$@"
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	build
	collect
	work=$(mktemp -d "${TMPDIR:-/tmp}/rainbow-kernels.XXXXXX")
	mkdir -p "$CACHE"
	rm -rf "$LOGS"
	mkdir -p "$LOGS"
	for kernel in "${kernels[@]}"; do
		kernel_fetch "$kernel"
	done
	root_make
	run
}

main "$@"
