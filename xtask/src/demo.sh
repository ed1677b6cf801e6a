# The scenario of 'sharestat demo': sharestat, work directory, recording, place.
# Two images were built apart from the same packages, so their layers hold equal files;
# a third shares its base with the first.
sharestat=$1 work=$2 recording=$3 place=$4

hostname demo
trap 'umount -R "$place"; rm -f "$work/disk"' EXIT
mkdir -p "$place"
truncate -s 64M "$work/disk"
mkfs.ext4 -q -F "$work/disk"
mount -o loop "$work/disk" "$place"
layers=$place/layers
mkdir -p "$layers"

# A file of so many KiB whose content follows from its name.
make() {
    mkdir -p "$(dirname "$2")"
    openssl enc -aes-128-ctr -K "$(printf %s "$3" | md5sum | cut -c1-32)" -iv 0 \
        -in /dev/zero 2>/dev/null | head -c "$1"K >"$2"
}

base() {
    make 600 "$1/usr/lib/libc.so.6" libc
    make 340 "$1/usr/lib/libcrypto.so.3" crypto
    make 260 "$1/usr/bin/bash" bash
    make 120 "$1/usr/lib/libz.so.1" "$2"
    for number in 1 2 3 4 5 6; do
        make 16 "$1/usr/share/zoneinfo/zone$number" "zone$number"
    done
}
base "$layers/debian-a" z-1
base "$layers/debian-b" z-2
for image in a b; do
    python=$layers/python-$image/usr/lib/python3.13
    make 900 "$layers/python-$image/usr/lib/libpython3.13.so" python
    for module in json asyncio http ssl email; do
        make 48 "$python/$module.pyc" "$module"
    done
done
make 180 "$layers/web/app/server" server
make 140 "$layers/worker/app/worker" worker
make 100 "$layers/report/app/report" report
head -c 160K /dev/zero >"$layers/report/app/empty.db"

# Mounted anew, nothing of it is cached.
umount "$place"
mount -o loop "$work/disk" "$place"

container() {
    mkdir -p "$place/run/$1" "$place/upper/$1" "$place/work/$1"
    mount -t overlay "$1" -o "lowerdir=$2,upperdir=$place/upper/$1,workdir=$place/work/$1" \
        "$place/run/$1"
}
container web "$layers/web:$layers/python-a:$layers/debian-a"
container worker "$layers/worker:$layers/python-b:$layers/debian-b"
container report "$layers/report:$layers/debian-a"

cat >"$work/traffic.sh" <<'END'
run=$1/run
read_all() { find "$1" -xdev -type f | sort | while read -r file; do cat "$file"; sleep 0.1; done >/dev/null; }
forget() { dd if="$1" iflag=nocache count=0 status=none; }
read_all "$run/web"
sleep 2
read_all "$run/worker"
sleep 2
read_all "$run/report"
sleep 2
# An update copies a library up, and changes one page of it.
printf patched | dd of="$run/report/usr/lib/libcrypto.so.3" conv=notrunc status=none
sync
cat "$run/report/usr/lib/libcrypto.so.3" >/dev/null
sleep 2
# A container ends; its layers leave the page cache.
umount "$run/worker"
for file in $(find "$1/layers/worker" "$1/layers/python-b" -type f); do forget "$file"; done
sleep 2
mount -t overlay worker -o "lowerdir=$1/layers/worker:$1/layers/python-b:$1/layers/debian-b,upperdir=$1/upper/worker,workdir=$1/work/worker" "$run/worker"
read_all "$run/worker"
sleep 2
END
"$sharestat" record -o "$recording" --path "$place" --cpu-budget 50 -- sh -eu "$work/traffic.sh" "$place"
