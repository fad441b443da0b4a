"""Words for names of Chinese-Indonesians, of the generations since surnames were adapted."""

from __future__ import annotations

from padan_server.embedded.names.composition import Culture, Form, often, words

CHINESE = Culture(
    key="chinese",
    form=Form.SURNAME,
    religions=often(buddha=35, kristen=30, katholik=22, khonghucu=10, islam=3),
    men=words(
        "HENDRA STEVEN KEVIN ANDREAS EDWARD RUDY JOHAN FERRY WILLIAM ERIC DARMAWAN SURYA VINCENT "
        "SUSANTO KENNETH TEDDY DANIEL A KIAN BUN TIONG"
    ),
    women=words(
        "MEILINA LINDA SHERLY FELICIA JESSICA VIVIAN CINDY MARGARET LILIANA YENNY FENNY STEPHANIE "
        "MELISA GRACE SUSANA LIE MEI SIOE HONG"
    ),
    men_second=words("HARTONO SETIADI BUDIMAN CHRISTIAN ALEXANDER KURNIA LEONARD TJANDRA HOK"),
    women_second=words("ANGELINA NATALIA CHRISTINE VERONICA LESTARI SUSANTI HWA LAN ANGGRAENI"),
    surnames=words(
        "WIJAYA HALIM SALIM GUNAWAN TANOTO LIMANTO SUTANTO WINATA KURNIAWAN SETIAWAN HARTANTO "
        "LESMANA TANUDJAJA WIBISONO CHANDRA SANJAYA OEI LIEM TAN THE LIE GO ONG TJAHJADI"
    ),
    settlements=words("KOMPLEKS GANG"),
)
