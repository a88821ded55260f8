"""`qd report`: a run on one page that opens from disk, without any network."""

from .page import report_html, write_report

__all__ = ["report_html", "write_report"]
