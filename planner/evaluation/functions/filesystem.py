"""Files and paths. Files are read relative to one directory, and only as UTF-8 where they become strings."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from planner.diagnostics import Diagnostic, Source
from planner.evaluation.errors import EvaluationError, Fault
from planner.evaluation.functions.encoding import to_base64
from planner.evaluation.functions.hashing import DIGESTS
from planner.evaluation.functions.signature import ArgumentFault, CallFault, Family, Function, Parameter, Takes
from planner.evaluation.operators import get_attribute
from planner.evaluation.scope import unknown_name
from planner.values.codec import normalized
from planner.values.compare import set_of
from planner.values.convert import ConversionError, convert, type_name, type_of
from planner.values.marks import UNKNOWN, Unknown
from planner.values.types import BOOL, DYNAMIC, STRING, MapValue, Null, SetType, Value
from planner.values.unify import required

_PATH = Parameter("path")
_NAME = re.compile(r"[^\W\d][\w-]*")

PATHS = Family()
"""Functions of paths that look at no file but the user's home directory."""


@PATHS.add("basename", _PATH, returns=STRING)
def base_name(path: str) -> Value:
    return posixpath.basename(_clean(path)) or "/"


@PATHS.add("dirname", _PATH, returns=STRING)
def directory_name(path: str) -> Value:
    return _clean(path.rpartition("/")[0] or ("/" if path.startswith("/") else "."))


@PATHS.add("pathexpand", _PATH, returns=STRING, pure=False)
def expand_path(path: str) -> Value:
    """`~` and `~/...` become the user's home directory."""
    if path.startswith("~") and path[1:2] not in ("", "/"):
        raise ArgumentFault(0, "the home directory of another user cannot be had")
    return posixpath.expanduser(path)


def filesystem_functions(directory: Path, functions: Callable[[], Mapping[str, Function]]) -> Family:
    """
    The functions that read files.

    Args:
        directory: where relative paths begin.
        functions: what templates may call.
    """
    family = Family(PATHS)

    def located(path: str) -> Path:
        return directory / posixpath.expanduser(path)

    def contents(path: str) -> bytes:
        try:
            return located(path).read_bytes()
        except IsADirectoryError:
            raise ArgumentFault(0, f'"{path}" is a directory, not a file') from None
        except FileNotFoundError:
            raise ArgumentFault(
                0, f'there is no file "{path}". Files must exist before the run; what it makes is for references'
            ) from None
        except OSError as error:
            raise ArgumentFault(0, f'"{path}" cannot be read: {error.strerror}') from None

    def text_of(path: str) -> str:
        try:
            return normalized(contents(path).decode())
        except UnicodeDecodeError:
            raise ArgumentFault(0, f'"{path}" is not UTF-8 text; filebase64() and the digests take any file') from None

    def digest_of_file(digest: Callable[[bytes], str]) -> Callable[[str], Value]:
        return lambda path: digest(contents(path))

    @family.add("abspath", _PATH, returns=STRING, pure=False)
    def absolute_path(path: str) -> Value:
        return posixpath.abspath(directory / path)

    family.add("file", _PATH, returns=STRING, pure=False)(text_of)
    family.add("filebase64", _PATH, returns=STRING, pure=False)(lambda path: to_base64(contents(path)))
    for name, digest in DIGESTS.items():
        file_name = f"filebase64{name[6:]}" if name.startswith("base64") else f"file{name}"
        family.add(file_name, _PATH, returns=STRING, pure=False)(digest_of_file(digest))

    @family.add("fileexists", _PATH, returns=BOOL, pure=False)
    def file_exists(path: str) -> Value:
        file = located(path)
        if file.is_dir():
            raise ArgumentFault(0, f'"{path}" is a directory, not a file')
        return file.is_file()

    @family.add("fileset", _PATH, Parameter("pattern"), returns=SetType(STRING), pure=False)
    def file_set(path: str, pattern: str) -> Value:
        """Files below `path` whose path from there matches: `*`, `**`, `?`, `[a-z]`, `{a,b}`."""
        root, prefix, below = located(path), "", posixpath.normpath(pattern)
        while below.startswith("../"):
            root, prefix, below = root / "..", prefix + "../", below.removeprefix("../")
        expression = _glob(below)
        return set_of(STRING, (prefix + name for name in _files_below(root, "") if expression.fullmatch(name)))

    @family.add(
        "templatefile",
        _PATH,
        Parameter("vars", DYNAMIC, unknown=Takes.PARTS, sensitive=Takes.PARTS),
        returns=DYNAMIC,
        pure=False,
    )
    def template_file(path: str, variables: Value) -> Value:
        return _rendered(Source(path, text_of(path)), variables, functions(), "templatefile")

    @family.add(
        "templatestring",
        Parameter("template", DYNAMIC),
        Parameter("vars", DYNAMIC, unknown=Takes.PARTS, sensitive=Takes.PARTS),
        returns=STRING,
    )
    def template_string(template: Value, variables: Value) -> Value:
        if not isinstance(template, str):
            raise ArgumentFault(0, f"a string is required, not {required(type_of(template))}")
        result = _rendered(Source("<template>", template), variables, functions(), "templatestring")
        try:
            return convert(result, STRING)
        except ConversionError as error:
            raise ArgumentFault(0, f"its result has no text: {error}") from None

    return family


