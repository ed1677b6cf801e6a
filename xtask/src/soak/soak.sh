# What a guest does during 'cargo xtask soak': minutes. 'top' and 'record' watch while files
# are written, replaced, cut and deleted and containers come and go; then everything stands
# still, and a fresh scan tells what 'top' should show. Output: reports of 'top', one a line;
# a line 'fresh'; the report of the scan; then a line for each figure.
minutes=$1
place=/tmp/soak
mkdir -p "$place/churn" "$place/upper" "$place/work" "$place/run" /run/soak
for base in a b; do mkdir -p "$place/base-$base/lib"; done
number=0
while [ "$number" -lt 16 ]; do
    number=$((number + 1))
    dd if=/dev/urandom of="$place/base-a/lib/$number" bs=64k count=8 2>/dev/null
    cp "$place/base-a/lib/$number" "$place/base-b/lib/$number"
done
sync

# The first descriptor is for reports alone: lines of two programs could mix.
sharestat top -b --format ndjson --delay 5 --top 1 --seed 7 --cpu-budget 25 &
top=$!
sharestat record -o "$place/soak.ssr" --seed 7 --cpu-budget 25 2>/run/soak/record &
record=$!

# Until there is /run/soak/stop: a file is written, copied, changed, cut, deleted, forgotten.
churn() {
    step=0
    while [ ! -e /run/soak/stop ]; do
        step=$((step + 1))
        file=$place/churn/$((step % 37))
        case $((step % 6)) in
        0) dd if=/dev/urandom of="$file" bs=64k count=4 ;;
        1) cp "$place/base-a/lib/$((step % 16 + 1))" "$file" ;;
        2) [ -e "$file" ] && dd if=/dev/urandom of="$file" bs=4k count=3 seek=5 conv=notrunc ;;
        3) [ -e "$file" ] && truncate -s 70000 "$file" ;;
        4) rm -f "$file" ;;
        5) [ -e "$file" ] && cat "$file" >/dev/null ;;
        esac 2>/dev/null
        [ $((step % 400)) = 0 ] && sync && echo 1 >/proc/sys/vm/drop_caches
        sleep 0.05
    done
    echo "$step" >/run/soak/steps
}

# A container from start to end: 4 MiB of memory for 8 MiB of files, a copy-up, a new file.
container() {
    name=c$1
    case $(($1 % 2)) in 0) base=a ;; 1) base=b ;; esac
    group=/sys/fs/cgroup/$name
    mkdir "$group" "$place/upper/$name" "$place/work/$name" "$place/run/$name"
    echo 4M >"$group/memory.max"
    mount -t overlay "$name" "$place/run/$name" -o \
        "lowerdir=$place/base-$base,upperdir=$place/upper/$name,workdir=$place/work/$name"
    sh -c 'echo $$ >"$1/cgroup.procs"
        cat "$2"/lib/* >/dev/null
        echo changed >>"$2/lib/3"
        cp "$2/lib/5" "$2/new"
        cat "$2/new" >/dev/null' - "$group" "$place/run/$name"
    umount "$place/run/$name"
    rmdir "$group"
    rm -r "$place/upper/$name" "$place/work/$name" "$place/run/$name"
}

containers() {
    started=0
    while [ ! -e /run/soak/stop ]; do
        started=$((started + 1))
        container "$started"
        sleep 0.2
    done
    echo "$started" >/run/soak/started
}

resident() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }

churn &
churning=$!
containers &
containing=$!
end=$(($(date +%s) + minutes * 60))
samples=
while [ "$(date +%s)" -lt "$end" ]; do
    sleep 5
    samples="$samples $(resident "$top"):$(resident "$record")"
done
touch /run/soak/stop
wait "$churning" "$containing"
kill -INT "$record"
wait "$record"

# Nothing is dirty any more, and all that was announced has been hashed.
sync
sleep 20
sync
sleep 20
kill -INT "$top"
wait "$top"
echo fresh
sharestat scan --format ndjson --top 1 --seed 7
echo "containers $(cat /run/soak/started)"
echo "steps $(cat /run/soak/steps)"
echo "recording $(stat -c %s "$place/soak.ssr")"
echo "recorded $(tail -n 1 /run/soak/record)"
echo "replay $(sharestat top --replay "$place/soak.ssr" --once --format ndjson 2>&1 >/dev/null)"
echo "memory$samples"
