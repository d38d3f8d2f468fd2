"""
KVM and QEMU hosts through libvirt. Needs libvirt-python: `pip install "lunform[libvirt]"`.

A VM is made as a persistent domain that is off and marked as ours in its metadata. Its root disk is attached to it like
any other, and then it is started.

A disk is attached as an iSCSI network disk: QEMU itself logs in, so the host needs no initiator of its own and no
device node. Ceilings, bursts and bandwidths are held by QEMU's throttling (`<iotune>`).

    connections      one per URI, kept and made again when dead; what libvirt's errors say of the effect
    vm               a domain with its definitions, the running VM's and the stored one
    definition       a domain's XML: its disks, free device names, what a new disk looks like
    domain           a domain's XML as a whole: what a new VM is, its figures, whose it is
    live             what is done to the disks of a running VM, and whether it was
    limits           figures as libvirt's block tuning has them
    chap             the secrets that libvirt keeps for QEMU
    power            starting VMs, and ending them in the guest's own time
    refusals         what QEMU's messages mean
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
    settings=(
        Argument("detach_timeout", NUMBER, "Seconds that a guest has to let go of a disk. Left out: 20."),
        Argument("shutdown_timeout", NUMBER, "Seconds that a guest has to shut down. Left out: 60."),
    ),
    host_arguments=(
        Argument("uri", required=True, summary='Of its libvirtd: "qemu:///system", "qemu+ssh://root@kvm1/system".'),
        Argument("network", summary="Its libvirt network that new VMs are connected to. Left out: none."),
        Argument(
            "virt_type", summary="How new VMs run: by KVM, or emulated (qemu).", choices=("kvm", "qemu"), default="kvm"
        ),
    ),
    open_hypervisor=_open_hypervisor,
)
