"""
Words for where python-hcl2 cannot go on.

It says at which token it stopped and which ones it would have taken. That is told in the words of the language: what
was found, what was expected there, and what the usual mistakes are that lead to it.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import NamedTuple

from planner.syntax.explanation import Explanation
from planner.syntax.masked import MaskedText


class Refusal(NamedTuple):
    """
    Where python-hcl2 stopped in an argument or block that begins at `start`.

    Attributes:
        masked: the text that it stopped in.
        position: of the token that it did not take.
        accepts: the terminals of its grammar that it would have taken.
    """

    masked: MaskedText
    start: int
    position: int
    accepts: Set[str]


class _Token(NamedTuple):
    start: int
    end: int


_MOST_WORDS = 50
"""How far the header of a block is read back: each step looks through the text before it."""

_WORD = re.compile(r'[\w-]+|"_*"')
_WORD_BEFORE = re.compile(r'(?:[\w-]+|"_*")\Z')
_OPERATOR = re.compile(r"==|!=|<=|>=|=>|&&|\|\||\.\.\.|.", re.DOTALL)
_OPERATOR_BEFORE = re.compile(r"(?:==|!=|<=|>=|=>|&&|\|\||\.\.\.|.)\Z", re.DOTALL)
_BRACKET = re.compile(r"[(\[{}\])]")
_VALUE_END = re.compile(r'[\w"\-)\]}]')
_LOGICAL_WORDS = {"and": "&&", "or": "||", "not": "!", "is": "=="}

_ENDS = {
    "tuple": "Missing comma",
    "call": "Missing comma",
    "object": "Missing comma",
    "group": "Missing closing bracket",
    "index": "Missing closing bracket",
    "interpolation": "Invalid interpolation",
    "directive": "Invalid template directive",
    "tuple for": "Invalid for expression",
    "object for": "Invalid for expression",
}
"""What is wrong when a value ends and something else follows, by what it stands in."""

_EXPECTED = {"COMMA": "a comma", "ELLIPSIS": '"..."', "IF": '"if"', "RSQB": '"]"', "RPAR": '")"', "RBRACE": '"}"'}


def explain(refusal: Refusal) -> tuple[Explanation, int, int]:
    """The explanation, and the range that it is about."""
    return _Reader(refusal).explain()


class _Reader:
    def __init__(self, refusal: Refusal) -> None:
        self.text = refusal.masked.source.text
        self.masked = refusal.masked.text
        self.templates = refusal.masked.templates
        self.refusal = refusal
        self.accepts = refusal.accepts
        self.bracket, self.kind = self._enclosing()
        self.before = self._token_before(refusal.position)
        self.found = self._token_at(refusal.position)
        self.begins_line = self.before is None or "\n" in self.masked[self.before.end : refusal.position]

    def explain(self) -> tuple[Explanation, int, int]:
        explanation = self._explain()
        subject = self.found or self.before or _Token(self.refusal.start, self.refusal.start)
        return explanation, subject.start, subject.end

    def _explain(self) -> Explanation:
        accepts = self.accepts
        in_body = self.kind in ("file", "block")
        after_words = in_body and "LBRACE" in accepts and "INT_LITERAL" not in accepts
        if (
            in_body
            and not after_words
            and "NAME" in accepts
            and "INT_LITERAL" not in accepts
            and not self._is(".", before=True)
        ):
            begins = self.begins_line or (self.kind == "block" and self.before == (self.bracket, self.bracket + 1))
            return self._item() if begins else self._after_item()
        if self.begins_line:
            self.found = None
        if after_words:
            return self._after_words()
        if self._is(".", before=True):
            return self._after_dot()
        if self.kind == "object" and "EQ" in accepts:
            return self._after_key()
        if "INT_LITERAL" in accepts and not (self.kind == "object" and self._value_before()):
            return self._value()
        if accepts <= {"COLON", "NL_OR_COMMENT"} and not self.kind.endswith("for"):
            return Explanation(
                "Incomplete condition",
                f'{self._found()} where ":" and the other result should follow: condition ? result : other result.',
            )
        if self.kind.endswith("for"):
            return self._in_for()
        return self._after_value()

    # What was found

    def _found(self) -> str:
        return f"Found {self._words(self.found)}"

    def _words(self, token: _Token | None) -> str:
        if token is None:
            return "the end of the line"
        text = self.text[token.start : token.end]
        if text.startswith("<<"):
            return "a heredoc"
        if text.startswith('"'):
            return f"the string {text}" if len(text) <= 40 else "a string"
        return f"the number {text}" if text[0].isdigit() else f'"{text}"'

    def _is(self, *texts: str, before: bool = False) -> bool:
        token = self.before if before else self.found
        return (self.text[token.start : token.end] if token is not None else "") in texts

    def _value_before(self) -> bool:
        return self.before is not None and _VALUE_END.match(self.masked, self.before.end - 1) is not None

    def _token_at(self, position: int) -> _Token | None:
        """The token at `position`, or None at the end of a line."""
        text, masked = self.text, self.masked
        while position < len(masked) and masked[position] in " \t\r":
            position += 1
        if position >= len(text) or masked[position] == "\n":
            return None
        if position in self.templates:
            return _Token(position, self.templates[position].end)
        match = _WORD.match(masked, position) or _OPERATOR.match(text, position)
        assert match is not None
        return _Token(*match.span())

    def _token_before(self, position: int) -> _Token | None:
        """The token before `position` in the same argument or block."""
        text, masked, start = self.text, self.masked, self.refusal.start
        end = start + len(masked[start:position].rstrip())
        if end == start:
            return None
        if masked[end - 1] == "]" and text[end - 1] != "]":
            return _Token(self._open_brackets(end - 1)[-1], end)  # a template, masked as a tuple
        match = _WORD_BEFORE.search(masked, start, end) or _OPERATOR_BEFORE.search(text, start, end)
        assert match is not None
        return _Token(*match.span())

    def _open_brackets(self, position: int) -> list[int]:
        """Where those begin, in the same argument or block, that are open at `position`; the innermost last."""
        stack: list[int] = []
        for match in _BRACKET.finditer(self.masked, self.refusal.start, position):
            if match.group() in "([{":
                stack.append(match.start())
            elif stack:
                stack.pop()
        return stack

    def _enclosing(self) -> tuple[int, str]:
        """The innermost bracket that is open, and what it is."""
        masked, text, start = self.masked, self.text, self.refusal.start
        brackets = self._open_brackets(self.refusal.position)
        if not brackets:
            return start, "file"
        at = brackets[-1]
        before = masked[start:at].rstrip(" \t")
        follows_value = bool(before) and _VALUE_END.match(before, len(before) - 1) is not None
        is_for = re.compile(r"\s*for\b").match(text, at + 1) is not None
        if masked[at] == "(":
            if text[at] == "{":
                return at, "interpolation" if text[at - 1] == "$" else "directive"
            return at, "call" if follows_value else "group"
        if masked[at] == "[":
            return at, "index" if follows_value else "tuple for" if is_for else "tuple"
        if not before or before[-1] == "\n" or follows_value:
            return at, "block"
        return at, "object for" if is_for else "object"

    # What it means

    def _item(self) -> Explanation:
        if self.kind == "file" and self._is("{"):
            return Explanation(
                "Invalid argument or block",
                'A file holds arguments (name = value) and blocks (type "label" { ... }), and no brace alone. The same '
                "in JSON is read from files whose names end in .json.",
            )
        expected = "a name or a block" if self.kind == "file" else "a name, a block or the closing brace"
        return Explanation("Invalid argument or block", f"{self._found()} where {expected} was expected.")

    def _after_words(self) -> Explanation:
        """After the name of an argument, or the type and labels of a block."""
        words: list[_Token] = []
        before = self.before
        while before is not None and len(words) < _MOST_WORDS and _WORD.fullmatch(self.masked, *before):
            words.insert(0, before)
            before = self._token_before(before.start)
            if before is not None and "\n" in self.masked[before.end : words[0].start]:
                before = None
        if before is not None and before.start != self.bracket:
            # These are no words of a header: the line has begun with something else, which a value ends.
            follows_value = _VALUE_END.match(self.masked, before.end - 1) is not None
            culprit = 0 if follows_value else 1
            self.before = before if follows_value else words[0]
            self.found = words[culprit] if len(words) > culprit else self.found
            return self._after_item()
        name = self.text[words[0].start : words[0].end] if words else ""
        if len(words) > 1 and self._is("="):
            return Explanation(
                "Invalid argument or block",
                'A block\'s labels are followed by "{" and not by "="; an argument has no labels.',
            )
        if len(words) > 2:
            return Explanation(
                "Missing opening brace", f'{self._found()} where "{{" should begin the content of the block.'
            )
        if len(words) == 2:
            rest = self.text[words[1].start : words[1].end]
            return Explanation(
                "Missing equals sign",
                f"{self._found()} after {name} {rest}. An argument is set with {name} = {rest}; a block goes on with "
                '"{".',
            )
        if self.found is None:
            return Explanation(
                "Invalid argument or block",
                f'"{name}" stands alone. An argument goes on with "=" and a value, a block with its labels and "{{".',
            )
        if self._is(":"):
            return Explanation("Missing equals sign", f'Found ":" after "{name}". An argument is set with "=".')
        if self._is(".", "["):
            return Explanation(
                "Invalid argument name",
                f'{self._found()} after "{name}". An argument is set as a whole, under a plain name.',
            )
        return Explanation(
            "Missing equals sign", f'{self._found()} where "=" should stand between "{name}" and its value.'
        )

    def _after_item(self) -> Explanation:
        word = self.text[self.found.start : self.found.end] if self.found is not None else ""
        if self.kind == "block" and self._is(",") and "\n" not in self.masked[self.bracket : self.refusal.position]:
            return Explanation(
                "Invalid single-line block",
                'A block of one line holds one argument. Begin a new line after the "{" to write more.',
            )
        if self._is("}", before=True):
            detail = f"{self._found()} where the line should end. A block stands on lines of its own."
        elif self._is(","):
            detail = (
                "Found a comma where the line should end. Arguments are not separated by commas: each stands on a line."
            )
        elif self._is("{"):
            detail = (
                'Found "{" where the line should end. A block stands without "=": write type { ... }. An object stands '
                "alone after the equals sign: name = { ... }."
            )
        elif self._is("="):
            detail = 'Found "=" where the line should end. To compare two values write "==".'
        elif self._is("("):
            detail = 'Found "(" where the line should end. Functions are called by their names alone.'
        elif word in _LOGICAL_WORDS:
            detail = f'Found "{word}" where the line should end. The operator is "{_LOGICAL_WORDS[word]}".'
        elif self._is("not", before=True):
            detail = f'{self._found()} after "not". The operator is "!".'
        elif self._is("if", before=True):
            detail = f'{self._found()} after "if". A choice is written condition ? result : other result.'
        elif self.before is not None and self.text[self.before.start].isdigit() and word.isalpha():
            number = self.text[self.before.start : self.before.end]
            detail = f'{self._found()} where the line should end. A value with a unit is a string: "{number}{word}".'
        else:
            detail = f"{self._found()} where the line should end. Each argument stands on a line of its own."
        return Explanation("Missing newline", detail)

    def _after_dot(self) -> Explanation:
        detail = f'{self._found()} where a name should follow the ".".'
        if self._is("["):
            detail += " An index follows its value without one: list[0]."
        elif self.found is not None and self.text[self.found.start] == '"':
            detail += ' A string stands in brackets: map["key"].'
        return Explanation("Missing attribute name", detail)

    def _after_key(self) -> Explanation:
        key = self._words(self.before)
        if self._is("{"):
            return Explanation(
                "Missing equals sign",
                f'Found "{{" after the key {key}. Within an object there are no blocks: set the key with "=".',
            )
        return Explanation("Missing equals sign", f'{self._found()} where "=" and a value should follow the key {key}.')

    def _value(self) -> Explanation:
        found = self.found
        start = found.start if found is not None else 0
        if self._is("*") and self._is("*", before=True):
            return Explanation(
                "Unsupported operator", 'There is no operator "**". For powers there is the function pow.'
            )
        if self._is("=") and self.text[start - 2 : start] == "==":
            return Explanation("Unsupported operator", 'There is no operator "===". Values are compared with "==".')
        detail = f"{self._found()} where a value was expected."
        if self._is("+"):
            detail += " A number stands without a plus sign."
        elif self._is(".") and self.text[start + 1 : start + 2].isdigit():
            detail += " A number begins with a digit: 0.5."
        elif self._is(",") and self.kind == "object":
            detail = "Found a comma where the key of the next item was expected."
        summary = "Missing value" if found is None or self._is(",", "}", "]", ")") else "Invalid expression"
        return Explanation(summary, detail)

    def _in_for(self) -> Explanation:
        accepts, summary = self.accepts, "Invalid for expression"
        if "IN" in accepts:
            return Explanation(summary, f'{self._found()} where "in" and a collection should follow the variables.')
        if "COLON" in accepts:
            hint = " The condition stands last: [for v in list : v if condition]." if self._is("if") else ""
            return Explanation(summary, f'{self._found()} where ":" and the result should follow the collection.{hint}')
        if "FOR_OBJECT_ARROW" in accepts:
            return Explanation(
                summary,
                f'{self._found()} where "=>" should follow the key. Braces make an object, {{for k, v in map : '
                "k => v}, and brackets make a list, [for v in list : v].",
            )
        if "NAME" in accepts:
            return Explanation(summary, f"{self._found()} where the name of a variable was expected.")
        if self._is("=>") and self.kind == "tuple for":
            return Explanation(
                summary, 'Found "=>". Brackets make a list; braces make an object: {for k, v in map : k => v}.'
            )
        if self._is("...") and self.kind == "tuple for":
            return Explanation(summary, 'Found "...". Only an object, in braces, can group values of the same key.')
        return self._after_value()

    def _after_value(self) -> Explanation:
        expected = [words for terminal, words in _EXPECTED.items() if terminal in self.accepts]
        if self.kind == "object":
            expected = ["a comma", "a new line", '"}"']
        elif self.kind in ("interpolation", "directive"):
            expected = ['"}"']
        detail = f"{self._found()} where {' or '.join(expected) or 'the end of the line'} was expected."
        word = self.text[self.found.start : self.found.end] if self.found is not None else ""
        if word in _LOGICAL_WORDS:
            detail += f' The operator is "{_LOGICAL_WORDS[word]}".'
        elif word == "=" and self.kind == "call":
            detail += " Arguments of functions have no names."
        elif word == "=":
            detail += ' To compare two values write "==".'
        return Explanation(_ENDS.get(self.kind, "Invalid syntax"), detail)
