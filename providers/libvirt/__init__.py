"""
KVM and QEMU hosts through libvirt. Needs libvirt-python: `pip install "lunform[libvirt]"`.

A disk is attached as an iSCSI network disk: QEMU itself logs in, so the host needs no initiator of its own and no
device node. Ceilings and bursts are held by QEMU's throttling (`<iotune>`).

    connections      one per URI, kept and made again when dead; what libvirt's errors say of the effect
    definition       a domain's XML: its disks, free device names, what a new disk looks like
    limits           IOPS figures as libvirt's block tuning has them
    chap             the secrets that libvirt keeps for QEMU
    provider         the protocol of `planner.sdk`
"""

from planner.sdk import NUMBER, Argument, HypervisorProvider, ProviderDefinition, Settings


def _open_hypervisor(settings: Settings) -> HypervisorProvider:
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
