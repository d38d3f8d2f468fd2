"""Asks an installed Terraform for the values of expressions, one per line of standard input; prints oracle lines."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tempfile


def console(expression: str, directory: str) -> str | None:
    """What the console prints for an expression; None for an error."""
    run = subprocess.run(["terraform", "console"], input=expression, text=True, capture_output=True, cwd=directory)
    return None if run.returncode or "Error:" in run.stderr else run.stdout.strip()


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        for line in sys.stdin:
            expression = line.rstrip("\n")
            encoded = console(f"base64encode(jsonencode({expression}))", directory)
            if encoded is None:
                case: dict[str, object] = {"expr": expression, "error": True}
            else:
                type = re.sub(r"\s", "", console(f"type({expression})", directory) or "")
                value = json.loads(base64.b64decode(encoded.strip('"')))
                case = {"expr": expression, "type": type, "result_json": value}
            print(json.dumps({"section": "more"} | case, ensure_ascii=False))


if __name__ == "__main__":
    main()
