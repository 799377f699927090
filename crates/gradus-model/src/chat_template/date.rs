//! Dates as `strftime` writes them, in UTC and English.

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// The time `seconds` after 1970 began, in `format`; the reason where that asks for something else.
pub(super) fn format(seconds: u64, format: &str) -> Result<String, String> {
    let days = seconds / 86_400;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (year, month, day) = civil(days);
    let (month_name, day_name) = (MONTHS[month as usize - 1], DAYS[(days % 7) as usize]);
    let mut out = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('Y') => out.push_str(&year.to_string()),
            Some('y') => out.push_str(&format!("{:02}", year % 100)),
            Some('m') => out.push_str(&format!("{month:02}")),
            Some('d') => out.push_str(&format!("{day:02}")),
            Some('e') => out.push_str(&format!("{day:2}")),
            Some('B') => out.push_str(month_name),
            Some('b') => out.push_str(&month_name[..3]),
            Some('A') => out.push_str(day_name),
            Some('a') => out.push_str(&day_name[..3]),
            Some('H') => out.push_str(&format!("{hour:02}")),
            Some('M') => out.push_str(&format!("{minute:02}")),
            Some('S') => out.push_str(&format!("{second:02}")),
            Some('F') => out.push_str(&format!("{year}-{month:02}-{day:02}")),
            Some('%') => out.push('%'),
            other => {
                let code: String = other.into_iter().collect();
                return Err(format!("strftime_now cannot write %{code}"));
            }
        }
    }
    Ok(out)
}

/// Year, month and day of a day after 1970-01-01 (Hinnant, "chrono-compatible low-level date
/// algorithms": years that begin in March, in eras of 400).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known from Python's `datetime.fromtimestamp(seconds, timezone.utc)`.
    #[test]
    fn dates_are_those_of_python() {
        for (seconds, expected) in [
            (0, "1970-01-01 Thu 00:00:00"),
            (951_782_400, "2000-02-29 Tue 00:00:00"),
            (1_735_689_599, "2024-12-31 Tue 23:59:59"),
            (4_107_542_399, "2100-02-28 Sun 23:59:59"),
            (4_107_542_400, "2100-03-01 Mon 00:00:00"),
        ] {
            assert_eq!(format(seconds, "%Y-%m-%d %a %H:%M:%S").as_deref(), Ok(expected));
        }
        assert_eq!(
            format(86_400, "%A, %e %B %y 100%%").as_deref(),
            Ok("Friday,  2 January 70 100%")
        );
    }
}
