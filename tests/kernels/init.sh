#!/usr/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=dash
#
# The first process of a machine of scripts/check-kernels.sh: what a test expects to be there, then the tests, then power off.
export PATH=/usr/bin:/usr/sbin:/busybox HOME=/tmp TERM=dumb LC_ALL=C

/usr/bin/busybox mkdir -p /busybox
/usr/bin/busybox --install -s /busybox
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t bpf bpf /sys/fs/bpf
mkdir -p /run/netns /dev/shm
ln -sf /proc/self/fd /dev/fd
ip link set lo up
while read -r module; do
	[ ! -e "/modules/$module.ko" ] || insmod "/modules/$module.ko"
done </modules/order

stty -F /dev/ttyS1 raw -echo
bash /rainbow/tests/kernels/run.sh "$(cat /kernel)" >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw # waits until all of it is out
poweroff -f
