"""`qd report`: a run on one page that opens from disk, without any network."""

from .page import report, report_html

__all__ = ["report", "report_html"]
