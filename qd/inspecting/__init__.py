"""What a data set holds, and how far one gets on it without a search: a person sees their mistake before it costs."""

from .report import Inspection, data

__all__ = ["Inspection", "data"]
