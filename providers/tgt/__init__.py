"""
Real iSCSI LUNs on a Linux box with the SCSI target framework (Debian package `tgt`).

Each volume is a target of its own with one LUN, backed by a sparse file in the pool's directory, which may begin with
the content of an image. Nobody is let in
unless granted. A host with an initiator name is let in by that name, one without by its address; either way it must
also know the volume's CHAP secret, which only granted hosts are given. tgtd itself would let in whoever matches *any*
bound name or address, so name and address together cannot be asked for; the secret is what ties the name to the host.
All hosts that share a volume share its secret.

CHAP secrets are derived from the provider key and the volume, when they are needed: they are in no file and on no
command line. tgtd keeps them in its memory.

tgtd holds no IOPS figure. So between it and each backing file there is a QEMU storage daemon with a throttle group,
which holds the volume's ceiling, burst and bandwidth and takes new ones while guests write: what is listed as a
volume's figures is what its daemon says. Each volume has a daemon of its own, since in a shared one a volume at its
ceiling slows the others (measured, see `throttle`). In a pool with `throttle = false` tgtd opens the files themselves,
and ceilings are left to the hypervisor. Floors nobody holds; they are reserved.

tgtd remembers nothing when it ends, and a storage daemon has nothing to remember: a small record beside each backing
file does. The daemons outlive Lunform, and the first call after a restart of either, or of the box, serves all volumes
again. Until then a guest whose storage daemon died gets I/O errors; one whose tgtd died waits.

    show, daemon     what tgtd has, and how it is told
    throttle         the storage daemon of a volume
    image            what a volume begins with
    machine          the effects on the box, one per method
    record           what is remembered of a volume
    box              the operations: runs on the box, be it this machine or another
    link             the way there
    provider         the protocol of `planner.sdk`
"""

from planner.sdk import BOOL, NUMBER, Argument, ProviderDefinition, Settings, StorageProvider


def _open_storage(settings: Settings) -> StorageProvider:
    from providers.tgt.provider import TgtArray

    return TgtArray(settings)


PROVIDER = ProviderDefinition(
    name="tgt",
    summary="iSCSI LUNs on a Linux box with the SCSI target framework (tgt).",
    settings=(
        Argument("portal", required=True, summary='Where initiators reach the target: "192.0.2.10:3260".'),
        Argument("control_port", NUMBER, "Of the tgtd to use (`tgtd -C`). Left out: 0, the system's own."),
        Argument(
            "ssh", summary='Destination for ssh, such as "root@box", which has Python 3.10. Left out: this machine.'
        ),
        Argument(
            "chap_key",
            summary="CHAP secrets are derived from it; 16 characters or more. Left out: LUNFORM_TGT_CHAP_KEY.",
            sensitive=True,
        ),
        Argument("iqn_prefix", summary='Target names start with it. Left out: "iqn.2026-01.lunform".'),
    ),
    pool_arguments=(
        Argument("directory", required=True, summary="Existing directory on the box that holds the backing files."),
        Argument(
            "throttle",
            BOOL,
            "The box holds ceilings, bursts and bandwidth, by QEMU's storage daemon. Otherwise the hypervisor does.",
            default=True,
        ),
    ),
    open_storage=_open_storage,
)
