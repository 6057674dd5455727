//! The binary. All code is in the library, so that tests can reach it.

/// Every call allocates and frees memory, on all cores. This allocator does that in less time than the
/// system's, and keeps less unused memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Has the allocator take back what other threads have freed of this thread's memory. By itself it does so
/// when the thread allocates again, which a thread without work never does.
#[expect(unsafe_code, reason = "the allocator's crate has no safe function for it")]
fn collect_memory() {
    // SAFETY: the function may be called on any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(false) }
}

fn main() -> std::process::ExitCode {
    befriend::cli::main(collect_memory)
}
