//! The program: see the library.

fn main() -> std::process::ExitCode {
    irmin_cli::main()
}
