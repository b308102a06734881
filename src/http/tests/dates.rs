//! The date formats against known dates and against a slower way to count.

use super::super::{http_date, parse_http_date};

/// 2026-11-22.
const NOW: u64 = 1_795_300_000;

fn parse(text: &str) -> Option<u64> {
    parse_http_date(text.as_bytes(), NOW)
}

fn text(seconds: u64) -> String {
    String::from_utf8(http_date(seconds).to_vec()).unwrap()
}

#[test]
fn known_dates_come_out_right() {
    for (seconds, date) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        (1_078_012_800, "Sun, 29 Feb 2004 00:00:00 GMT"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (2_147_483_647, "Tue, 19 Jan 2038 03:14:07 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        assert_eq!(text(seconds), date);
    }
}

#[test]
fn five_centuries_agree_with_counting_day_by_day() {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let mut day_number = 0;
    for year in 1970..2470 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (month, name) in MONTHS.iter().enumerate() {
            let days = match month {
                1 if leap => 29,
                1 => 28,
                3 | 5 | 8 | 10 => 30,
                _ => 31,
            };
            // The first and the last of each month are where counting goes wrong.
            for day in [1, days] {
                let number = day_number + day - 1;
                let weekday = WEEKDAYS[number % 7];
                let expected = format!("{weekday}, {day:02} {name} {year} 12:34:56 GMT");
                let seconds = number as u64 * 86_400 + 45_296;
                assert_eq!(text(seconds), expected);
                assert_eq!(parse(&expected), Some(seconds));
                let asctime = format!("{weekday} {name} {day:2} 12:34:56 {year}");
                assert_eq!(parse(&asctime), Some(seconds));
            }
            day_number += days;
        }
    }
}

#[test]
fn three_formats_are_read() {
    for (text, seconds) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ("Sun Nov 06 08:49:37 1994", 784_111_777),
        // Not its weekday, which nobody checks.
        ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Wed, 31 Dec 1969 23:59:59 GMT", 0),
        ("Sat, 01 Jan 0000 00:00:00 GMT", 0),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ] {
        assert_eq!(parse(text), Some(seconds), "{text}");
    }
}

#[test]
fn two_digits_for_a_year_mean_the_one_that_is_near() {
    let year = |two: u32, now| {
        let seconds = parse_http_date(
            format!("Monday, 01-Jan-{two:02} 00:00:00 GMT").as_bytes(),
            now,
        );
        text(seconds.unwrap())[12..16].parse::<u32>().unwrap()
    };
    for (two, full) in [
        (26, 2026),
        (27, 2027),
        (76, 2076),
        (77, 1977),
        (94, 1994),
        (0, 2000),
    ] {
        assert_eq!(year(two, NOW), full);
    }
    // From 2099-06: 00 to 49 are ahead.
    let late = 4_083_000_000;
    for (two, full) in [(99, 2099), (0, 2100), (49, 2149), (50, 2050)] {
        assert_eq!(year(two, late), full);
    }
}

#[test]
fn what_is_no_date_is_refused() {
    let good = "Sun, 06 Nov 1994 08:49:37 GMT";
    for end in 0..good.len() {
        assert_eq!(parse(&good[..end]), None, "{:?}", &good[..end]);
    }
    for text in [
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 1900 08:49:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 19941 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Someday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 GMT",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}
