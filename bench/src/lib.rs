//! What the timing programs share.

fn usage() -> libc::rusage {
    // SAFETY: getrusage fills the struct that it is given, for which zeros are valid.
    unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    }
}

/// User and system time of this process.
pub fn cpu_seconds() -> f64 {
    let usage = usage();
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Largest resident size so far, in MB.
pub fn peak_mb() -> f64 {
    usage().ru_maxrss as f64 / 1024.0
}
