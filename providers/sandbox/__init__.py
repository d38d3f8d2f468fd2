"""
A simulated array and hypervisor in one SQLite file, for learning Lunform, for tests and for benchmarks.

    definition   the arguments that `provider`, `pool` and `host` blocks take, and the settings read from them
    database     the file: its schema, its connections and transactions
    array        the array's own rules: what each request about a volume does to the file, or why it is refused
    pools        what is in a pool, and what still fits
    policies     figures that many volumes share
    hypervisor   the hypervisor's own rules about disks, likewise
    vms          and about virtual machines
    jobs         requests that take their time: queued in the file, done when they are due
    faults       failures by rule, and the switch that kills the process at a named point
    provider     the protocols of `planner.sdk`, and the way that every call goes

It is also the provider to read before writing one: `providers/README.md` walks through it.
"""

from planner.sdk import HypervisorProvider, ProviderDefinition, Settings, StorageProvider
from providers.sandbox.definition import HOST_ARGUMENTS, POOL_ARGUMENTS, SETTINGS, read_settings


def _open_storage(settings: Settings) -> StorageProvider:
    # Imported when first used: `lunform version` and shell completion load definitions, and need no SQLite.
    from providers.sandbox.provider import SandboxArray

    return SandboxArray(read_settings(settings))


def _open_hypervisor(settings: Settings) -> HypervisorProvider:
    from providers.sandbox.provider import SandboxHypervisor

    return SandboxHypervisor(read_settings(settings))


PROVIDER = ProviderDefinition(
    name="sandbox",
    summary="A simulated array and hypervisor in one SQLite file.",
    settings=SETTINGS,
    pool_arguments=POOL_ARGUMENTS,
    host_arguments=HOST_ARGUMENTS,
    open_storage=_open_storage,
    open_hypervisor=_open_hypervisor,
)
