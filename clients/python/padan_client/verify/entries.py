"""One ledger entry, read with what Python has, for receipts; a whole log is read by typed_entry."""

from __future__ import annotations

from padan_client.verify import canonical
from padan_client.verify.canonical import JsonObject
from padan_client.verify.errors import EntryInvalid, Unreadable
from padan_client.verify.form import ALWAYS, KINDS, NUMBERS, OBJECTS, TEXTS, VERSION
from padan_client.verify.tiles import ENTRY_BYTES_MAX


def parse_entry(data: bytes, where: str) -> JsonObject:
    """Parse an entry's bytes.

    Raises EntryInvalid if they are not canonical, not of version 1, or not of their kind's form.
    """
    if len(data) > ENTRY_BYTES_MAX:
        raise EntryInvalid(where, f"is longer than {ENTRY_BYTES_MAX} bytes")
    try:
        entry = canonical.loads(data, where)
    except Unreadable as error:
        raise EntryInvalid(where, error.text) from None
    for name, value in entry.items():
        _check_type(name, value, where)
    if entry.get("version") != VERSION:
        raise EntryInvalid(where, f"is no entry of version {VERSION}")
    if entry.get("kind") not in KINDS:
        raise EntryInvalid(where, "is of no known kind")
    must, may = KINDS[entry["kind"]]
    if not must.union(ALWAYS) <= entry.keys() <= must.union(may, ALWAYS):
        raise EntryInvalid(where, f"does not hold what a {entry['kind']} holds")
    return entry


def _check_type(name: str, value: object, where: str) -> None:
    if name in TEXTS:
        fits = isinstance(value, str)
    elif name in NUMBERS:
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    elif name in OBJECTS:
        names = OBJECTS[name]
        fits = isinstance(value, dict) and (names is None or value.keys() <= set(names))
    else:
        raise EntryInvalid(where, "holds a field that no entry has")
    if not fits:
        raise EntryInvalid(where, f"has a field {name} of another form")
