"""The report of a run."""

from gedi.report.content import ReportContent
from gedi.report.page import write

__all__ = ["ReportContent", "write"]
