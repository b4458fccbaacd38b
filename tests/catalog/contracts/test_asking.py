"""What rules that look at all rows read."""

from __future__ import annotations

import pytest
from contract_tables import count, measure, query

from catalog.contracts.asking import views_of
from data_contracts.errors import ContractError


def test_what_a_rule_reads_is_known_without_asking():
    assert views_of(query("SELECT count(*) FROM splits", examples="FROM edges")) == {
        "splits",
        "edges",
    }
    assert views_of(measure("drift", of="x")) == {"baseline"}
    assert views_of(measure("drop_rate")) == views_of(measure("drop_rate", by="source"))
    assert views_of(measure("drop_rate")) == {"documents"}
    assert views_of(measure("drop_rate", by=["reason"])) == frozenset()
    assert views_of(measure("drop_rate", by=5)) == frozenset()
    assert views_of(count("nullValues")) == frozenset()
    with pytest.raises(ContractError):
        views_of(query("DROP VIEW rows"))
