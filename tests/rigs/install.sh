#!/bin/bash
# Installs what the tests with real daemons need. Debian 12 (or a relative with these packages), as root; says so
# elsewhere. Starts no service, and is over at once when everything is there.
set -euo pipefail

packages=(
    tgt libiscsi-bin                                                       # the target, and an independent initiator
    qemu-system-common util-linux                                          # the storage daemon before each volume
    libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-block-extra qemu-utils   # the hypervisor
    busybox-static cpio kmod syslinux syslinux-common mtools               # the guest is made of and by these
    openssh-server openssh-client                                          # the storage box over ssh
    postgresql pgbouncer                                                   # a state that is shared
    gcc pkg-config libvirt-dev python3-dev                                 # libvirt-python is built from source
)

missing=()
for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

if ! command -v apt-get > /dev/null; then
    echo "The rigs are made for Debian. Elsewhere, install what these Debian packages hold: ${packages[*]}" >&2
    exit 1
fi
if [[ $EUID -ne 0 ]]; then
    echo "Missing for the tests with real daemons: ${missing[*]}. Run this as root to install them." >&2
    exit 1
fi

# Daemons that the packages would start are of no use here: each test starts its own.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod +x $policy
    trap 'rm -f $policy' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends "${missing[@]}" > /dev/null
