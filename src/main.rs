//! The command line; `ejit --help` lists its commands. All of it is in [`ejit::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ejit::cli::main()
}
