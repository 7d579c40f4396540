//! The time zone abbreviations that input accepts: PostgreSQL's set "Default". Sorted, because lookups search it.

/// What an abbreviation stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abbreviation {
    /// Seconds east of Greenwich of a standard time.
    Standard(i32),
    /// Seconds east of Greenwich of a daylight-saving time.
    Daylight(i32),
    /// Whatever offset this zone used the abbreviation for at the time in question.
    Zone(&'static str),
}

use Abbreviation::{Daylight as D, Standard as S, Zone as Z};

/// The abbreviation (in lower case), as PostgreSQL compares it: by its first ten characters.
pub(crate) fn find_abbreviation(lower_name: &str) -> Option<Abbreviation> {
    let key = super::keywords::significant_prefix(lower_name);
    ABBREVIATIONS.binary_search_by(|(name, _)| (*name).cmp(key)).ok().map(|index| ABBREVIATIONS[index].1)
}

/// Every abbreviation, in upper case order, for `pg_timezone_abbrevs`.
pub(crate) fn all_abbreviations() -> &'static [(&'static str, Abbreviation)] {
    ABBREVIATIONS
}

#[rustfmt::skip]
static ABBREVIATIONS: &[(&str, Abbreviation)] = &[
    ("acdt", D(37800)), ("acsst", D(37800)), ("acst", S(34200)), ("act", S(-18000)), ("acwst", S(31500)), ("adt", D(-10800)),
    ("aedt", D(39600)), ("aesst", D(39600)), ("aest", S(36000)), ("aft", S(16200)), ("akdt", D(-28800)), ("akst", S(-32400)),
    ("almst", D(25200)), ("almt", S(21600)), ("amst", Z("Asia/Yerevan")), ("amt", S(-14400)), ("anast", Z("Asia/Anadyr")),
    ("anat", Z("Asia/Anadyr")), ("arst", Z("America/Argentina/Buenos_Aires")), ("art", Z("America/Argentina/Buenos_Aires")),
    ("ast", S(-14400)), ("awsst", D(32400)), ("awst", S(28800)), ("azost", D(0)), ("azot", S(-3600)), ("azst", Z("Asia/Baku")),
    ("azt", Z("Asia/Baku")), ("bdst", D(7200)), ("bdt", S(21600)), ("bnt", S(28800)), ("bort", S(28800)), ("bot", S(-14400)),
    ("bra", S(-10800)), ("brst", D(-7200)), ("brt", S(-10800)), ("bst", D(3600)), ("btt", S(21600)), ("cadt", D(37800)),
    ("cast", S(34200)), ("cct", S(28800)), ("cdt", D(-18000)), ("cest", D(7200)), ("cet", S(3600)), ("cetdst", D(7200)),
    ("chadt", D(49500)), ("chast", S(45900)), ("chut", S(36000)), ("ckt", Z("Pacific/Rarotonga")), ("clst", D(-10800)),
    ("clt", Z("America/Santiago")), ("cot", S(-18000)), ("cst", S(-21600)), ("cxt", S(25200)), ("davt", Z("Antarctica/Davis")),
    ("ddut", S(36000)), ("easst", Z("Pacific/Easter")), ("east", Z("Pacific/Easter")), ("eat", S(10800)), ("edt", D(-14400)),
    ("eest", D(10800)), ("eet", S(7200)), ("eetdst", D(10800)), ("egst", D(0)), ("egt", S(-3600)), ("est", S(-18000)),
    ("fet", S(10800)), ("fjst", D(46800)), ("fjt", S(43200)), ("fkst", Z("Atlantic/Stanley")), ("fkt", Z("Atlantic/Stanley")),
    ("fnst", D(-3600)), ("fnt", S(-7200)), ("galt", S(-21600)), ("gamt", S(-32400)), ("gest", Z("Asia/Tbilisi")),
    ("get", Z("Asia/Tbilisi")), ("gft", S(-10800)), ("gilt", S(43200)), ("gmt", S(0)), ("gyt", Z("America/Guyana")),
    ("hkt", S(28800)), ("hst", S(-36000)), ("ict", S(25200)), ("idt", D(10800)), ("iot", Z("Indian/Chagos")),
    ("irkst", Z("Asia/Irkutsk")), ("irkt", Z("Asia/Irkutsk")), ("irt", S(12600)), ("ist", S(7200)), ("jayt", S(32400)),
    ("jst", S(32400)), ("kdt", D(36000)), ("kgst", D(21600)), ("kgt", Z("Asia/Bishkek")), ("kost", Z("Pacific/Kosrae")),
    ("krast", Z("Asia/Krasnoyarsk")), ("krat", Z("Asia/Krasnoyarsk")), ("kst", S(32400)), ("lhdt", Z("Australia/Lord_Howe")),
    ("lhst", S(37800)), ("ligt", S(36000)), ("lint", Z("Pacific/Kiritimati")), ("lkt", Z("Asia/Colombo")),
    ("magst", Z("Asia/Magadan")), ("magt", Z("Asia/Magadan")), ("mart", S(-34200)), ("mawt", Z("Antarctica/Mawson")),
    ("mdt", D(-21600)), ("mest", D(7200)), ("mesz", D(7200)), ("met", S(3600)), ("metdst", D(7200)), ("mez", S(3600)),
    ("mht", S(43200)), ("mmt", S(23400)), ("mpt", S(36000)), ("msd", D(14400)), ("msk", Z("Europe/Moscow")), ("mst", S(-25200)),
    ("must", D(18000)), ("mut", S(14400)), ("mvt", S(18000)), ("myt", S(28800)), ("ndt", D(-9000)), ("nft", S(-12600)),
    ("novst", Z("Asia/Novosibirsk")), ("novt", Z("Asia/Novosibirsk")), ("npt", S(20700)), ("nst", S(-12600)),
    ("nut", Z("Pacific/Niue")), ("nzdt", D(46800)), ("nzst", S(43200)), ("nzt", S(43200)), ("omsst", Z("Asia/Omsk")),
    ("omst", Z("Asia/Omsk")), ("pdt", D(-25200)), ("pet", S(-18000)), ("petst", Z("Asia/Kamchatka")), ("pett", Z("Asia/Kamchatka")),
    ("pgt", S(36000)), ("pht", S(28800)), ("pkst", D(21600)), ("pkt", S(18000)), ("pmdt", D(-7200)), ("pmst", S(-10800)),
    ("pont", S(39600)), ("pst", S(-28800)), ("pwt", S(32400)), ("pyst", D(-10800)), ("pyt", Z("America/Asuncion")),
    ("ret", S(14400)), ("sadt", D(37800)), ("sast", S(7200)), ("sct", S(14400)), ("sgt", Z("Asia/Singapore")), ("taht", S(-36000)),
    ("tft", S(18000)), ("tjt", S(18000)), ("tkt", Z("Pacific/Fakaofo")), ("tmt", Z("Asia/Ashgabat")), ("tot", S(46800)),
    ("trut", S(36000)), ("tvt", S(43200)), ("uct", S(0)), ("ulast", D(32400)), ("ulat", Z("Asia/Ulaanbaatar")), ("ut", S(0)),
    ("utc", S(0)), ("uyst", D(-7200)), ("uyt", S(-10800)), ("uzst", D(21600)), ("uzt", S(18000)), ("vet", Z("America/Caracas")),
    ("vlast", Z("Asia/Vladivostok")), ("vlat", Z("Asia/Vladivostok")), ("volt", Z("Europe/Volgograd")), ("vut", S(39600)),
    ("wadt", D(28800)), ("wakt", S(43200)), ("wast", S(25200)), ("wat", S(3600)), ("wdt", D(32400)), ("wet", S(0)),
    ("wetdst", D(3600)), ("wft", S(43200)), ("wgst", D(-7200)), ("wgt", S(-10800)), ("xjt", S(21600)), ("yakst", Z("Asia/Yakutsk")),
    ("yakt", Z("Asia/Yakutsk")), ("yapt", S(36000)), ("yekst", D(21600)), ("yekt", Z("Asia/Yekaterinburg")), ("z", S(0)),
    ("zulu", S(0)),
];
