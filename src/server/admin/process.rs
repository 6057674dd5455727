//! What the kernel knows of this process, under the names that all clients of Prometheus use. Only Linux tells
//! it.

/// Takes the figures of now.
#[cfg(target_os = "linux")]
pub(super) fn sample() {
    let figures = linux::figures();
    for (name, value) in figures.iter().flatten() {
        metrics::gauge!(*name).set(*value);
    }
    if let Some(seconds) = linux::cpu_seconds() {
        metrics::counter!("process_cpu_seconds_total").absolute(seconds);
    }
}

/// Takes no figures.
#[cfg(not(target_os = "linux"))]
pub(super) fn sample() {}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::{
        boot_time_secs, page_size,
        process::{LimitValue, Process},
        ticks_per_second,
    };

    /// The gauges.
    #[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
    pub(super) fn figures() -> Vec<Option<(&'static str, f64)>> {
        let Ok(process) = Process::myself() else { return Vec::new() };
        let mut figures = vec![process.fd_count().ok().map(|fds| ("process_open_fds", fds as f64))];
        if let Ok(limits) = process.limits()
            && let LimitValue::Value(max) = limits.max_open_files.soft_limit
        {
            figures.push(Some(("process_max_fds", max as f64)));
        }
        let Ok(stat) = process.stat() else { return figures };
        let resident = (stat.rss * page_size()) as f64;
        figures.push(Some(("process_resident_memory_bytes", resident)));
        figures.push(Some(("process_virtual_memory_bytes", stat.vsize as f64)));
        figures.push(Some(("process_threads", stat.num_threads as f64)));
        if let Ok(boot) = boot_time_secs() {
            let started = boot as f64 + stat.starttime as f64 / ticks_per_second() as f64;
            figures.push(Some(("process_start_time_seconds", started)));
        }
        figures
    }

    /// The time that processors worked for this process, in whole seconds.
    pub(super) fn cpu_seconds() -> Option<u64> {
        let stat = Process::myself().ok()?.stat().ok()?;
        Some((stat.utime + stat.stime) / ticks_per_second())
    }
}
