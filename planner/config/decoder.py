"""Bodies of a directory's files to one `Module`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from planner.addresses import ProviderAddress
from planner.config.content import Shape, check_body, check_labels, no_doubles
from planner.config.model import (
    Lifecycle,
    Local,
    Module,
    ModuleCall,
    Output,
    ProviderBlock,
    Resource,
    Settings,
    Validation,
    Variable,
)
from planner.diagnostics import Diagnostics, Source, SourceRange, did_you_mean
from planner.resources.catalog import PROVIDED, RESOURCE_TYPES
from planner.syntax import ast

_SETTINGS = Shape(("required_version",), blocks={"backend": 1})
_VARIABLE = Shape(("type", "default", "description", "sensitive", "nullable"), blocks={"validation": 0})
_VALIDATION = Shape(("condition", "error_message"), required=("condition", "error_message"))
_OUTPUT = Shape(("value", "description", "sensitive", "depends_on"), required=("value",))
_MODULE_ARGUMENTS = ("source", "version", "providers", "count", "for_each", "depends_on")
_LIFECYCLE = Shape(("prevent_destroy",))
META_ARGUMENTS = ("count", "for_each", "depends_on")
"""What every resource block takes besides its own arguments; `provider` only where the type has one."""

_TOP_LEVEL = {"lunform": 0, "variable": 1, "locals": 0, "output": 1, "provider": 1, "module": 1} | dict.fromkeys(
    RESOURCE_TYPES, 1
)
_FILE = Shape((), blocks=_TOP_LEVEL)


def decode_module(directory: str, files: Sequence[tuple[Source, ast.Body]], version: str) -> tuple[Module, Diagnostics]:
    """
    One module of all files of a directory, which are taken as if they were one.

    Args:
        version: the running Lunform's, which `required_version` is held against.
    """
    decoder = _Decoder(version)
    for _, body in files:
        decoder.file(body)
    module = replace(decoder.finish(directory), sources=tuple(source for source, _ in files))
    return module, decoder.diagnostics


class _Decoder:
    def __init__(self, version: str) -> None:
        self.version = version
        self.diagnostics = Diagnostics()
        self.settings: list[Settings] = []
        self.variables: list[Variable] = []
        self.locals: list[Local] = []
        self.outputs: list[Output] = []
        self.providers: list[ProviderBlock] = []
        self.resources: list[Resource] = []
        self.calls: list[ModuleCall] = []

    def file(self, body: ast.Body) -> None:
        for argument in body.arguments:
            self.diagnostics.error(
                "Unexpected argument",
                f'An argument stands inside a block; "{argument.name}" stands outside of any.'
                f"{did_you_mean(argument.name, _TOP_LEVEL)}",
                argument.name_range,
            )
        for block in body.blocks:
            self.block(block)

    def block(self, block: ast.Block) -> None:
        labels = _TOP_LEVEL.get(block.type)
        if labels is None:
            self.diagnostics.error(
                "Unsupported block",
                f'There is no block "{block.type}".{did_you_mean(block.type, _TOP_LEVEL)}',
                block.type_range,
            )
            return
        if not check_labels(block, labels, self.diagnostics):
            return
        match block.type:
            case "lunform":
                self.lunform(block)
            case "variable":
                self.variables.append(self.variable(block))
            case "locals":
                check_body(
                    block.body,
                    Shape([a.name for a in block.body.arguments]),
                    "locals",
                    block.type_range,
                    self.diagnostics,
                )
                self.locals.extend(Local(a.name, a.value, a.name_range) for a in block.body.arguments)
            case "output":
                self.output(block)
            case "provider":
                self.provider(block)
            case "module":
                self.call(block)
            case _:
                self.resources.append(self.resource(block))

    def finish(self, directory: str) -> Module:
        def unique(named: list[tuple[str, SourceRange]], what: str) -> None:
            no_doubles(named, what, self.diagnostics)

        unique([("The lunform block", s.range) for s in self.settings if s.range], "lunform block")
        unique([(f'variable "{v.name}"', v.range) for v in self.variables], "variable")
        unique([(f"local.{v.name}", v.range) for v in self.locals], "local value")
        unique([(f'output "{v.name}"', v.range) for v in self.outputs], "output")
        unique([(f"provider {v.address}", v.range) for v in self.providers], "provider configuration")
        unique([(f"{v.type}.{v.name}", v.range) for v in self.resources], "resource")
        unique([(f'module "{v.name}"', v.range) for v in self.calls], "module call")
        return Module(
            directory=directory,
            settings=self.settings[0] if self.settings else Settings(),
            variables={v.name: v for v in self.variables},
            locals={v.name: v for v in self.locals},
            outputs={v.name: v for v in self.outputs},
            providers={v.address: v for v in self.providers},
            resources={(v.type, v.name): v for v in self.resources},
            calls={v.name: v for v in self.calls},
        )

    def lunform(self, block: ast.Block) -> None:
        check_body(block.body, _SETTINGS, "the lunform block", block.type_range, self.diagnostics)
        required = block.body.argument("required_version")
        if required is not None:
            constraint = self.text(required, "")
            if constraint:
                self.version_constraint(constraint, required.value.range)
        backends = list(block.body.blocks_of("backend"))
        no_doubles([("The backend block", b.header_range) for b in backends], "backend block", self.diagnostics)
        if backends and backends[0].labels:
            self.settings.append(Settings(backends[0].labels[0].text, backends[0].body, block.header_range))
        else:
            self.settings.append(Settings(range=block.header_range))

    def version_constraint(self, constraint: str, range: SourceRange) -> None:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            # Terraform writes "= 1.0" and "~> 1.0" for what Python's packaging writes "== 1.0" and "~= 1.0".
            terms = [term.strip() for term in constraint.split(",")]
            python = [term.replace("~>", "~=") if term[:1] in "~<>!" else "==" + term.lstrip("= ") for term in terms]
            allowed = SpecifierSet(",".join(python))
        except InvalidSpecifier:
            self.diagnostics.error(
                "Invalid version constraint",
                f'"{constraint}" is not a version constraint such as ">= 0.1" or "~> 0.1.0".',
                range,
            )
            return
        if self.version not in allowed:
            self.diagnostics.error(
                "Unsupported Lunform version",
                f"This configuration asks for Lunform {constraint}; this is {self.version}. Install a version that"
                " fits, or change required_version.",
                range,
            )

    def variable(self, block: ast.Block) -> Variable:
        label = block.labels[0]
        owner = f'variable "{label.text}"'
        check_body(block.body, _VARIABLE, owner, block.header_range, self.diagnostics)
        body = block.body
        validations = []
        for validation in body.blocks_of("validation"):
            check_body(validation.body, _VALIDATION, f"validation of {owner}", validation.type_range, self.diagnostics)
            condition, message = validation.body.argument("condition"), validation.body.argument("error_message")
            if condition and message:
                validations.append(Validation(condition.value, message.value, validation.range))
        type, default = body.argument("type"), body.argument("default")
        return Variable(
            name=label.text,
            type=type.value if type else None,
            default=default.value if default else None,
            description=self.text(body.argument("description"), ""),
            sensitive=self.flag(body.argument("sensitive"), False),
            nullable=self.flag(body.argument("nullable"), True),
            validations=tuple(validations),
            range=block.header_range,
        )

    def output(self, block: ast.Block) -> None:
        label = block.labels[0]
        check_body(block.body, _OUTPUT, f'output "{label.text}"', block.header_range, self.diagnostics)
        value = block.body.argument("value")
        if value is not None:
            self.outputs.append(
                Output(
                    name=label.text,
                    value=value.value,
                    description=self.text(block.body.argument("description"), ""),
                    sensitive=self.flag(block.body.argument("sensitive"), False),
                    depends_on=self.references(block.body.argument("depends_on")),
                    range=block.header_range,
                )
            )

    def provider(self, block: ast.Block) -> None:
        alias = block.body.argument("alias")
        body = _without(block.body, ("alias",), ())
        address = ProviderAddress(block.labels[0].text, self.text(alias, "") or None)
        self.providers.append(ProviderBlock(address, body, block.header_range))

    def call(self, block: ast.Block) -> None:
        body, name = block.body, block.labels[0].text
        for nested in body.blocks:
            self.diagnostics.error("Unsupported block", f'module "{name}" takes arguments only.', nested.type_range)
        source, version = body.argument("source"), body.argument("version")
        if version is not None:
            self.diagnostics.error(
                "Unsupported argument",
                "A version constraint is for modules of a registry, and Lunform has none. Name the version in the"
                ' source: "git::https://example.com/modules.git?ref=v1.2.0".',
                version.name_range,
            )
        if source is None:
            self.diagnostics.error(
                "Missing required argument", f'module "{name}" needs the argument "source".', block.header_range
            )
            return
        count, for_each = self.copies(body)
        self.calls.append(
            ModuleCall(
                name=name,
                source=self.text(source, ""),
                body=_without(body, _MODULE_ARGUMENTS, ()),
                count=count,
                for_each=for_each,
                depends_on=self.references(body.argument("depends_on")),
                providers=self.passed_providers(body.argument("providers")),
                module=None,
                source_range=source.value.range,
                range=block.header_range,
            )
        )

    def passed_providers(self, argument: ast.Argument | None) -> dict[str, ProviderAddress]:
        if argument is None:
            return {}
        passed = {}
        if isinstance(argument.value, ast.Object):
            for item in argument.value.items:
                inside = item.key.value if isinstance(item.key, ast.Literal) else item.key.range.text
                outside = self.provider_reference(item.value)
                if outside is not None:
                    passed[str(inside)] = outside
        else:
            self.diagnostics.error(
                "Invalid provider reference",
                "Write which is passed as which: providers = { tgt = tgt.east }.",
                argument.value.range,
            )
        return passed

    def copies(self, body: ast.Body) -> tuple[ast.Expression | None, ast.Expression | None]:
        """(count, for_each) of a block."""
        count, for_each = body.argument("count"), body.argument("for_each")
        if count and for_each:
            self.diagnostics.error(
                "Both count and for_each",
                "A block has copies by count or by for_each, not by both. Take one of them away.",
                for_each.name_range,
                related=(("count is here", count.name_range),),
            )
        return count.value if count else None, for_each.value if for_each else None

    def resource(self, block: ast.Block) -> Resource:
        body = block.body
        count, for_each = self.copies(body)
        meta = [*META_ARGUMENTS, "provider"] if block.type in PROVIDED else META_ARGUMENTS
        provider = body.argument("provider") if block.type in PROVIDED else None
        return Resource(
            type=block.type,
            name=block.labels[0].text,
            body=_without(body, meta, ("lifecycle",)),
            count=count,
            for_each=for_each,
            depends_on=self.references(body.argument("depends_on")),
            provider=self.provider_reference(provider.value) if provider else None,
            provider_range=provider.value.range if provider else None,
            lifecycle=self.lifecycle(body),
            range=block.header_range,
        )

    def lifecycle(self, body: ast.Body) -> Lifecycle:
        blocks = list(body.blocks_of("lifecycle"))
        no_doubles([("The lifecycle block", b.header_range) for b in blocks], "lifecycle block", self.diagnostics)
        if not blocks:
            return Lifecycle()
        check_body(blocks[0].body, _LIFECYCLE, "lifecycle", blocks[0].type_range, self.diagnostics)
        return Lifecycle(self.flag(blocks[0].body.argument("prevent_destroy"), False))

    def provider_reference(self, value: ast.Expression) -> ProviderAddress | None:
        match value:
            case ast.Name(name=name):
                return ProviderAddress(name)
            case ast.GetAttribute(target=ast.Name(name=name), name=alias):
                return ProviderAddress(name, alias)
        self.diagnostics.error(
            "Invalid provider reference",
            "Write the provider's name, or its name and alias, without quotes: tgt or tgt.east.",
            value.range,
        )
        return None

    def references(self, argument: ast.Argument | None) -> tuple[ast.Expression, ...]:
        if argument is None:
            return ()
        if isinstance(argument.value, ast.Tuple):
            return argument.value.items
        self.diagnostics.error(
            "Invalid depends_on", "Write a list of references: depends_on = [volume.a].", argument.value.range
        )
        return ()

    def text(self, argument: ast.Argument | None, default: str) -> str:
        """The text of an argument that must be a plain string, since it is read before anything is evaluated."""
        if argument is None:
            return default
        if isinstance(argument.value, ast.Literal) and isinstance(argument.value.value, str):
            return argument.value.value
        self.diagnostics.error(
            "Unsuitable value", f'"{argument.name}" must be a plain string, without references.', argument.value.range
        )
        return default

    def flag(self, argument: ast.Argument | None, default: bool) -> bool:
        """The value of an argument that must be true or false as it stands."""
        if argument is None:
            return default
        if isinstance(argument.value, ast.Literal) and isinstance(argument.value.value, bool):
            return argument.value.value
        self.diagnostics.error("Unsuitable value", f'"{argument.name}" must be true or false.', argument.value.range)
        return default


def _without(body: ast.Body, arguments: Sequence[str], blocks: Sequence[str]) -> ast.Body:
    return ast.Body(
        tuple(a for a in body.arguments if a.name not in arguments),
        tuple(b for b in body.blocks if b.type not in blocks),
        body.range,
    )
