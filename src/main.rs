//! The program: results become exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    blackstart::cli::main()
}
