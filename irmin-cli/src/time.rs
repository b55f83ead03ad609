//! Dates as the original prints them, and the clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds since 1970, now.
// The programs own the clock: everything below them takes the time as a parameter.
#[allow(clippy::disallowed_methods, reason = "this is the clock of the program")]
pub(crate) fn now() -> i64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or(0)
}

/// A date in a time zone: `Mon Nov 23 08:24:12 2026`.
///
/// Commits can name dates that no calendar has; those are printed as `@` and the seconds.
pub(crate) fn format(seconds: i64, zone: &TimeZone) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => {
            let local = time.to_zoned_datetime(zone.clone());
            local.strftime("%a %b %d %H:%M:%S %Y").to_string()
        }
        Err(_) => format!("@{seconds}"),
    }
}

/// A date whose text sorts as time does: `2026-11-23 08:24:12`, or `@` and the seconds.
pub(crate) fn sortable(seconds: i64, zone: &TimeZone) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => format!("@{seconds}"),
    }
}

/// The time zone of the user.
pub(crate) fn local() -> TimeZone {
    TimeZone::system()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_the_original() {
        assert_eq!(format(1_795_422_252, &TimeZone::UTC), "Mon Nov 23 08:24:12 2026");
        assert_eq!(format(0, &TimeZone::UTC), "Thu Jan 01 00:00:00 1970");
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(format(0, &berlin), "Thu Jan 01 01:00:00 1970");
        assert_eq!(format(-1, &TimeZone::UTC), "Wed Dec 31 23:59:59 1969");
        assert_eq!(sortable(1_795_422_252, &TimeZone::UTC), "2026-11-23 08:24:12");
    }

    #[test]
    fn dates_beyond_the_calendar() {
        assert_eq!(format(i64::MAX, &TimeZone::UTC), format!("@{}", i64::MAX));
        assert_eq!(sortable(i64::MAX, &TimeZone::UTC), format!("@{}", i64::MAX));
        assert_eq!(format(i64::MIN, &TimeZone::UTC), format!("@{}", i64::MIN));
    }

    #[test]
    fn the_clock_is_past_the_release() {
        assert!(now() > 1_700_000_000);
    }
}