class _TemplateScope:
    """The variables of a template, each a root of its own."""

    def __init__(self, variables: Mapping[str, Value]) -> None:
        self._variables = variables

    def resolve(self, root: str, name: str) -> Value:
        head, _, middle = root.partition(".")
        if head not in self._variables:
            raise unknown_name(head, "", ((variable, "") for variable in self._variables))
        value = self._variables[head]
        for step in filter(None, (middle, name)):
            value = get_attribute(value, step)
        return value


def _rendered(source: Source, variables: Value, functions: Mapping[str, Function], caller: str) -> Value:
    from planner.evaluation.compiler import compile_expression
    from planner.syntax.parser import parse_template

    given = variables.items if isinstance(variables, MapValue) else variables
    if isinstance(variables, Unknown):
        return UNKNOWN
    if not isinstance(given, Mapping):
        raise ArgumentFault(1, f"a map or object is required, not {type_name(type_of(variables))}")
    for name in given:
        if not _NAME.fullmatch(name):
            raise ArgumentFault(1, f'"{name}" cannot be the name of a variable')
    template, diagnostics = parse_template(source)
    if template is None:
        raise CallFault(_problem(next(iter(diagnostics))))
    inner = {name: function for name, function in functions.items() if name != caller}
    try:
        result = compile_expression(template, inner).evaluate(_TemplateScope(given))
    except EvaluationError as error:
        raise CallFault(_problem(error.diagnostic)) from None
    except Fault as fault:
        raise CallFault(f"{fault.summary}: {fault.detail.rstrip('.')}") from None
    if isinstance(result, Null):
        raise CallFault("the template's result is null")
    return result


def _problem(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.subject}: {diagnostic.summary}: {diagnostic.detail.rstrip('.')}"


def _clean(path: str) -> str:
    return posixpath.normpath(path) if path else "."


def _files_below(root: Path, prefix: str) -> Iterator[str]:
    try:
        found = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        name = prefix + entry.name
        if entry.is_dir():
            yield from _files_below(root / entry.name, name + "/")
        elif entry.is_file():
            yield name


def _glob(pattern: str) -> re.Pattern[str]:
    """A path pattern as a regular expression: `*` within one name, `**` across folders."""
    out: list[str] = []
    at, depth = 0, 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if pattern.startswith("**/", at - 1) and (at == 1 or pattern[at - 2] == "/"):
            out.append("(?:[^/]+/)*")
            at += 2
        elif pattern.startswith("**", at - 1) and at + 1 == len(pattern):
            out.append(".*")
            at += 1
        elif character == "*":
            out.append("[^/]*")
        elif character == "?":
            out.append("[^/]")
        elif character == "[" and "]" in pattern[at + 1 :]:
            end = pattern.index("]", at + 1)
            body = pattern[at:end].replace("\\", "\\\\")
            out.append(f"[{body}]")
            at = end + 1
        elif character == "[" or (character == "{" and "}" not in pattern[at:]):
            raise ArgumentFault(1, f'"{character}" is not closed in the pattern "{pattern}"')
        elif character == "{":
            out.append("(?:")
            depth += 1
        elif character == "," and depth:
            out.append("|")
        elif character == "}" and depth:
            out.append(")")
            depth -= 1
        elif character == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(character))
    try:
        return re.compile("".join(out), re.S)
    except re.error:
        raise ArgumentFault(1, f'"{pattern}" is not a pattern of paths') from None
