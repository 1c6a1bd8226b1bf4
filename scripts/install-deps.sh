#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Installs the Debian 12 packages that rainbow is built, tested and shown with; only those that are missing, so it may be run
# again at any time. No service that comes with a package is started, now or at the next boot.
#
#   install-deps.sh [--check] [build|test|demo|peers|kernels|lint]...     without a group: all of them
#   --check   installs nothing; lists what is missing and exits 1 if anything is
set -euo pipefail

# group package   what for
readonly PACKAGES='
build gcc                  the compiler of the user side
build libc6-dev            the C library headers, and those of the kernel with it
build make                 runs the build
build clang                the compiler of the BPF side
build bpftool              makes the skeleton; also the second user interface
build pkg-config           finds the libraries
build libbpf-dev           loads BPF programs
build libelf-dev           libbpf reads ELF with it
build zlib1g-dev           libbpf unpacks with it
build libevent-dev         event loop and HTTP server of rainbowd
build libjansson-dev       JSON
build libsqlite3-dev       the state of rainbowd
build libcurl4-openssl-dev HTTP over the unix socket, for rainbowctl
build libyaml-dev          YAML, for rainbowctl
demo  iproute2             network namespaces, links, addresses
demo  ethtool              offloads of the lab links
demo  util-linux           nsenter, flock
demo  procps               sysctl
demo  jq                   reads the JSON of rainbowctl
demo  libjq-dev            the lab looks through filters of jq
test  iproute2             network namespaces, links, addresses
test  ethtool              offloads of the lab links
test  util-linux           nsenter, flock, setpriv
test  procps               sysctl, ps
test  jq                   reads the JSON of rainbowctl
test  libcmocka-dev        unit tests
test  libjq-dev            the lab looks through filters of jq
test  libclang-rt-dev      libFuzzer and the sanitizers, for make fuzz
test  llvm                 llvm-cov: what the fuzzers reach
test  nginx                a real HTTP server
test  libfaketime          a wall clock of its own for rainbowd, to make it jump
test  iputils-ping         foreign traffic through the router
test  curl                 a real HTTP client; asks the API
test  nftables             loses packets on the way
test  iperf3               real bulk transfers, TCP and UDP
test  python3              runs the WebSocket test
test  python3-websockets   a real WebSocket server and client
test  tcpdump              shows packets when a test fails
test  strace               kills rainbowd at a given system call
test  sqlite3              looks into the state when a test fails
test  prometheus           a real Prometheus that gates ask
test  openssl              makes certificates for tests over TLS
peers nftables             a router to compare with: DNAT by a weighted map
peers conntrack            reads what nftables remembers
peers haproxy              a proxy to compare with: mode tcp
peers socat                speaks with HAProxy
peers nginx                a proxy to compare with
peers libnginx-mod-stream  ... its TCP part
peers iperf3               real bulk transfers
peers python3              medians and the table
kernels qemu-system-x86    runs other kernels, without KVM
kernels busybox-static     the first process in them
kernels cpio               packs what they boot into
kernels xz-utils           unpacks their modules
kernels binutils           strips what goes there
kernels iproute2           network namespaces, links, addresses, also in there
lint  clang-format         make format and make lint
lint  clang-tidy           make lint
lint  cppcheck             make lint
lint  mandoc               make lint
lint  shellcheck           make lint
lint  gcovr                make coverage
lint  libc6-dbg            symbols without which valgrind does not start
lint  valgrind             make check-valgrind
'

readonly POLICY=/usr/sbin/policy-rc.d
readonly MARK='made by install-deps.sh of rainbow'
policy_is_ours=no

die() {
	printf 'install-deps: %s\n' "$*" >&2
	exit 1
}

usage() {
	sed -n '4,8s/^# \{0,1\}//p' "$0"
}

# Prints "package why" of what the groups need and this machine lacks, each package once.
list_missing() {
	local group package why installed

	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
	while read -r group package why; do
		[[ -n $group && " $* " == *" $group "* ]] || continue
		[[ $'\n'$installed$'\n' == *$'\n'"$package"$'\n'* ]] || printf '%s %s\n' "$package" "$why"
	done <<<"$PACKAGES" | sort -u -k1,1
}

# While this file says 101, maintainer scripts start no service. One that is there already is the administrator's.
policy_set() {
	if [[ -e $POLICY ]] && ! grep -qs "$MARK" "$POLICY"; then
		return
	fi
	policy_is_ours=yes
	printf '#!/bin/sh\n# %s\nexit 101\n' "$MARK" >"$POLICY"
	chmod 755 "$POLICY"
}

policy_clear() {
	[[ $policy_is_ours == no ]] || rm -f "$POLICY"
	policy_is_ours=no
}

install_packages() {
	local service

	exec 9>/run/rainbow-install-deps.lock
	flock 9
	trap policy_clear EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	policy_set
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q -o DPkg::Lock::Timeout=300 update
	apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
	# These packages enable their services at boot; the tests start an nginx, a HAProxy and a Prometheus of their own.
	for service in nginx haproxy prometheus; do
		[[ " $* " != *" $service "* ]] || update-rc.d "$service" disable || true
	done
	policy_clear
}

main() {
	local check=no groups=() names=() missing name why

	while (($# > 0)); do
		case $1 in
		--check) check=yes ;;
		build | test | demo | peers | kernels | lint) groups+=("$1") ;;
		-h | --help) usage && exit 0 ;;
		*) usage >&2 && exit 2 ;;
		esac
		shift
	done
	((${#groups[@]} > 0)) || groups=(build test demo peers kernels lint)

	command -v dpkg-query >/dev/null ||
		die "this system has no dpkg; install by hand what this file lists: $0"
	missing=$(list_missing "${groups[@]}")
	[[ -n $missing ]] || exit 0
	printf 'install-deps: missing here:\n'
	while read -r name why; do
		printf '  %-22s %s\n' "$name" "$why"
	done <<<"$missing"
	[[ $check == no ]] || exit 1
	((EUID == 0)) || die "packages are missing and only root can install them: sudo $0 ${groups[*]}"

	mapfile -t names < <(cut -d' ' -f1 <<<"$missing")
	install_packages "${names[@]}"
	missing=$(list_missing "${groups[@]}")
	[[ -z $missing ]] || die "still missing after the installation: $(cut -d' ' -f1 <<<"$missing" | paste -sd' ')"
}

main "$@"
