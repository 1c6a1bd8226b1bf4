#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Looks for mistakes without running anything: format, shell, man pages, cppcheck, clang-tidy (what it looks for: .clang-tidy).
# `make lint` makes the skeletons that it includes and passes the flags of the build. Every finding is an error. The last line is
# "N passed, N failed"; the exit code is 0 if none failed.
#
#   lint.sh [CHECKER]...     format, shell, man, cppcheck, tidy; without one, all
#
# From the environment: LINT_CFLAGS and LINT_BPF_CFLAGS, the flags of the two compilers; JOBS, how many at a time (default 2).
set -euo pipefail

cd "$(dirname "$0")/.."
readonly JOBS=${JOBS:-2}
# The analyzer gives a function up behind so many steps of its path: without a limit a few functions take most of the time.
readonly ANALYZER=(-Xclang -analyzer-config -Xclang max-nodes=40000)
passed=0 failed=0

# Prints a file list ended by zeros: what git knows of these patterns, new files too.
files() { # PATTERN...
	git ls-files -z --cached --others --exclude-standard -- "$@"
}

lint_format() {
	files '*.c' '*.h' | xargs -0 clang-format --dry-run -Werror
}

# The library part of the e2e tests is followed from each of them, so several at a time. Left out: A && B || C, a $ in single
# quotes (for awk, jq, another shell), and names that a sourced file assigns.
lint_shell() {
	files '*.sh' .ci/run | xargs -0 -n 4 -P "$JOBS" shellcheck -x -P SCRIPTDIR -S info -e SC2015,SC2016,SC2153
}

lint_man() {
	files '*.8' | xargs -0 mandoc -T lint -W warning
}

# Macros of libbpf, jansson and sys/queue.h that declare or loop are explained to it (without a semicolon: it parts definitions by
# them), and a format; it does not read the system's headers. Arithmetic on void pointers is defined in the C of this project, gnu11.
lint_cppcheck() {
	local macros=(-D_GNU_SOURCE -DRAINBOW_RELEASE='"lint"' '-DLIBBPF_OPTS(type,name,...)=struct type name = {__VA_ARGS__}'
		'-DSEC(name)=' '-D__noinline=' '-D__always_inline=inline' '-D__uint(name,value)=int name' '-D__type(name,value)=int name'
		'-D__array(name,value)=int name' '-Djson_array_foreach(array,index,value)=while ((index = 0, value = array[index]))'
		'-Djson_object_foreach(object,key,value)=while ((key = object, value = object[0]))'
		'-DTAILQ_HEAD(name,type)=int' '-DTAILQ_ENTRY(type)=int' '-DTAILQ_FOREACH(each,head,field)=while ((each = head))'
		'-DLIST_HEAD(name,type)=int' '-DLIST_ENTRY(type)=int' '-DLIST_FOREACH(each,head,field)=while ((each = head))'
		'-DSCNd64="ld"')

	# shellcheck disable=SC2046 # names without blanks
	cppcheck -j "$JOBS" --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem --suppress=arithOperationsOnVoidPointer --template='{file}:{line}: {severity}: {message} [{id}]' \
		"${macros[@]}" -Iheaders -Iuser -Ibpf -I. $(files 'bpf/*.c' 'user/*.c' 'tests/*.c' | tr '\0' '\n')
}

# One file; silent if nothing is found. The analyzer follows paths, which costs: not in tests, whose paths are few.
tidy_one() { # FILE
	local flags checks=() out code=0

	read -ra flags <<<"$LINT_CFLAGS"
	case $1 in
	*.bpf.c) read -ra flags <<<"$LINT_BPF_CFLAGS" ;;
	tests/*) checks=(--checks=-clang-analyzer-\*) ;;
	*) ! grep -q 'skel\.h"' "$1" || checks=(--checks=-clang-analyzer-unix.Malloc) ;; # the skeleton's leak is bpftool's
	esac
	out=$(clang-tidy --quiet "${checks[@]}" "$1" -- "${flags[@]}" "${ANALYZER[@]}" 2>&1) || code=$?
	((code == 0)) || printf '%s\n' "$out"
	return "$code"
}

lint_tidy() {
	: "${LINT_CFLAGS:?is set by make lint}" "${LINT_BPF_CFLAGS:?is set by make lint}"
	files 'bpf/*.c' 'user/*.c' 'tests/*.c' | xargs -0 -n 1 -P "$JOBS" "$0" --tidy-one
}

check() { # CHECKER
	local began=$SECONDS word=ok

	if "lint_$1"; then
		passed=$((passed + 1))
	else
		word=FAILED
		failed=$((failed + 1))
	fi
	printf '%-8s %-34s %6d s\n' "$word" "lint/$1" $((SECONDS - began))
}

main() {
	local name

	if [[ ${1:-} == --tidy-one ]]; then
		tidy_one "$2"
		return
	fi
	(($# > 0)) || set -- format shell man cppcheck tidy
	for name in "$@"; do
		[[ $(type -t "lint_$name") == function ]] || { printf 'lint: no checker "%s"\n' "$name" >&2 && exit 2; }
		check "$name"
	done
	printf '%d passed, %d failed\n' "$passed" "$failed"
	((failed == 0))
}

main "$@"
