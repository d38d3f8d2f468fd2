from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from planner.evaluation.functions.registry import standard_functions
from planner.values.marks import Unknown
from planner.values.types import STRING

EVENING = datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=2)))

TERRAFORM_1_11 = """
abs abspath alltrue anytrue base64decode base64encode base64gzip base64sha256 base64sha512 basename bcrypt ceil chomp
chunklist cidrhost cidrnetmask cidrsubnet cidrsubnets coalesce coalescelist compact concat contains csvdecode dirname
distinct element endswith ephemeralasnull file filebase64 filebase64sha256 filebase64sha512 fileexists filemd5 fileset
filesha1 filesha256 filesha512 flatten floor format formatdate formatlist indent index issensitive join jsondecode
jsonencode keys length log lookup lower matchkeys max md5 merge min nonsensitive one parseint pathexpand plantimestamp
pow range regex regexall replace reverse rsadecrypt sensitive setintersection setproduct setsubtract setunion sha1
sha256 sha512 signum slice sort split startswith strcontains strrev substr sum templatefile templatestring
textdecodebase64 textencodebase64 timeadd timecmp timestamp title tobool tolist tomap tonumber toset tostring transpose
trim trimprefix trimspace trimsuffix upper urlencode uuid uuidv5 values yamldecode yamlencode zipmap
"""
"""All but try() and can(), which the compiler knows itself."""


def test_the_functions_are_terraforms() -> None:
    assert sorted(standard_functions(Path(), plan_time=EVENING)) == TERRAFORM_1_11.split()


def test_the_time_of_the_plan_is_in_utc() -> None:
    functions = standard_functions(Path(), plan_time=EVENING)
    assert functions["plantimestamp"].call([]) == "2026-01-31T21:30:00Z"


def test_what_only_apply_can_tell_is_unknown_while_planning() -> None:
    functions = standard_functions(Path(), plan_time=EVENING, planning=True)
    for name, arguments in {"timestamp": [], "uuid": [], "bcrypt": ["x"]}.items():
        assert functions[name].call(arguments) == Unknown(STRING, not_null=True)


def test_the_clock_is_read_at_apply() -> None:
    now = standard_functions(Path(), plan_time=EVENING)["timestamp"].call([])
    assert isinstance(now, str)
    assert abs(datetime.fromisoformat(now) - datetime.now(UTC)) < timedelta(minutes=1)


def test_type_is_for_the_console_alone() -> None:
    assert "type" in standard_functions(Path(), plan_time=EVENING, console=True)


def test_heavy_libraries_wait_until_a_function_needs_them() -> None:
    script = (
        "import sys; from planner.evaluation.functions import registry; "
        "print([name for name in ('yaml', 're2', 'regex', 'bcrypt', 'cryptography', 'hcl2') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    assert found.stdout.strip() == "[]"
