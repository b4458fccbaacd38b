"""The URL filter of datatrove 0.10 over the user's lists.

Deviations are those of the signals: `pipelines.signals.urls`.
"""

from pipelines.policies.dialect import Dialect, Rule

_FILTER = "datatrove 0.10, pipeline/filters/url_filter.py, URLFilter.filter"

DIALECT = Dialect(
    "urls@datatrove-0.10",
    "URLs in lists of domains, URLs, words and substrings, in datatrove's order",
    (
        Rule("urls.domain", "num_blocked_domains > 0", _FILTER),
        Rule("urls.subdomain", "num_blocked_hosts > 0", _FILTER),
        Rule("urls.url", "num_blocked_urls > 0", _FILTER),
        Rule("urls.hard_blacklisted", "num_banned_url_words > 0", _FILTER),
        Rule("urls.soft_blacklisted", "num_soft_banned_url_words >= 2", _FILTER),
        Rule("urls.blacklisted_subword", "num_banned_url_substrings > 0", _FILTER),
    ),
)
