"""The report as a JSON document, and the schema that every such document keeps.

The schema is generated from the panels (scripts/make_schema.py) and stands in `report/schema.json`, so
that others can check a document without whyfit.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec
import numpy as np

from whyfit.report.panels.plain_text import clipped
from whyfit.report.panels.report import Report

SCHEMA_ID = "whyfit-report-1"


def to_json(report: Report) -> bytes:
    """The report as JSON; what is not a finite number is null."""
    plain = _renamed(msgspec.to_builtins(report))
    return msgspec.json.format(msgspec.json.encode(plain), indent=1)


def from_json(content: bytes) -> Report:
    """A report from its JSON. Raises msgspec.DecodeError or ValidationError."""
    plain = _renamed(msgspec.json.decode(content), back=True)
    return clipped(msgspec.convert(plain, Report, strict=False))


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of `to_json`, made from the panels' types."""
    made = msgspec.json.schema(Report)
    made = _renamed(made)
    for definition in made["$defs"].values():
        # msgspec before 0.23 left docstrings indented and the default of an empty object out.
        definition["description"] = cleandoc(definition["description"])
        required = definition["required"] = [_name(each, False) for each in definition["required"]]
        for name, each in definition["properties"].items():
            if name not in required and each.get("type") == "object":
                each.setdefault("default", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Report of whyfit",
        **made,
    }


def _renamed(value: Any, *, back: bool = False) -> Any:
    """`from_` and `with_` are `from` and `with` in JSON, where these are ordinary words."""
    if isinstance(value, dict):
        return {_name(name, back): _renamed(each, back=back) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_renamed(each, back=back) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _name(name: str, back: bool) -> str:
    if back:
        return name + "_" if name in ("from", "with") else name
    return name.removesuffix("_")
