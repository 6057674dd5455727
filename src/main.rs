//! The binary. Everything is in the library, so that tests can reach it.

/// Memory is taken and given back for every call, on all cores: this one is quicker at it than the
/// system's, and keeps less.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    befriend::cli::main()
}
