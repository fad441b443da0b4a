"""Words for names in Kalimantan and Sulawesi: Banjar, Dayak, Bugis-Makassar, Minahasa."""

from __future__ import annotations

from padan_server.embedded.names.composition import Culture, Form, often, words

BANJAR = Culture(
    key="banjar",
    form=Form.PLAIN,
    religions=often(islam=1),
    men=words(
        "SYAHRANI HAMDANI RUSLAN JUMRANI ARBANI BARKATI GAZALI MASRANI NORMAN SARKANI TAUFIQ "
        "ASMURI BAHRUDDIN FAHRIANSYAH HIDAYATULLAH IBERAHIM KASPUL MURSIDI"
    ),
    women=words(
        "NORHAYATI RUSMIATI MASNIAH SALASIAH NORJANAH ARBAINAH HALIDAH MARIATUL NURJENNAH RAHMIATI "
        "SITI SARAH NORLAILA HERLINA MAULIDA KHADIJAH ASIAH"
    ),
    men_second=words("NOOR RAHMAN ANSARI EFENDI FADILLAH HAFIZ MAULANA RIFANI SYAHBANA YAMANI"),
    women_second=words("HASANAH FITRIANI AULIA RAUDAH HAFIZAH AMALIA NORSYIFA MAHMUDAH YANTI"),
    lead_men=words("MUHAMMAD M. AHMAD GUSTI H.M. ABDUL"),
    lead_women=words("SITI NOR HJ. GUSTI"),
    lead_share=0.25,
    mononym_share=0.55,
    noble_titles_men=words("GUSTI ANTUNG"),
    noble_titles_women=words("GUSTI ANTUNG"),
    settlements=words("HANDIL KAMPUNG"),
)

DAYAK = Culture(
    key="dayak",
    form=Form.PLAIN,
    religions=often(kristen=38, katholik=40, islam=15, kepercayaan=7),
    men=words(
        "YANTO MARTINUS LAMBUNG TINGANG AGUSTINUS YOHANES RIWUT DOMINIKUS ANDREAS KORNELIUS "
        "SUPARDI BUJANG MATIUS PAULUS SILVESTER UGANG LIBERTUS DARIUS"
    ),
    women=words(
        "YULIANA MARTINA BULAN KRISTIANA LUSIA THERESIA VERONIKA MARIA NATALIA LENSI RINAE "
        "SELVIANA HERMINA ELISABET DAMIANA PAULINA SANTI"
    ),
    men_second=words("TANDANG BANGKALA LAMAN NUNDAN RANGKAP SINGAM UNJUNG TARUNG JELANI GARANG"),
    women_second=words("LINANG DIANG INDU TAWAI BAWIN SUMARNI LESTARI TARIGAS RINJANI UTUNG"),
    mononym_share=0.5,
    settlements=words("DUSUN KAMPUNG LAMIN"),
)

BUGIS = Culture(
    key="bugis",
    form=Form.PLAIN,
    religions=often(islam=92, kristen=7, hindu=1),
    men=words(
        "BASO AMBO LA BAHARUDDIN SYAMSUDDIN TAKDIR HASANUDDIN JUMADI MAPPANGARA RUSTAM AMIRUDDIN "
        "NURDIN ALIMUDDIN SAHARUDDIN KAMARUDDIN ILHAM SUDIRMAN HAERUDDIN ASRUL RAHMATULLAH"
    ),
    women=words(
        "BESSE INDO HASNAWATI ROSMINI NURBAYA JUMRIATI HASNIAR RAMLAH NURHAEDAH SUARNI MARDIANA "
        "HAERANI ROSDIANA KASMAWATI MULIATI NURFADILLAH MASITA HARTATI"
    ),
    men_second=words(
        "MAPPATUNRU LATIF PATAWARI YUNUS TAHIR MASSE BACO TENRI KADIR RAHIM PAWELLOI DAENG MATTOLA"
    ),
    women_second=words("DAENG TENRI BAU SARI AMALIA INDAH PUTRI RAHAYU NUR AULIA MAGFIRAH"),
    lead_men=words("ANDI MUH. MUHAMMAD A. ABD. LA"),
    lead_women=words("ANDI ST. SITTI NUR A."),
    lead_share=0.35,
    mononym_share=0.5,
    noble_titles_men=words("KARAENG DAENG"),
    noble_titles_women=words("KARAENG DAENG"),
    settlements=words("DUSUN LINGKUNGAN"),
)

MINAHASA = Culture(
    key="minahasa",
    form=Form.SURNAME,
    religions=often(kristen=80, katholik=8, islam=12),
    men=words(
        "JOHANIS FERDINAND ALBERT STENLY JEFRI NOLDY MAXI HENGKY DENNY FRANKY VICKY RONALD DJEMI "
        "MEIDY ROLLY BERTY STEVEN CHRISTIAN"
    ),
    women=words(
        "MEISKE DEETJE NELTJE JULIANA FEMMY VONNY SELVIE MEYTI OLGA STELLA NOVA GRACE YUNITA DEISY "
        "SYULTJE RIBKA CHRISTINE"
    ),
    men_second=words("ROBERT FERNANDO JAMES ALEXANDER WILLEM DAVID HENDRIK RICHARD GERARD"),
    women_second=words("MARIA NATALIA DEBORA FRANSISKA OLIVIA KAREN JULIA STEFANI"),
    surnames=words(
        "LUMENTUT MAMBU RUMAMBI TUMEWU WOWOR KAUNANG PANGEMANAN RORIMPANDEY SUMAMPOUW TAMBUNAN "
        "MANDAGI LASUT KAWATU POLII RONDONUWU SENGKEY TAROREH WENAS MOKOGINTA PAPUTUNGAN"
    ),
    settlements=words("JAGA LINGKUNGAN"),
)
