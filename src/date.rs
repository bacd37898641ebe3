//! Points in time with an offset from UTC, as git stores them in commits. Only this file uses `jiff`.

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use std::fmt;

/// A point in time, with the offset from UTC of the clock that recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub seconds: i64,
    /// Seconds that local time was ahead of UTC.
    pub offset: i32,
}

impl Time {
    /// 1970-01-01 00:00 UTC.
    pub const START: Time = Time { seconds: 0, offset: 0 };

    /// The time `days` days later.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Time {
        Time { seconds: self.seconds.saturating_add(days * 24 * 60 * 60), ..self }
    }

    /// The local date, such as `2028-03-01`, or `an unknown day` if it is beyond the calendar of `jiff`.
    #[must_use]
    pub fn day(self) -> String {
        self.zoned().map_or_else(|| "an unknown day".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
    }

    /// The time for `jiff`. `None` if it is beyond the years -9999 to 9999.
    fn zoned(self) -> Option<Zoned> {
        let offset = Offset::from_seconds(self.offset).unwrap_or(Offset::UTC);
        Some(Timestamp::from_second(self.seconds).ok()?.to_zoned(TimeZone::fixed(offset)))
    }
}

impl fmt::Display for Time {
    /// As in RFC 3339: `2026-03-01T12:00:00+01:00`. A time beyond the year 9999 is written as its seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.zoned() {
            Some(time) => write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%S%:z")),
            None => write!(f, "{}", self.seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_time_in_its_own_zone() {
        let time = Time { seconds: 1_772_364_600, offset: 3600 };
        assert_eq!(time.to_string(), "2026-03-01T12:30:00+01:00");
        assert_eq!(time.plus_days(730).day(), "2028-02-29");
        assert_eq!(Time { seconds: -1, offset: -34_200 }.to_string(), "1969-12-31T14:29:59-09:30");
    }

    #[test]
    fn formats_time_beyond_the_calendar() {
        for seconds in [i64::MAX, i64::MIN] {
            let time = Time { seconds, offset: i32::MAX };
            assert_eq!(time.to_string(), seconds.to_string());
            assert_eq!(time.plus_days(730).day(), "an unknown day");
        }
    }
}
