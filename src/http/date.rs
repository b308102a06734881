//! Dates in HTTP (RFC 9110, 5.6.7): the one format that is still written, IMF-fixdate, and the
//! three that must be read.

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

/// Reads a date in any of the three formats that a recipient must understand (RFC 9110, 5.6.7),
/// and gives it in seconds since 1970-01-01 00:00:00 UTC. What lies before is read as 0.
///
/// `now` is the time in the same seconds: the obsolete format with two digits for the year means
/// the year that is at most 50 in the future. The name of the weekday has to be one, but is not
/// held against the date. A leap second is read as the second after it.
///
/// # Examples
///
/// ```
/// # use tourbillon::http::parse_http_date;
/// let now = 1_700_000_000;
/// for text in [
///     "Sun, 06 Nov 1994 08:49:37 GMT",
///     "Sunday, 06-Nov-94 08:49:37 GMT",
///     "Sun Nov  6 08:49:37 1994",
/// ] {
///     assert_eq!(parse_http_date(text.as_bytes(), now), Some(784_111_777));
/// }
/// assert_eq!(parse_http_date(b"yesterday", now), None);
/// ```
pub fn parse_http_date(text: &[u8], now: u64) -> Option<u64> {
    let (name, rest) = text.split_at_checked(text.iter().position(|byte| b", ".contains(byte))?)?;
    let is_short = WEEKDAYS.chunks_exact(3).any(|known| known == name);
    let is_long = LONG_WEEKDAYS.iter().any(|known| known.as_bytes() == name);
    let [year, month, day, time] = match rest {
        [b',', b' ', rest @ ..] if is_short => imf_fixdate(rest)?,
        [b',', b' ', rest @ ..] if is_long => rfc850_date(rest)?,
        [b' ', rest @ ..] if is_short => asctime_date(rest)?,
        _ => return None,
    };
    let month = MONTHS.chunks_exact(3).position(|known| known == month)?;
    let year = match year.len() {
        2 => nearest_year(number(year)?, now),
        _ => number(year)?,
    };
    let days = days_since_1970(year, month, number(day)?)?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = time else {
        return None;
    };
    let hour = number(&[*h1, *h2])?;
    let minute = number(&[*m1, *m2])?;
    let second = number(&[*s1, *s2])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days * 86_400 + (hour * 3600 + minute * 60 + second) as i64;
    Some(u64::try_from(seconds).unwrap_or(0))
}

/// Year, month, day and time, as they are written.
type Fields<'t> = [&'t [u8]; 4];

/// `06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &[u8]) -> Option<Fields<'_>> {
    let [_, _, b' ', _, _, _, b' ', _, _, _, _, b' ', ..] = text else {
        return None;
    };
    let time = text[12..].strip_suffix(b" GMT")?;
    Some([&text[7..11], &text[3..6], &text[..2], time])
}

/// `06-Nov-94 08:49:37 GMT`
fn rfc850_date(text: &[u8]) -> Option<Fields<'_>> {
    let [_, _, b'-', _, _, _, b'-', _, _, b' ', ..] = text else {
        return None;
    };
    let time = text[10..].strip_suffix(b" GMT")?;
    Some([&text[7..9], &text[3..6], &text[..2], time])
}

/// `Nov  6 08:49:37 1994`, the day filled up with a space.
fn asctime_date(text: &[u8]) -> Option<Fields<'_>> {
    let [_, _, _, b' ', first, _, b' ', ..] = text else {
        return None;
    };
    let day = &text[if *first == b' ' { 5 } else { 4 }..6];
    let (time, year) = text[7..].split_at_checked(8)?;
    let year = year.strip_prefix(b" ").filter(|year| year.len() == 4)?;
    Some([year, &text[..3], day, time])
}

const LONG_WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

fn number(digits: &[u8]) -> Option<usize> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| usize::from(byte - b'0'));
    digits
        .iter()
        .try_fold(0, |sum, byte| Some(sum * 10 + digit(byte)?))
}

/// The year with these two last digits that is at most 50 years in the future.
fn nearest_year(last_two: usize, now: u64) -> usize {
    let (this_year, _, _) = civil((now.min(LAST_SECOND) / 86_400) as usize);
    let year = this_year - this_year % 100 + last_two;
    match year {
        late if late > this_year + 50 => late - 100,
        early if early + 50 <= this_year => early + 100,
        year => year,
    }
}

/// The other way round than [`civil`]; `None` is a day that its month does not have.
fn days_since_1970(year: usize, month: usize, day: usize) -> Option<i64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_in_month = match month {
        1 if is_leap => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    if day == 0 || day > days_in_month {
        return None;
    }
    // As above, from March on; and one era later, so that no year is before the first.
    let year_from_march = year + 400 - usize::from(month < 2);
    let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
    let of_year = (153 * ((month + 10) % 12) + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    Some((era * 146_097 + of_era) as i64 - 146_097 - 719_468)
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
