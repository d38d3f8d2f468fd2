"""A configuration in a directory of the test's, planned and applied in this process, on the sandbox."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from planner import operations
from planner.addresses import ProviderAddress, parse_instance
from planner.operations import Applied
from planner.planning.builder import PlanRequest
from planner.planning.plan import Change, Plan
from planner.plugins import OpenProviders
from planner.state.model import Attributes
from planner.views.plan_text import render_plan
from planner.views.style import Style
from providers.sandbox.database import Database

Wrap = Callable[[Any], Any]


class Project:
    """
    Args:
        text: of `main.lun.hcl`, in which PATH stands for the sandbox's file.
        array: the sandbox's file, by default one in `directory`.
    """

    def __init__(self, directory: Path, text: str, array: Path | None = None) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.array = array or directory / "sandbox.db"
        self.write(text)
        with closing(Database(self.array)) as database:
            database.write(lambda connection: None)  # the array is there, and empty

    def write(self, text: str) -> None:
        (self.directory / "main.lun.hcl").write_text(text.replace("PATH", f'"{self.array}"'))

    def load(self, **variables: str) -> operations.Project:
        environment = {f"LUNFORM_VAR_{name}": value for name, value in variables.items()}
        return operations.load(self.directory, operations.Inputs(environment=environment))

    def plan(self, request: PlanRequest | None = None, **variables: str) -> Plan:
        project = self.load(**variables)
        with closing(operations.store_of(project)) as store:
            return operations.plan(project, store, request or PlanRequest())[0]

    def apply(self, plan: Plan | None = None, observer: Any = lambda event: None, **variables: str) -> Applied:
        project = self.load(**variables)
        with closing(operations.store_of(project)) as store:
            wanted = plan or operations.plan(project, store, PlanRequest())[0]
            return operations.apply(project, store, wanted, observer)

    def refresh_only(self) -> Plan:
        return self.plan(PlanRequest(refresh_only=True))

    def recorded(self, address: str) -> Attributes:
        with closing(operations.store_of(self.load())) as store:
            return store.read().objects[parse_instance(address)].attributes

    def outside(self, *statements: str) -> None:
        """What somebody does behind Lunform's back, in SQL."""
        with closing(sqlite3.connect(self.array)) as database, database:
            for statement in statements:
                database.execute(statement)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.array)) as database:
            return database.execute(query).fetchall()


def text(plan: Plan) -> str:
    return render_plan(plan, Style(False))


def change(plan: Plan, address: str) -> Change:
    (found,) = (change for change in plan.changes if str(change.address) == address)
    return found


def wrapped(storage: Wrap = lambda provider: provider, hypervisor: Wrap = lambda provider: provider) -> type:
    """Opened providers, each seen through a wrapper: for `monkeypatch.setattr(operations, "OpenProviders", ...)`."""

    class Wrapped(OpenProviders):
        def storage(self, address: ProviderAddress) -> Any:
            return storage(super().storage(address))

        def hypervisor(self, address: ProviderAddress) -> Any:
            return hypervisor(super().hypervisor(address))

    return Wrapped
