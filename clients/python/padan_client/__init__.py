"""The Python SDK of Padan: verify people against the civil registry, as a registered partner.

Catch PadanError and treat it as *not verified*. A match proves possession of data, not presence of
the person.
"""

from padan_client.aio import AsyncClient
from padan_client.client import Client
from padan_client.encode import Claims, Consent
from padan_client.errors import (
    BudgetSpent,
    PadanError,
    PermissionDenied,
    RegionUnknown,
    RequestIdExpired,
    RequestIdReused,
    RequestInvalid,
    ServiceFault,
    TooStale,
    Unauthenticated,
    Unavailable,
)
from padan_client.keys import PartnerKey
from padan_client.regions import Coverage, Region, RegionPage, RegionResult
from padan_client.request_id import new_request_id
from padan_client.results import (
    BudgetsLeft,
    EntryReference,
    FieldVerdict,
    LookupResult,
    Person,
    Verification,
)
from padan_client.vocabulary import (
    Channel,
    Element,
    FieldResult,
    MaritalStatus,
    MatchRule,
    Outcome,
    Purpose,
    RegionLevel,
    Sex,
    Signal,
)

__all__ = [
    "AsyncClient",
    "BudgetSpent",
    "BudgetsLeft",
    "Channel",
    "Claims",
    "Client",
    "Consent",
    "Coverage",
    "Element",
    "EntryReference",
    "FieldResult",
    "FieldVerdict",
    "LookupResult",
    "MaritalStatus",
    "MatchRule",
    "Outcome",
    "PadanError",
    "PartnerKey",
    "PermissionDenied",
    "Person",
    "Purpose",
    "Region",
    "RegionLevel",
    "RegionPage",
    "RegionResult",
    "RegionUnknown",
    "RequestIdExpired",
    "RequestIdReused",
    "RequestInvalid",
    "ServiceFault",
    "Sex",
    "Signal",
    "TooStale",
    "Unauthenticated",
    "Unavailable",
    "Verification",
    "new_request_id",
]
