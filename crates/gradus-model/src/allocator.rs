/// Tells the allocator to keep freed memory, where it is glibc's.
///
/// By default glibc gives every large buffer back to the kernel and takes it
/// again, zeroed, for the next: a third of all CPU time in training. To be
/// called once, at the start of the program.
pub fn tune_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "mallopt is a C function; it only sets three numbers")]
    // SAFETY: mallopt takes two integers and may be called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}
