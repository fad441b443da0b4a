"""Which cultures live where: approximate shares by province, in hundredths."""

from __future__ import annotations

from types import MappingProxyType

from padan_server.embedded.names.chinese import CHINESE
from padan_server.embedded.names.composition import Culture
from padan_server.embedded.names.east import BALINESE, FLORES_TIMOR, MALUKU, PAPUAN, SASAK
from padan_server.embedded.names.java import BETAWI, JAVANESE, MADURESE, SUNDANESE
from padan_server.embedded.names.kalimantan_sulawesi import BANJAR, BUGIS, DAYAK, MINAHASA
from padan_server.embedded.names.sumatra import ACEHNESE, BATAK, MALAY, MINANG

Mix = tuple[tuple[Culture, int], ...]

_PAPUA: Mix = ((PAPUAN, 70), (JAVANESE, 12), (BUGIS, 10), (MALUKU, 8))
_PAPUA_HIGHLANDS: Mix = ((PAPUAN, 93), (JAVANESE, 3), (BUGIS, 4))

CULTURES = MappingProxyType[str, Mix](
    {
        "11": ((ACEHNESE, 82), (JAVANESE, 9), (BATAK, 6), (MINANG, 3)),
        "12": ((BATAK, 47), (JAVANESE, 33), (MALAY, 9), (CHINESE, 6), (MINANG, 5)),
        "13": ((MINANG, 90), (BATAK, 5), (JAVANESE, 5)),
        "14": ((MALAY, 42), (JAVANESE, 29), (MINANG, 13), (BATAK, 13), (CHINESE, 3)),
        "15": ((MALAY, 52), (JAVANESE, 33), (MINANG, 9), (BATAK, 6)),
        "16": ((MALAY, 66), (JAVANESE, 30), (CHINESE, 4)),
        "17": ((MALAY, 70), (JAVANESE, 24), (MINANG, 6)),
        "18": ((JAVANESE, 64), (MALAY, 20), (SUNDANESE, 11), (BALINESE, 3), (CHINESE, 2)),
        "19": ((MALAY, 72), (CHINESE, 18), (JAVANESE, 10)),
        "21": ((MALAY, 38), (JAVANESE, 26), (BATAK, 15), (MINANG, 11), (CHINESE, 10)),
        "31": (
            (JAVANESE, 35),
            (BETAWI, 30),
            (SUNDANESE, 16),
            (CHINESE, 8),
            (BATAK, 6),
            (MINANG, 5),
        ),
        "32": ((SUNDANESE, 75), (JAVANESE, 15), (BETAWI, 6), (BATAK, 2), (CHINESE, 2)),
        "33": ((JAVANESE, 97), (CHINESE, 2), (SUNDANESE, 1)),
        "34": ((JAVANESE, 96), (SUNDANESE, 1), (CHINESE, 1), (BATAK, 2)),
        "35": ((JAVANESE, 78), (MADURESE, 19), (CHINESE, 2), (BALINESE, 1)),
        "36": ((SUNDANESE, 52), (JAVANESE, 20), (BETAWI, 20), (CHINESE, 5), (BATAK, 3)),
        "51": ((BALINESE, 87), (JAVANESE, 10), (SASAK, 2), (CHINESE, 1)),
        "52": ((SASAK, 84), (BALINESE, 4), (JAVANESE, 4), (BUGIS, 8)),
        "53": ((FLORES_TIMOR, 94), (BUGIS, 4), (JAVANESE, 2)),
        "61": ((DAYAK, 36), (MALAY, 36), (CHINESE, 9), (JAVANESE, 12), (MADURESE, 7)),
        "62": ((DAYAK, 47), (BANJAR, 26), (JAVANESE, 25), (MADURESE, 2)),
        "63": ((BANJAR, 79), (JAVANESE, 14), (DAYAK, 4), (BUGIS, 3)),
        "64": ((JAVANESE, 32), (BUGIS, 24), (BANJAR, 17), (DAYAK, 12), (MALAY, 15)),
        "65": ((DAYAK, 35), (BUGIS, 30), (JAVANESE, 25), (MALAY, 10)),
        "71": ((MINAHASA, 90), (JAVANESE, 4), (MALUKU, 3), (CHINESE, 3)),
        "72": ((BUGIS, 58), (JAVANESE, 14), (MINAHASA, 14), (BALINESE, 8), (MALAY, 6)),
        "73": ((BUGIS, 94), (JAVANESE, 3), (FLORES_TIMOR, 1), (CHINESE, 2)),
        "74": ((BUGIS, 62), (MALAY, 26), (JAVANESE, 9), (BALINESE, 3)),
        "75": ((MALAY, 58), (BUGIS, 28), (MINAHASA, 10), (JAVANESE, 4)),
        "76": ((BUGIS, 90), (JAVANESE, 8), (BALINESE, 2)),
        "81": ((MALUKU, 88), (BUGIS, 7), (JAVANESE, 5)),
        "82": ((MALUKU, 66), (MALAY, 22), (BUGIS, 7), (JAVANESE, 5)),
        "91": _PAPUA,
        "92": _PAPUA,
        "93": _PAPUA,
        "94": _PAPUA_HIGHLANDS,
        "95": _PAPUA_HIGHLANDS,
        "96": _PAPUA,
    }
)
"""By the province where people live now."""
