"""Bodies of a directory's files to one `Module`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from planner.addresses import AddressError, InstanceAddress, ProviderAddress, parse_instance
from planner.config.content import Shape, check_body, check_labels, no_doubles
from planner.config.model import (
    PLACEMENTS,
    Check,
    Condition,
    Encryption,
    Import,
    KeySource,
    Lifecycle,
    Local,
    Module,
    ModuleCall,
    Moved,
    Output,
    ProviderBlock,
    Removed,
    Resource,
    Settings,
    Variable,
)
from planner.diagnostics import Diagnostics, Source, SourceRange, did_you_mean
from planner.resources.catalog import DATA_TYPES, PROVIDED, RESOURCE_TYPES
from planner.syntax import ast
from planner.syntax.printer import print_expression

_SETTINGS = Shape(("required_version", "placement"), blocks={"backend": 1, "encryption": 0})
_ENCRYPTION = Shape((), blocks={"key": 0, "old_key": 0})
_KEY = Shape(("env", "file", "command"))
_VARIABLE = Shape(("type", "default", "description", "sensitive", "nullable"), blocks={"validation": 0})
_OUTPUT = Shape(("value", "description", "sensitive", "depends_on"), required=("value",))
_MODULE_ARGUMENTS = ("source", "version", "providers", "count", "for_each", "depends_on")
_CONDITION = Shape(("condition", "error_message"), required=("condition", "error_message"))
_LIFECYCLE = Shape(
    ("prevent_destroy", "create_before_destroy", "ignore_changes", "replace_triggered_by"),
    blocks={"precondition": 0, "postcondition": 0},
)
_CHECK = Shape((), blocks={"assert": 0})
_MOVED = Shape(("from", "to"), required=("from", "to"))
_REMOVED = Shape(("from",), required=("from",), blocks={"lifecycle": 0})
_IMPORT = Shape(("to", "id"), required=("to", "id"))
META_ARGUMENTS = ("count", "for_each", "depends_on")
"""What every resource block takes besides its own arguments; `provider` only where the type has one."""

_TOP_LEVEL = {
    "lunform": 0,
    "variable": 1,
    "locals": 0,
    "output": 1,
    "provider": 1,
    "module": 1,
    "data": 2,
    "check": 1,
    "moved": 0,
    "removed": 0,
    "import": 0,
} | dict.fromkeys(RESOURCE_TYPES, 1)
"""Blocks of a file, and how many labels each takes."""
_FILE = Shape((), blocks=_TOP_LEVEL)


_HABITS = {
    "resource": ' A resource\'s block begins with its type: volume "db" { ... }.',
    "terraform": " Its settings stand in the lunform block.",
}
"""What users of Terraform write out of habit."""


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
        self.data: list[Resource] = []
        self.checks: list[Check] = []
        self.moved: list[Moved] = []
        self.removed: list[Removed] = []
        self.imports: list[Import] = []

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
            hint = _HABITS.get(block.type) or did_you_mean(block.type, _TOP_LEVEL)
            self.diagnostics.error(
                "Unsupported block",
                f'There is no block "{block.type}".{hint}',
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
            case "data":
                self.data_source(block)
            case "check":
                self.check(block)
            case "moved":
                self.move(block)
            case "removed":
                self.remove(block)
            case "import":
                self.import_(block)
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
        unique([(f"data.{v.type}.{v.name}", v.range) for v in self.data], "data source")
        unique([(f'check "{v.name}"', v.range) for v in self.checks], "check")
        unique([(f"moved from {v.source}", v.range) for v in self.moved], "moved block")
        unique([(f"import to {v.target}", v.range) for v in self.imports], "import block")
        return Module(
            directory=directory,
            settings=self.settings[0] if self.settings else Settings(),
            variables={v.name: v for v in self.variables},
            locals={v.name: v for v in self.locals},
            outputs={v.name: v for v in self.outputs},
            providers={v.address: v for v in self.providers},
            resources={(v.type, v.name): v for v in self.resources},
            data={(v.type, v.name): v for v in self.data},
            calls={v.name: v for v in self.calls},
            checks={v.name: v for v in self.checks},
            moved=tuple(self.moved),
            removed=tuple(self.removed),
            imports=tuple(self.imports),
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
        settings = Settings(
            encryption=self.encryption(block.body),
            placement=self.placement(block.body.argument("placement")),
            range=block.header_range,
        )
        if backends and backends[0].labels:
            settings = replace(settings, backend=backends[0].labels[0].text, backend_body=backends[0].body)
        self.settings.append(settings)

    def encryption(self, body: ast.Body) -> Encryption | None:
        blocks = list(body.blocks_of("encryption"))
        no_doubles([("The encryption block", b.type_range) for b in blocks], "encryption block", self.diagnostics)
        if not blocks:
            return None
        inner = blocks[0].body
        check_body(inner, _ENCRYPTION, "encryption", blocks[0].type_range, self.diagnostics)
        keys, old_keys = list(inner.blocks_of("key")), list(inner.blocks_of("old_key"))
        if len(keys) > 1:
            self.diagnostics.error(
                "Duplicate key",
                "Everything is written with one key. An old_key is what was used before: it can still be read.",
                keys[1].type_range,
                related=(("the first one", keys[0].type_range),),
            )
        if not keys and not old_keys:
            self.diagnostics.error(
                "No key",
                'Encryption needs a key: key { env = "LUNFORM_KEY" }. Without encryption, leave the block out.',
                blocks[0].type_range,
            )
        key = self.key_source(keys[0]) if keys else None
        return Encryption(key, tuple(source for block in old_keys if (source := self.key_source(block))))

    def key_source(self, block: ast.Block) -> KeySource | None:
        check_body(block.body, _KEY, block.type, block.type_range, self.diagnostics)
        given = [argument for argument in block.body.arguments if argument.name in _KEY.arguments]
        if len(given) != 1:
            self.diagnostics.error(
                "Unclear source of a key",
                f"{block.type} takes exactly one of env, file and command, which says where the key is had from.",
                block.type_range,
            )
            return None
        (argument,) = given
        words: tuple[str, ...] = ()
        if argument.name != "command":
            words = (self.text(argument, ""),)
        elif isinstance(argument.value, ast.Tuple):
            words = tuple(self.text(replace(argument, value=item), "") for item in argument.value.items)
        if not words or not words[0]:
            example = (
                '["vault", "kv", "get", "-field=key", "secret/lunform"]' if argument.name == "command" else '"..."'
            )
            self.diagnostics.error(
                "Unsuitable value", f"Write {argument.name} = {example}, in plain strings.", argument.value.range
            )
            return None
        return KeySource(argument.name, words, block.type_range)

    def placement(self, argument: ast.Argument | None) -> str:
        word = self.text(argument, PLACEMENTS[0])
        if argument is not None and word not in PLACEMENTS:
            options = ", ".join(f'"{placement}"' for placement in PLACEMENTS)
            self.diagnostics.error(
                "Unsuitable value",
                f'"placement" is one of {options}, not "{word}".{did_you_mean(word, PLACEMENTS)}',
                argument.value.range,
            )
        return word

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
        type, default = body.argument("type"), body.argument("default")
        return Variable(
            name=label.text,
            type=type.value if type else None,
            default=default.value if default else None,
            description=self.text(body.argument("description"), ""),
            sensitive=self.flag(body.argument("sensitive"), False),
            nullable=self.flag(body.argument("nullable"), True),
            validations=self.conditions(body, "validation"),
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
        for_each = block.body.argument("for_each")
        body = _without(block.body, ("alias", "for_each"), ())
        address = ProviderAddress(block.labels[0].text, self.text(alias, "") or None)
        if for_each is not None and address.alias is None:
            self.diagnostics.error(
                "Missing required argument",
                "A provider with for_each needs an alias, by which its copies are called.",
                for_each.name_range,
            )
        self.providers.append(ProviderBlock(address, body, for_each.value if for_each else None, block.header_range))

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
            provider=self.provider_reference(_unkeyed(provider.value)) if provider else None,
            provider_key=provider.value.key if provider and isinstance(provider.value, ast.Index) else None,
            provider_range=provider.value.range if provider else None,
            lifecycle=self.lifecycle(body),
            range=block.header_range,
        )

    def lifecycle(self, body: ast.Body) -> Lifecycle:
        blocks = list(body.blocks_of("lifecycle"))
        no_doubles([("The lifecycle block", b.header_range) for b in blocks], "lifecycle block", self.diagnostics)
        if not blocks:
            return Lifecycle()
        inner = blocks[0].body
        check_body(inner, _LIFECYCLE, "lifecycle", blocks[0].type_range, self.diagnostics)
        return Lifecycle(
            prevent_destroy=self.flag(inner.argument("prevent_destroy"), False),
            create_before_destroy=self.flag(inner.argument("create_before_destroy"), False),
            ignore_changes=self.ignored(inner.argument("ignore_changes")),
            replace_triggered_by=self.references(inner.argument("replace_triggered_by")),
            preconditions=self.conditions(inner, "precondition"),
            postconditions=self.conditions(inner, "postcondition"),
        )

    def ignored(self, argument: ast.Argument | None) -> tuple[str, ...] | None:
        """Names of arguments; None for `all`."""
        if argument is None:
            return ()
        if isinstance(argument.value, ast.Name) and argument.value.name == "all":
            return None
        names = []
        for item in argument.value.items if isinstance(argument.value, ast.Tuple) else (argument.value,):
            if isinstance(item, ast.Name):
                names.append(item.name)
            else:
                self.diagnostics.error(
                    "Invalid ignore_changes",
                    "Write the names of arguments, without quotes: ignore_changes = [size, attach]; or the word all.",
                    item.range,
                )
        return tuple(names)

    def conditions(self, body: ast.Body, type: str) -> tuple[Condition, ...]:
        found = []
        for block in body.blocks_of(type):
            check_body(block.body, _CONDITION, type, block.type_range, self.diagnostics)
            condition, message = block.body.argument("condition"), block.body.argument("error_message")
            if condition and message:
                found.append(Condition(condition.value, message.value, condition.value.range))
        return tuple(found)

    def data_source(self, block: ast.Block) -> None:
        type, name = block.labels
        if type.text not in DATA_TYPES:
            self.diagnostics.error(
                "Unsupported data source",
                f'There is no data source "{type.text}"; there are {", ".join(DATA_TYPES)}.'
                f"{did_you_mean(type.text, DATA_TYPES)}",
                type.range,
            )
            return
        count, for_each = self.copies(block.body)
        self.data.append(
            Resource(
                type=type.text,
                name=name.text,
                body=_without(block.body, META_ARGUMENTS, ()),
                count=count,
                for_each=for_each,
                depends_on=self.references(block.body.argument("depends_on")),
                provider=None,
                provider_key=None,
                provider_range=None,
                lifecycle=Lifecycle(),
                range=block.header_range,
            )
        )

    def check(self, block: ast.Block) -> None:
        name = block.labels[0].text
        check_body(block.body, _CHECK, f'check "{name}"', block.header_range, self.diagnostics)
        self.checks.append(Check(name, self.conditions(block.body, "assert"), block.header_range))

    def move(self, block: ast.Block) -> None:
        check_body(block.body, _MOVED, "moved", block.type_range, self.diagnostics)
        source, target = (self.address(block.body.argument(name)) for name in ("from", "to"))
        if source is None or target is None:
            return
        if (source.type == "module") != (target.type == "module") or (
            source.type != "module" and source.type != target.type
        ):
            self.diagnostics.error(
                "Moved to another type", f"A {source.type} cannot become a {target.type}.", block.header_range
            )
            return
        self.moved.append(Moved(source, target, block.header_range))

    def remove(self, block: ast.Block) -> None:
        check_body(block.body, _REMOVED, "removed", block.type_range, self.diagnostics)
        destroy = True
        for inner in block.body.blocks_of("lifecycle"):
            check_body(inner.body, Shape(("destroy",)), "lifecycle", inner.type_range, self.diagnostics)
            destroy = self.flag(inner.body.argument("destroy"), True)
        source = self.address(block.body.argument("from"))
        if source is not None:
            self.removed.append(Removed(source, destroy, block.header_range))

    def import_(self, block: ast.Block) -> None:
        check_body(block.body, _IMPORT, "import", block.type_range, self.diagnostics)
        target, id = self.address(block.body.argument("to")), block.body.argument("id")
        if target is None or id is None:
            return
        if target.type != "volume":
            self.diagnostics.error(
                "Unsupported import",
                f"Only volumes are imported, and {target} is a {target.type}.",
                block.header_range,
            )
            return
        self.imports.append(Import(target, id.value, block.header_range))

    def address(self, argument: ast.Argument | None) -> InstanceAddress | None:
        """An address within this module: of a resource, of one of its copies, or (as type "module") of a call."""
        if argument is None:
            return None
        text = print_expression(argument.value)
        try:
            if text.startswith("module.") and text.count(".") == 1:
                path = parse_instance(text + ".volume.x").module
                return InstanceAddress("module", path[-1].name, path[-1].key, path[:-1])
            return parse_instance(text)
        except AddressError:
            self.diagnostics.error(
                "Invalid address",
                'Write an address without quotes: volume.db, volume.db["a"], module.east, module.east.volume.db.',
                argument.value.range,
            )
            return None

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


def _unkeyed(value: ast.Expression) -> ast.Expression:
    """`tgt.site` of `tgt.site["east"]`: which copy is meant is an expression of its own."""
    return value.target if isinstance(value, ast.Index) else value


def _without(body: ast.Body, arguments: Sequence[str], blocks: Sequence[str]) -> ast.Body:
    return ast.Body(
        tuple(a for a in body.arguments if a.name not in arguments),
        tuple(b for b in body.blocks if b.type not in blocks),
        body.range,
    )
