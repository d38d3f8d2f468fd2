"""
KVM and QEMU hosts through libvirt. Needs libvirt-python: `pip install "lunform[libvirt]"`.

A disk is attached as an iSCSI network disk: QEMU itself logs in, so the host needs no initiator of its own and no
device node. Ceilings and bursts are held by QEMU's throttling (`<iotune>`).

    connections      one per URI, kept and made again when dead; what libvirt's errors say of the effect
    vm               a domain with its definitions, the running VM's and the stored one
    definition       a domain's XML: its disks, free device names, what a new disk looks like
    limits           IOPS figures as libvirt's block tuning has them
    chap             the secrets that libvirt keeps for QEMU
    provider         the protocol of `planner.sdk`
"""

from planner.sdk import NUMBER, Argument, HypervisorProvider, ProviderDefinition, Rejected, Settings


def _open_hypervisor(settings: Settings) -> HypervisorProvider:
    try:
        import libvirt  # noqa: F401 - only whether it is there
    except ImportError:
        raise Rejected(
            "The provider libvirt needs libvirt-python",
            'It comes with an extra: `pip install "lunform[libvirt]"`. Building it needs the packages libvirt-dev and '
            "pkg-config (Debian) or libvirt-devel (Fedora).",
        ) from None
    from providers.libvirt.provider import LibvirtHosts

    return LibvirtHosts(settings)


PROVIDER = ProviderDefinition(
    name="libvirt",
    summary="KVM and QEMU hosts through libvirt.",
    settings=(Argument("detach_timeout", NUMBER, "Seconds that a guest has to let go of a disk. Left out: 20."),),
    host_arguments=(
        Argument("uri", required=True, summary='Of its libvirtd: "qemu:///system", "qemu+ssh://root@kvm1/system".'),
    ),
    open_hypervisor=_open_hypervisor,
)
