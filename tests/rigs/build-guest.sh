#!/bin/bash
# build-guest.sh DIRECTORY: makes a Linux that is up within seconds under QEMU's emulation and answers commands on a
# serial port: DIRECTORY/vmlinuz and DIRECTORY/initrd.gz, to be started by QEMU itself, and DIRECTORY/disk.img, the same
# on a disk that a PC's firmware starts from and whose file system it then lives on.
#
# The kernel is Debian's cloud kernel, downloaded and unpacked but not installed; user space is busybox. Everything is
# built in a temporary folder and moved into place at the end, so a build that is cut short leaves nothing half-made.
set -euo pipefail

result=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-cache show linux-image-cloud-amd64 > /dev/null 2>&1 || apt-get -qq update
package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2 }')
apt-get -qq -o APT::Sandbox::User=root download "$package"
dpkg-deb --fsys-tarfile linux-image-*.deb | tar x ./boot ./lib
version=$(ls lib/modules)
/sbin/depmod -b . "$version"

root=$work/root
mkdir -p "$root"/{applets,bin,dev,disk,modules,proc,sys}
cp "$(command -v busybox)" "$root/bin/busybox"

# The drivers of disks, of the file system of disk.img and of the power button, with what they need, in the order in
# which they must be loaded.
for module in virtio_pci virtio_blk virtio_scsi sd_mod vfat nls_cp437 nls_ascii button evdev; do
    /sbin/modprobe -d . -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    cp "$path" "$root/modules/"
    basename "$path" >> "$root/modules/order"
done

# The kernel hands on as variables what it does not know of its command line: `label` of the file system to live on, and
# the serial `port` for commands.
cat > "$root/init" <<'INIT'
#!/bin/busybox sh
alias busybox=/bin/busybox
while read -r module; do busybox insmod "/modules/$module"; done < /modules/order
if [ -n "$label" ]; then
    busybox mount -t proc proc /proc
    busybox mount -t devtmpfs devtmpfs /dev
    until device=$(busybox findfs "LABEL=$label"); do busybox usleep 50000; done
    busybox mount -t vfat -o iocharset=ascii "$device" /disk
    exec /bin/busybox switch_root /disk /serve
fi
exec /serve
INIT

cat > "$root/serve" <<'SERVE'
#!/bin/busybox sh
/bin/busybox mount -t tmpfs tmpfs /applets
/bin/busybox --install -s /applets
export PATH=/applets
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

# The power button ends it, as it does any guest.
mkdir -p /applets/acpi/PWRF
printf '#!/bin/busybox sh\nsync\npoweroff -f\n' > /applets/acpi/PWRF/00000080
chmod +x /applets/acpi/PWRF/00000080
acpid -c /applets/acpi -l /dev/null -p /applets/acpid.pid

# A line "ID COMMAND" is answered by the command's output and a line "\001ID STATUS". The port must be raw, since a
# terminal would echo the commands and change line ends, and stay open: what has arrived is dropped at the last close.
exec 3<> "/dev/${port:-ttyS1}"
stty raw -echo <&3
echo GUEST-READY > /dev/console
while read -r id command; do
    (eval "$command") 2>&1
    printf '\001%s %s\n' "$id" "$?"
done <&3 >&3
SERVE
chmod +x "$root/init" "$root/serve"

(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) > initrd.gz

# A master boot record whose first partition, 38 MiB from 1 MiB on, is active and a FAT that syslinux starts the kernel
# from. mtools and syslinux write into the file as it is.
truncate --size 39M disk.img
write() { dd of=disk.img bs=1 seek="$1" conv=notrunc status=none; }
write 0 < /usr/lib/syslinux/mbr/mbr.bin
printf '\x80\xfe\xff\xff\x0e\xfe\xff\xff\x00\x08\x00\x00\x00\x30\x01\x00' | write 446
printf '\x55\xaa' | write 510
volume=disk.img@@1M
mformat -i $volume -T $((38 * 2048)) -h 16 -s 63 -H 2048 -v LUNFORM ::
cat > syslinux.cfg <<'CFG'
DEFAULT linux
LABEL linux
    KERNEL vmlinuz
    INITRD initrd.gz
    APPEND console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off label=LUNFORM port=ttyS0
CFG
mcopy -i $volume "boot/vmlinuz-$version" ::vmlinuz
mcopy -i $volume initrd.gz syslinux.cfg "$root/serve" ::
mmd -i $volume ::applets ::bin ::dev ::proc ::sys
mcopy -i $volume "$root/bin/busybox" ::bin/busybox
syslinux --install --offset $((1 << 20)) disk.img

mkdir -p "$result"
mv "boot/vmlinuz-$version" "$result/vmlinuz"
mv initrd.gz disk.img "$result/"
