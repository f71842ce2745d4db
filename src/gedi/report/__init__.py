"""The report of a run."""

from gedi.report.content import ReportContent
from gedi.report.page import write
from gedi.report.summary import Verdict, verdict, verdict_of

__all__ = ["ReportContent", "Verdict", "verdict", "verdict_of", "write"]
