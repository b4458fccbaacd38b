"""The report: one HTML page that tells a run from raw text to judged model.

`report_facts` reads what a run's steps recorded, `write_report` makes the page of it. Nothing is
computed again, and nothing in the page is loaded from elsewhere.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.report.facts import ReportFacts, report_facts
    from catalog.report.page import write_page, write_report

__all__ = ["ReportFacts", "report_facts", "write_page", "write_report"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, and with it DuckDB or Jinja, only then."""
    if name not in __all__:
        raise AttributeError(f"module 'catalog.report' has no attribute {name!r}")
    from catalog.report import facts, page

    return getattr(page if name.startswith("write_") else facts, name)
