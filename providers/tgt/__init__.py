"""
Real iSCSI LUNs on a Linux box with the SCSI target framework (Debian package `tgt`).

Each volume is a target of its own with one LUN, backed by a sparse file in the pool's directory. Nobody is let in
unless granted. A host with an initiator name is let in by that name, one without by its address; either way it must
also know the volume's CHAP secret, which only granted hosts are given. tgtd itself would let in whoever matches *any*
bound name or address, so name and address together cannot be asked for; the secret is what ties the name to the host.
All hosts that share a volume share its secret.

CHAP secrets are derived from the provider key and the volume, when they are needed: they are in no file and on no
command line. tgtd keeps them in its memory.

tgtd holds no IOPS figure, so ceilings and bursts are left to the hypervisor. It also remembers nothing when it ends: a
small record beside each backing file does, and the first call after a restart serves all volumes again.

    show, daemon     what tgtd has, and how it is told
    machine          the effects on the box, one per method
    record           what is remembered of a volume
    box              the operations: runs on the box, be it this machine or another
    link             the way there
    provider         the protocol of `planner.sdk`
"""

from planner.sdk import NUMBER, Argument, ProviderDefinition, Settings, StorageProvider


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
    ),
    open_storage=_open_storage,
)
