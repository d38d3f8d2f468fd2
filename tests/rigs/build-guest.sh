#!/bin/bash
# build-guest.sh DIRECTORY: makes DIRECTORY/vmlinuz and DIRECTORY/initrd.gz, a Linux that is up within seconds under
# QEMU's emulation and answers commands on its second serial port.
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
mkdir -p "$root"/{bin,dev,proc,sys,modules}
cp "$(command -v busybox)" "$root/bin/busybox"

# The disks' drivers and what they need, in the order in which they must be loaded.
for module in virtio_pci virtio_blk virtio_scsi sd_mod; do
    /sbin/modprobe -d . -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    cp "$path" "$root/modules/"
    basename "$path" >> "$root/modules/order"
done

cat > "$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order

# A line "ID COMMAND" is answered by the command's output and a line "\001ID STATUS". The port must be raw, since a
# terminal would echo the commands and change line ends, and stay open: what has arrived is dropped at the last close.
exec 3<> /dev/ttyS1
stty raw -echo <&3
echo GUEST-READY > /dev/console
while read -r id command; do
    (eval "$command") 2>&1
    printf '\001%s %s\n' "$id" "$?"
done <&3 >&3
INIT
chmod +x "$root/init"

(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) > initrd.gz
mkdir -p "$result"
mv "boot/vmlinuz-$version" "$result/vmlinuz"
mv initrd.gz "$result/initrd.gz"
