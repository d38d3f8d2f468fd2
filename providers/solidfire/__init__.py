"""
NetApp SolidFire / Element clusters: arrays that hold minimum, maximum and burst IOPS for each volume by themselves.

Each Lunform volume is an Element volume, served as an iSCSI target of its own with LUN 0. Who may reach it is said in
one of three ways:

- `access = "groups"` (the default): a volume access group for each host. Only what Lunform has put there is taken away
  again.
- `access = "cluster"`: one for all hosts of a cluster, as their blocks name it; a host without a `cluster` has its own.
  All hosts in a group reach the volumes in it. A volume carries in its attributes which of them it was opened to, and
  leaves the group with the last of them.
- `access = "chap"`: an account for each host, whose secret only that host is given. A volume belongs to one account, so
  one host at a time reaches it.

An Element volume is known by the cluster and its number. Whose it is stands in its attributes: lineage, address and
intent. Names are not unique on a cluster, so before anything is made it is looked for, and again after an answer was
lost.

    wire                        JSON-RPC over HTTPS; knows nothing of volumes
    cluster, volumes, clones, policies, accounts, groups
                                the API's nouns: which methods there are, and what their answers mean
    endpoints                   what a host's own objects are called there
    rules                       what of a plan's access the cluster would refuse
    settings                    arguments of the blocks, read once
    provider                    the protocol of `planner.sdk`
"""

from planner.sdk import BOOL, NUMBER, Argument, ProviderDefinition, Settings, StorageProvider


def _open_storage(settings: Settings) -> StorageProvider:
    from providers.solidfire.provider import SolidFireArray
    from providers.solidfire.settings import read_settings

    return SolidFireArray(read_settings(settings))


PROVIDER = ProviderDefinition(
    name="solidfire",
    summary="NetApp SolidFire / Element clusters: QoS per volume, held by the array.",
    settings=(
        Argument(
            "endpoint", required=True, summary='The cluster\'s management address: "https://san-east.example.com".'
        ),
        Argument("username", required=True, summary="A cluster administrator who may manage volumes and access."),
        Argument("password", required=True, summary="Of that administrator.", sensitive=True),
        Argument("api_version", summary='Of the JSON-RPC API: "12.3". Left out: the newest that both know.'),
        Argument("verify", BOOL, "Check the cluster's certificate.", default=True),
        Argument("ca_file", summary="Certificates to check it by. Left out: the system's own."),
        Argument("connect_timeout", NUMBER, "Seconds to wait for a connection.", default=10),
        Argument("timeout", NUMBER, "Seconds to wait for an answer.", default=60),
        Argument(
            "access",
            summary="How hosts are let in: by a volume access group for each host, by one for all hosts of a cluster,"
            " or by a CHAP account for each host.",
            choices=("groups", "cluster", "chap"),
            default="groups",
        ),
        Argument(
            "account",
            summary="The account that volumes are made in; further ones (`-2`, ...) once it is full.",
            default="lunform",
        ),
        Argument(
            "foreign_groups",
            BOOL,
            "Use the access group that a host is already in, though Lunform did not make it. Otherwise refuse.",
            default=False,
        ),
    ),
    open_storage=_open_storage,
    max_calls=16,
)
