"""Panels: the report as plain data. Text, HTML and JSON are views of these records and add nothing.

Every number a view shows is a field here, so that tests need no drawing, and a report can be drawn
again from its JSON alone.
"""

from whyfit.report.panels.arms import ArmPanel
from whyfit.report.panels.causes import CausePanel
from whyfit.report.panels.curve import CurvePanel
from whyfit.report.panels.document import from_json, schema, to_json
from whyfit.report.panels.evidence import network_summary
from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.fixes import FixPanel
from whyfit.report.panels.report import Report, make_report
from whyfit.report.panels.values import Number

__all__ = [
    "ArmPanel",
    "CausePanel",
    "CurvePanel",
    "FitPanel",
    "FixPanel",
    "Number",
    "Report",
    "from_json",
    "make_report",
    "network_summary",
    "schema",
    "to_json",
]
