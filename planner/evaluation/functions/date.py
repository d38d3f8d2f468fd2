"""Points in time, as RFC 3339 texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

from planner.evaluation.functions.signature import ArgumentFault, CallFault, Family, Parameter
from planner.values.types import NUMBER, STRING, Value

FUNCTIONS = Family()

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:(Z)|([+-])(\d\d):(\d\d))", re.ASCII)
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_LONGEST_DURATION = 2**63 - 1
"""In nanoseconds: what 64 bits hold, as in Terraform."""

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FORMAT_PART = re.compile(r"'((?:[^']|'')+)'|('')|(')|(([A-Za-z])\5*)|([^A-Za-z']+)", re.S)


def parse_time(text: str, index: int) -> datetime:
    """
    A point in time with its zone.

    Raises:
        ArgumentFault: the text is not RFC 3339, or there is no such time.
    """
    match = _RFC3339.fullmatch(text)
    problem = "it is not a time in RFC 3339 format, such as 2026-01-31T23:59:59Z"
    if match is None:
        raise ArgumentFault(index, problem)
    year, month, day, hour, minute, second, fraction, _, sign, zone_hour, zone_minute = match.groups()
    zone = UTC
    if sign:
        offset = timedelta(hours=int(zone_hour), minutes=int(zone_minute))
        if int(zone_hour) > 23 or int(zone_minute) > 59:
            raise ArgumentFault(index, problem)
        zone = timezone(-offset if sign == "-" else offset)
    try:
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=zone,
        )
    except ValueError as error:
        raise ArgumentFault(index, f"there is no such time: {error}") from None


def rfc3339(time: datetime) -> str:
    """A point in time as RFC 3339, to the second."""
    return f"{time:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + _offset(time, colon=True, utc="Z")


def format_rfc3339(year: int, month: int, day: int, hour: int, minute: int, second: int, zone: str) -> str | None:
    """RFC 3339 of a date and time whose zone is "Z" or an offset such as "+02:00"; None when there is none such."""
    try:
        datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    if zone != "Z":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        zone = f"{zone[0]}{digits[:2]}:{digits[2:]}"
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}"


@FUNCTIONS.add("formatdate", Parameter("format"), Parameter("time"), returns=STRING)
def format_date(pattern: str, text: str) -> Value:
    time = parse_time(text, 1)
    pieces = []
    for match in _FORMAT_PART.finditer(pattern):
        quoted, quote, unclosed, token, _, other = match.groups()
        if unclosed is not None:
            raise ArgumentFault(0, "a quote is not closed")
        if quoted is not None:
            pieces.append(quoted.replace("''", "'"))
        elif quote is not None:
            pieces.append("'")
        elif token is not None:
            pieces.append(_token(token, time))
        else:
            pieces.append(other)
    return "".join(pieces)


def _token(token: str, time: datetime) -> str:
    match token:
        case "YYYY":
            return f"{time.year:04}"
        case "YY":
            return f"{time.year % 100:02}"
        case "MMMM":
            return _MONTHS[time.month - 1]
        case "MMM":
            return _MONTHS[time.month - 1][:3]
        case "MM" | "M":
            return f"{time.month:0{len(token)}}"
        case "DD" | "D":
            return f"{time.day:0{len(token)}}"
        case "EEEE":
            return _DAYS[time.weekday()]
        case "EEE":
            return _DAYS[time.weekday()][:3]
        case "hh" | "h":
            return f"{time.hour:0{len(token)}}"
        case "HH" | "H":
            return f"{(time.hour - 1) % 12 + 1:0{len(token)}}"
        case "AA":
            return "AM" if time.hour < 12 else "PM"
        case "aa":
            return "am" if time.hour < 12 else "pm"
        case "mm" | "m":
            return f"{time.minute:0{len(token)}}"
        case "ss" | "s":
            return f"{time.second:0{len(token)}}"
        case "ZZZZZ":
            return _offset(time, colon=True)
        case "ZZZZ":
            return _offset(time, colon=False)
        case "ZZZ":
            return _offset(time, colon=False, utc="UTC")
        case "Z":
            return _offset(time, colon=True, utc="Z")
        case _:
            raise ArgumentFault(0, f'"{token}" is no part of a date; letters that stand for themselves go in quotes')


def _offset(time: datetime, *, colon: bool, utc: str | None = None) -> str:
    offset = time.utcoffset() or timedelta()
    if utc is not None and not offset:
        return utc
    minutes = int(abs(offset).total_seconds()) // 60
    return f"{'-' if offset < timedelta() else '+'}{minutes // 60:02}{':' if colon else ''}{minutes % 60:02}"


@FUNCTIONS.add("timeadd", Parameter("timestamp"), Parameter("duration"), returns=STRING)
def time_add(text: str, duration: str) -> Value:
    time = parse_time(text, 0)
    nanoseconds = _parse_duration(duration)
    try:
        return rfc3339(time + timedelta(microseconds=nanoseconds // 1000))
    except OverflowError:
        raise CallFault("the result is beyond the years 1 to 9999") from None


def _parse_duration(text: str) -> int:
    """Nanoseconds of a duration such as "-1h30m"."""
    problem = f'"{text}" is not a duration such as "1h30m", with the units h, m, s, ms, us and ns'
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return 0
    total, at = Fraction(), 0
    while at < len(body):
        match = _DURATION_PART.match(body, at)
        if match is None:
            raise ArgumentFault(1, problem)
        total += Fraction(match[1].rstrip(".") if match[1][0] != "." else f"0{match[1]}") * _NANOSECONDS[match[2]]
        at = match.end()
    if not body or total > _LONGEST_DURATION:
        raise ArgumentFault(1, problem if not body else "it is longer than about 292 years")
    return int(-total if text[0] == "-" else total)


@FUNCTIONS.add("timecmp", Parameter("timestamp_a"), Parameter("timestamp_b"), returns=NUMBER)
def time_compare(one: str, other: str) -> Value:
    first, second = parse_time(one, 0), parse_time(other, 1)
    return (first > second) - (first < second)
