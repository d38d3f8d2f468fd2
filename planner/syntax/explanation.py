"""
Words for what the scanner finds wrong: a summary that is always the same, and a detail that says what to write instead.

`planner.syntax.refusal` has those for what python-hcl2 finds.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple


class Explanation(NamedTuple):
    summary: str
    detail: str


BLOCK_HEADER = re.compile(r'[ \t]*[A-Za-z_][\w-]*(?:[ \t]+(?:"[^"\n]*"|[A-Za-z_][\w-]*))*[ \t]*\{')
BLOCK_OR_ARGUMENT = re.compile(rf"{BLOCK_HEADER.pattern}|[ \t]*[A-Za-z_][\w-]*[ \t]*=(?![=>])")

_QUOTES = {"'": "'", "`": "`", "\u2018": "\u2019", "\u201c": "\u201d", "\u201e": "\u201c", "\u00ab": "\u00bb"}
_OPERATORS = {
    "&": 'The operator for "and" is "&&".',
    "|": 'The operator for "or" is "||".',
    "^": "There is no such operator. For powers there is the function pow.",
    "~": "There are no operators on bits.",
}

FOR_WITHOUT_VARIABLE = Explanation(
    "Invalid for expression",
    'After the bracket "for" begins a for expression, and the name of its variable follows, as in [for v in list : v]. '
    'To use the word as a key, put it in quotes: "for".',
)
INVALID_HEREDOC = Explanation(
    "Invalid heredoc",
    "A heredoc begins with << or <<- and its end marker: <<EOT. Nothing stands between them, there are no quotes, and "
    "nothing follows on the line.",
)
INTERPOLATION_OUTSIDE = Explanation(
    "Unexpected interpolation",
    "Interpolation is for the inside of quoted strings. Outside of them write the expression alone.",
)
UNTERMINATED_STRING = Explanation(
    "Unterminated string",
    'The closing quote is missing on this line. Write \\" for a quote within the string.',
)
STRING_OF_SEVERAL_LINES = Explanation(
    "Newline in a string",
    "A quoted string ends on the line where it begins. Write \\n for a newline, or use a heredoc (<<EOT) for text of "
    "several lines.",
)


def invalid_character(text: str, position: int) -> tuple[Explanation, int]:
    """The explanation of what is invalid at `position`, and where that ends."""
    character = text[position]
    line_end = text.find("\n", position)
    line_end = line_end if line_end >= 0 else len(text)
    line = text[position:line_end]
    if character in _QUOTES or character in _QUOTES.values():
        closing = text.find(_QUOTES.get(character, character), position + 1, line_end)
        end = closing + 1 if closing >= 0 else position + 1
        inside = text[position + 1 : closing] if closing >= 0 else "..."
        return Explanation("Invalid quotation mark", f'Strings stand in straight double quotes: "{inside}".'), end
    if line.startswith("<<"):
        return INVALID_HEREDOC, line_end
    if line.startswith("/*"):
        return Explanation("Unterminated comment", 'No "*/" closes this comment.'), len(text)
    if line.startswith("${"):
        return INTERPOLATION_OUTSIDE, position + 2
    if character in _OPERATORS:
        return Explanation("Unsupported operator", _OPERATORS[character]), position + 1
    if character == ";":
        detail = 'Nothing ends with ";" here: each argument stands on a line of its own.'
    elif character == "\\":
        detail = "A backslash does not continue a line. Inside parentheses an expression may go on over several lines."
    else:
        name = unicodedata.name(character, "")
        shown = f"U+{ord(character):04X}" + (f" ({name.lower()})" if name else "")
        detail = f"The character {shown} has no meaning outside of strings and comments."
        if not character.isprintable() or character.isspace():
            detail += " It cannot be seen, and may have come along with copied text."
    return Explanation("Invalid character", detail), position + 1


def closing_quote(text: str, position: int) -> int | None:
    """
    Where a string that is still open at the end of a line ends, when it was meant to go on over several lines.

    It was when the next line with quotes has an odd number of them, and does not look like an argument or a block.
    """
    quote = text.find('"', position)
    if quote < 0:
        return None
    line_start, line_end = text.rfind("\n", 0, quote) + 1, text.find("\n", quote)
    if BLOCK_OR_ARGUMENT.match(text, line_start):
        return None
    line = text[line_start : line_end if line_end >= 0 else len(text)].replace('\\"', "")
    return quote + 1 if line.count('"') % 2 else None


def line_ends_after(token: str) -> Explanation:
    if token == "=":
        return Explanation("Missing value", 'A value should follow the "=" on the same line.')
    return Explanation(
        "Unexpected end of line",
        f'Something should follow "{token}" on the same line. An expression goes on over several lines only inside '
        "parentheses or brackets.",
    )


def comma_begins_line(in_block: bool) -> Explanation:
    if in_block:
        detail = "Arguments are not separated by commas: each stands on a line of its own."
    else:
        detail = "The end of the line before separates the items already. Put the comma there, or leave it out."
    return Explanation("Unexpected comma", detail)


def operator_begins_line(operator: str) -> Explanation:
    return Explanation(
        "Unexpected operator",
        f'The expression ended with the line before, so there is nothing on the left of "{operator}". Put the whole '
        "expression in parentheses to let it go on over several lines.",
    )


def number_with_letters(text: str) -> Explanation:
    return Explanation("Invalid number", f'Letters follow a number. A value with a unit is a string: "{text}".')


def several_dots(text: str) -> Explanation:
    return Explanation(
        "Invalid number", f'A number has one dot at most. A version or an address is a string: "{text}".'
    )


def legacy_indexes(text: str) -> Explanation:
    first, second = text.split(".", 1)
    return Explanation(
        "Invalid legacy index", f"Two indexes with dots cannot follow each other. Write [{first}][{second}]."
    )


def invalid_name(name: str) -> Explanation:
    return Explanation(
        "Invalid name", f'"{name}" is not a name: a name holds letters, digits, underscores and hyphens.'
    )


def too_deep(limit: int) -> Explanation:
    return Explanation("Too deeply nested", f"More than {limit} expressions or blocks stand within each other here.")


def closes_nothing(closer: str) -> Explanation:
    return Explanation("Unexpected closing bracket", f'There is no open bracket that this "{closer}" could close.')


def mismatched(closer: str, opener: str, expected: str) -> Explanation:
    return Explanation("Mismatched bracket", f'Found "{closer}" where "{expected}" should close the "{opener}".')


def unclosed(opener: str, closer: str) -> Explanation:
    return Explanation("Unclosed bracket", f'No "{closer}" closes this "{opener}".')


def unclosed_sequence(opener: str) -> Explanation:
    return Explanation(
        "Unclosed interpolation" if opener == "${" else "Unclosed template directive",
        f'No "}}" closes this "{opener}". Write {opener[0]}{opener} for the characters themselves.',
    )


def unterminated_heredoc(marker: str) -> Explanation:
    return Explanation(
        "Unterminated heredoc",
        f'The end marker "{marker}" must stand alone on a line: nothing else may follow it there, not even a comma.',
    )


def directive(text: str) -> tuple[Explanation, int]:
    """The explanation of the directive that is to begin with `text`, and how much of that it is about."""
    words = re.match(r"\s*(else\s+if|\w*)", text)
    length = words.end() if words is not None else 0
    word = words.group(1) if words is not None else ""
    if word.startswith("else "):
        detail = 'There is no "else if". Open another "if" within the "else".'
    elif word == "for":
        detail = "A for directive names one or two variables and a collection: %{ for key, value in var.tags }."
    elif word in ("else", "endif", "endfor"):
        detail = f'Nothing but the closing brace follows "{word}".'
    else:
        detail = (
            "A directive is one of if, else, endif, for and endfor, such as %{ if var.enabled }. Write %%{ for the "
            "characters themselves."
        )
    return Explanation("Invalid template directive", detail), length
