"""The estate: which service rests on which, and when they are frozen, made once for each version of the policy."""

from __future__ import annotations

from config.policy import Policy
from handlers.rules.windows import Estate

_estates: dict[str, Estate] = {}


def estate_of(policy: Policy) -> Estate:
    """The services and freezes of a policy."""
    found = _estates.get(policy.version)
    if found is None:
        _estates.clear()
        found = _estates[policy.version] = Estate(policy.services, policy.freezes)
    return found
