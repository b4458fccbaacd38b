"""The pages that a run leaves however it ends: validation results of all runs, and its report.

A page is no result: what goes wrong in writing one is a warning, never the end of a run.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from data_contracts.errors import ContractViolation, MillraceError, WaitingForPerson
from flows.contracts import PAGE
from store.home import first_line

if TYPE_CHECKING:
    from flows.session import Session


def write_pages(session: Session, error: BaseException | None) -> None:
    """Write the page of all validation results, and the report of a run that is stopped.

    The report of a run that ends well is written where it is shown. The page of all results comes
    last, since it links to reports that are there.
    """
    from catalog.contracts.page import write_checks_page
    from flows.report import make_report

    try:
        if isinstance(error, ContractViolation | WaitingForPerson) or session.waits_for:
            make_report(session.storage, session.run)
        if session.run.checks:
            session.storage.replace(PAGE, write_checks_page(session.storage).encode())
    except MillraceError as problem:
        print(f"millrace: a page could not be written ({first_line(problem)})", file=sys.stderr)
