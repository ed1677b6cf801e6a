//! The `sharestat` command.

fn main() -> std::process::ExitCode {
    sharestat::cli::run(std::env::args_os())
}
