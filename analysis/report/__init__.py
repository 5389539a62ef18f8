"""The report of a sweep: one HTML page that needs no network."""

from analysis.report.page import write_report

__all__ = ["write_report"]
