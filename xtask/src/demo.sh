# The scenario of 'sharestat demo', in a guest: three images in a store of containers/storage,
# their containers, and half a minute of their life. Two of the images were built apart from
# the same packages, so their layers hold equal files; a third shares its base with the first.
# Output: the recording, in base64.
set -eu
store=/var/lib/containers/storage
slice=/sys/fs/cgroup/machine.slice

id() { printf %s "$1" | sha256sum | cut -c1-64; }
diff() { echo "$store/overlay/$(id "$1")/diff"; }

# start NAME LAYERS, upper one first.
start() {
    name=$1
    shift
    lower=
    for layer; do lower=${lower:+$lower:}$(diff "$layer"); done
    upper=$store/overlay/$(id "$name.rw")
    mkdir -p "$upper/diff" "$upper/work" "$upper/merged" "$(group "$name")"
    mount -t overlay overlay "$upper/merged" \
        -o "lowerdir=$lower,upperdir=$upper/diff,workdir=$upper/work"
}
merged() { echo "$store/overlay/$(id "$1.rw")/merged"; }
group() { echo "$slice/libpod-$(id "container $1").scope"; }

# A container reads its files, one after the other, charged to its group.
work() {
    sh -c 'echo $$ >"$1/cgroup.procs"
        find "$2" -xdev -type f | sort | while read -r file; do
            cat "$file" >/dev/null
            sleep 0.1
        done' - "$(group "$1")" "$(merged "$1")"
}
live() {
    work worker
    sleep 2
    start report report debian-a
    work report
    sleep 2
    # An update copies a library up, and changes one page of it.
    printf patched | dd of="$(merged report)/usr/lib/libcrypto.so.3" conv=notrunc 2>/dev/null
    sync
    cat "$(merged report)/usr/lib/libcrypto.so.3" >/dev/null
    sleep 2
    # Memory gets short for the worker, which reads its files again.
    echo 3M >"$(group worker)/memory.high"
    work worker
    sleep 2
    # It ends, what was charged to it leaves the page cache, and it comes back.
    umount "$(merged worker)"
    echo 64M >"$(group worker)/memory.reclaim" 2>/dev/null || true
    rmdir "$(group worker)"
    sleep 2
    start worker worker python-b debian-b
    work worker
    sleep 2
}
# What the recording is of: this script again, inside 'sharestat record'.
if [ "${1:-}" = live ]; then
    live
    exit
fi

exec 3>&1 >&2
hostname demo
mkdir -p "$store"
disk=${SHARESTAT_SCRATCH_DISKS%%:*}
mkfs.ext4 -q -F -O ^has_journal "$disk"
mount -t ext4 -o noatime "$disk" /var/lib/containers
mkdir -p "$store/overlay" "$store/overlay-layers" "$store/overlay-images" \
    "$store/overlay-containers"

# A file of so many KiB, every page of which follows from the file's name.
make() {
    mkdir -p "$(dirname "$2")"
    seq 100000000 "$((100000000 + $1 * 64))" | sed "s/^/$3 /" | head -c "$1k" >"$2"
}

base() {
    root=$(diff "$1")
    make 1200 "$root/usr/lib/libc.so.6" libc
    make 900 "$root/usr/lib/libcrypto.so.3" crypto
    make 600 "$root/usr/bin/bash" bash
    make 240 "$root/usr/lib/libz.so.1" "$2"
    for zone in Berlin Lagos Lima Osaka Oslo Quito; do
        make 16 "$root/usr/share/zoneinfo/$zone" "$zone"
    done
}
base debian-a z-1
base debian-b z-2
for image in a b; do
    root=$(diff "python-$image")/usr/lib
    make 1800 "$root/libpython3.13.so.1.0" python
    for module in asyncio email http json ssl; do
        make 96 "$root/python3.13/$module.pyc" "$module"
    done
done
make 700 "$(diff web)/app/server" server
make 500 "$(diff worker)/app/worker" worker
make 2200 "$(diff worker)/app/catalogue.db" catalogue
make 300 "$(diff report)/app/report" report
head -c 320k /dev/zero >"$(diff report)/app/empty.db"

layer() { printf '{"id":"%s","parent":"%s"}' "$(id "$1")" "${2:+$(id "$2")}"; }
{
    echo '['
    for pair in debian-a: debian-b: python-a:debian-a python-b:debian-b web:python-a \
        worker:python-b report:debian-a web.rw:web worker.rw:worker report.rw:report; do
        [ "$pair" = debian-a: ] || echo ,
        layer "${pair%%:*}" "${pair#*:}"
    done
    echo ']'
} >"$store/overlay-layers/layers.json"
{
    separator='['
    for image in web:1.4 worker:1.4 report:2.0; do
        name=${image%%:*}
        printf '%s{"id":"%s","names":["registry.example/shop/%s"],"layer":"%s"}' \
            "$separator" "$(id "image $name")" "$image" "$(id "$name")"
        separator=,
    done
    echo ']'
} >"$store/overlay-images/images.json"
{
    separator='['
    for name in web worker report; do
        printf '%s{"id":"%s","names":["%s"],"image":"%s","layer":"%s"}' \
            "$separator" "$(id "container $name")" "$name" "$(id "image $name")" "$(id "$name.rw")"
        separator=,
    done
    echo ']'
} >"$store/overlay-containers/containers.json"

# Mounted anew, nothing of it is cached.
umount /var/lib/containers
mount -t ext4 -o noatime "$disk" /var/lib/containers

mkdir "$slice"
echo +memory >"$slice/cgroup.subtree_control"
start web web python-a debian-a
start worker worker python-b debian-b
work web
sharestat record -o /tmp/demo.ssr --path "$store/overlay" --cpu-budget 50 -- \
    sh "$0" live
base64 /tmp/demo.ssr >&3
