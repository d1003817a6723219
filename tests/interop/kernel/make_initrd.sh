#!/bin/bash
# make_initrd.sh OUT KERNEL: a small initrd for Debian's kernel of this version. It mounts the host's file system by 9p,
# read-only, puts a throw-away layer over it, and hands over to the script named by `init_script=` on the command line.
# Called by vm.py. Needs busybox-static, cpio, kmod, and the modules of the kernel package.
set -eu
out=$(realpath -m "$1") kernel=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,proc,sys,dev,lib,below,layer,whole}
cp /bin/busybox "$work/bin/"

load=""
while read -r module; do
  cp "$module" "$work/lib/"
  load+="\$b insmod /lib/$(basename "$module")"$'\n'
done < <(for name in virtio_pci 9p 9pnet_virtio overlay; do modprobe -D -S "$kernel" "$name"; done |
  awk '$1 == "insmod" && !seen[$2]++ {print $2}')

cat >"$work/init" <<END
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc none /proc; \$b mount -t sysfs none /sys; \$b mount -t devtmpfs none /dev
for word in \$(\$b cat /proc/cmdline); do case \$word in init_script=*) script=\${word#init_script=} ;; esac; done
$load
\$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,ro,cache=loose host /below
\$b mount -t tmpfs none /layer; \$b mkdir -p /layer/upper /layer/work
\$b mount -t overlay -o lowerdir=/below,upperdir=/layer/upper,workdir=/layer/work none /whole
for d in proc sys; do \$b mount --move /\$d /whole/\$d; done
\$b mount -t devtmpfs none /whole/dev
\$b mkdir -p /whole/dev/shm; \$b mount -t tmpfs none /whole/dev/shm
for d in run tmp; do \$b mount -t tmpfs none /whole/\$d; done
exec \$b switch_root /whole /bin/bash "\$script"
END
chmod +x "$work/init"
(cd "$work" && find . | cpio -o -H newc --quiet | gzip -1) >"$out"
