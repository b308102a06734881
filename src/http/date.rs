//! The one date format HTTP still writes: IMF-fixdate (RFC 9110, 5.6.7).

const WEEKDAYS: &[u8; 21] = b"SunMonTueWedThuFriSat";
const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// The last second that has a four-digit year: 9999-12-31 23:59:59.
const LAST_SECOND: u64 = 253_402_300_799;

/// Formats a point in time, in seconds since 1970-01-01 00:00:00 UTC, as `Date` wants it
/// (RFC 9110, 6.6.1): `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// The format has four digits for the year, so anything later than 9999 is written as the last
/// second of it.
///
/// # Examples
///
/// ```
/// # use tourbillon::http::http_date;
/// assert_eq!(&http_date(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
pub fn http_date(unix_seconds: u64) -> [u8; 29] {
    let seconds = unix_seconds.min(LAST_SECOND);
    let days = seconds / 86_400;
    let of_day = (seconds % 86_400) as usize;
    let (year, month, day) = civil(days as usize);
    // The first of January 1970 was a Thursday.
    let weekday = ((days + 4) % 7) as usize;

    let mut text = *b"ddd, 00 mmm 0000 00:00:00 GMT";
    text[0..3].copy_from_slice(&WEEKDAYS[weekday * 3..weekday * 3 + 3]);
    two_digits(&mut text, 5, day);
    text[8..11].copy_from_slice(&MONTHS[month * 3..month * 3 + 3]);
    two_digits(&mut text, 12, year / 100);
    two_digits(&mut text, 14, year % 100);
    two_digits(&mut text, 17, of_day / 3600);
    two_digits(&mut text, 20, of_day / 60 % 60);
    two_digits(&mut text, 23, of_day % 60);
    text
}

/// Turns days since 1970-01-01 into (year, month from 0, day from 1).
///
/// The year is taken to begin in March: the leap day is then the last one of its year, and the
/// months before it follow a pattern of 153 days in five months.
fn civil(days: usize) -> (usize, usize, usize) {
    const DAYS_IN_400_YEARS: usize = 146_097;
    // Days between 0000-03-01 and 1970-01-01.
    let days = days + 719_468;
    let era = days / DAYS_IN_400_YEARS;
    let of_era = days % DAYS_IN_400_YEARS;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + usize::from(month < 2);
    (year, month, day)
}

fn two_digits(text: &mut [u8; 29], at: usize, number: usize) {
    text[at] = b'0' + (number / 10) as u8;
    text[at + 1] = b'0' + (number % 10) as u8;
}
