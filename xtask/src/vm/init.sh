#!/bin/busybox sh
# The first process of a guest: mounts what tests expect, loads the modules, runs
# /guest/command, reports its exit code and powers off. /guest/settings says how:
#   terminal     1: the command talks to the second serial port, else to two virtio ports
#   rows, columns  size of that terminal

export PATH=/usr/bin:/bin HOME=/root TERM=linux LC_ALL=C.UTF-8 RUST_BACKTRACE=1
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /dev/virtio-ports
while read -r type place options; do
    /bin/busybox mount -t "$type" ${options:+-o "$options"} "$type" "$place" 2>/dev/null ||
        echo "guest: no $type on $place" >/dev/console
done <<MOUNTS
devpts /dev/pts
tmpfs /dev/shm
tmpfs /tmp mode=1777
tmpfs /run mode=755
debugfs /sys/kernel/debug
tracefs /sys/kernel/tracing
securityfs /sys/kernel/security
bpf /sys/fs/bpf
cgroup2 /sys/fs/cgroup
MOUNTS
echo '+memory' >/sys/fs/cgroup/cgroup.subtree_control
ln -s /proc/self/fd /dev/fd
# As udev makes them.
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
ip link set lo up
hostname guest

for module in /guest/modules/*; do
    insmod "$module" || echo "guest: $module cannot be loaded" >/dev/console
done
rm -r /guest/modules
for type in ext4 xfs btrfs erofs squashfs fuse overlay; do
    grep -qw "$type" /proc/filesystems || echo "guest: this kernel has no $type" >/dev/console
done

# The ports and disks announce themselves some time after their drivers are loaded.
. /guest/settings
tries=100
while [ ! -e /dev/virtio-ports/verdict ] && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    for port in /sys/class/virtio-ports/*; do
        [ -s "$port/name" ] && ln -sf "/dev/${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
    done
    [ -e /dev/virtio-ports/verdict ] || sleep 0.1
done
# Temporary files are on a disk, as on a real host: tmpfs has no clean pages.
if [ -b /dev/vda ] && mkfs.ext4 -q -F -O ^has_journal /dev/vda >/dev/null 2>&1; then
    /bin/busybox mount -t ext4 -o noatime /dev/vda /tmp && chmod 1777 /tmp
else
    echo "guest: /tmp is a tmpfs" >/dev/console
fi
for disk in /dev/vd[b-z]; do
    [ -b "$disk" ] && SHARESTAT_SCRATCH_DISKS="${SHARESTAT_SCRATCH_DISKS:+$SHARESTAT_SCRATCH_DISKS:}$disk"
done
export SHARESTAT_GUEST=1 SHARESTAT_SCRATCH_DISKS SHARESTAT_BIN=/bin/sharestat

# Whoever waits for the guest looks for this line.
echo 'guest: up' >/dev/console
cd /root || exit
if [ "$terminal" = 1 ]; then
    stty -F /dev/ttyS1 rows "$rows" cols "$columns"
    setsid -c sh /guest/command <>/dev/ttyS1 >&0 2>&0
else
    sh /guest/command </dev/null >/dev/virtio-ports/stdout 2>/dev/virtio-ports/stderr
fi
echo $? >/dev/virtio-ports/verdict
poweroff -f
