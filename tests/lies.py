"""Systems that answer "done" and do something else. For `monkeypatch.setattr(operations, "OpenProviders", ...)`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from planner.sdk import ActualVolume, Attachment, Done
from tests.project import wrapped
from tests.world import Instead


def array_that_drops(*figures: str) -> type:
    """An array that answers `update_qos` with what was asked, and leaves these figures as they were."""

    def drop(provider: Any) -> Any:
        def update_qos(original: Any, request: Any) -> Any:
            before = _volume(provider, request)
            kept = {name: getattr(before.qos, name) for name in figures}
            reply = original(replace(request, qos=replace(request.qos, **kept)))
            return Done(replace(reply.value, qos=request.qos))

        return Instead(provider, update_qos=update_qos)

    return wrapped(storage=drop)


def array_that_does_not_grow() -> type:
    """An array that answers `resize_async` with the size that was asked for, and keeps the volume as it was."""

    def keep(provider: Any) -> Any:
        return Instead(
            provider,
            resize_async=lambda _, request: Done(replace(_volume(provider, request), size=request.size)),
        )

    return wrapped(storage=keep)


def array_that_ignores_figures() -> type:
    """An array that takes any figures for a new volume, says that it holds them, and holds none."""

    def create(original: Any, request: Any) -> Any:
        reply = original(replace(request, qos=None))
        return Done(replace(reply.value, qos=request.qos))

    return wrapped(storage=lambda provider: Instead(provider, create_async=create))


def hypervisor_that_drops_limits() -> type:
    """A hypervisor that answers an update of a running VM's disk, and lets the VM go on with the old limits."""

    def drop(provider: Any) -> Any:
        def update(original: Any, request: Any) -> Any:
            (disk,) = (disk for disk in provider.list_attachments(request.host) if disk.serial == request.serial)
            original(replace(request, qos=disk.qos))
            return Done(Attachment(disk.device, live=True))

        return Instead(provider, update_attachment=update)

    return wrapped(hypervisor=drop)


def hypervisor_that_attaches_nothing() -> type:
    return wrapped(hypervisor=lambda provider: Instead(provider, attach=lambda *_: Done(Attachment("vda", live=True))))


def _volume(provider: Any, request: Any) -> ActualVolume:
    (found,) = (volume for volume in provider.list_volumes(request.pool) if volume.id == request.volume)
    return found
