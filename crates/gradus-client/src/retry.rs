use std::time::{Duration, SystemTime};

use gradus::run::Stream;

/// Longest pause of our own choice, in seconds.
const LONGEST: f64 = 60.0;
/// Longest `Retry-After` that is waited for; a longer one fails the rows.
pub(crate) const LONGEST_ASKED: Duration = Duration::from_mins(10);

/// Pause after `attempt` (from 0) has failed: `first` seconds, doubled every time; half of
/// it fixed, half drawn, so that clients which failed together do not come back together.
pub(crate) fn pause(first: f64, attempt: u32, jitter: &mut Stream) -> Duration {
    let full = (first * 2f64.powi(attempt.min(20) as i32)).min(LONGEST);
    Duration::from_secs_f64(full * 0.5 * (1.0 + jitter.unit()))
}

/// What the server asks for: `retry-after-ms` (OpenAI's), or `Retry-After` as seconds or
/// as a date (RFC 9110, section 10.2.3).
pub(crate) fn asked(
    milliseconds: Option<&str>,
    retry_after: Option<&str>,
    now: SystemTime,
) -> Option<Duration> {
    let seconds = |text: &str, unit: f64| {
        let value: f64 = text.trim().parse().ok()?;
        Duration::try_from_secs_f64(value * unit).ok()
    };
    milliseconds.and_then(|text| seconds(text, 1e-3)).or_else(|| {
        let text = retry_after?;
        seconds(text, 1.0).or_else(|| {
            let date = httpdate::parse_http_date(text.trim()).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_stay_within_half_and_whole() {
        let mut jitter = Stream::new(0, &["retry"]);
        for (attempt, full) in [(0, 0.5), (1, 1.0), (4, 8.0), (7, 60.0), (1000, 60.0)] {
            let pause = pause(0.5, attempt, &mut jitter).as_secs_f64();
            assert!((full / 2.0..=full).contains(&pause), "{attempt}: {pause}");
        }
    }

    #[test]
    fn retry_after_is_read_in_its_three_forms() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let date = Some("Sun, 06 Nov 1994 08:49:40 GMT");
        assert_eq!(asked(None, Some("2"), now), Some(Duration::from_secs(2)));
        assert_eq!(asked(Some("250"), Some("2"), now), Some(Duration::from_millis(250)));
        assert_eq!(asked(None, date, now), Some(Duration::from_secs(3)));
        let past = now + Duration::from_mins(1);
        assert_eq!(asked(None, date, past), Some(Duration::ZERO));
        for nonsense in ["soon", "-1", "NaN", "1e300", ""] {
            assert_eq!(asked(None, Some(nonsense), now), None, "{nonsense}");
        }
    }
}
