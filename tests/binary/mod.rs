//! The binary `ejit`.

use std::process::Command;

/// A command that runs it: through the runner that cargo uses for this target, if it was given one (an emulator).
pub fn ejit() -> Command {
    let binary = env!("CARGO_BIN_EXE_ejit");
    let arch = std::env::consts::ARCH.to_uppercase();
    let runner = std::env::var(format!("CARGO_TARGET_{arch}_UNKNOWN_LINUX_GNU_RUNNER")).unwrap_or_default();
    let mut words = runner.split_whitespace();
    match words.next() {
        None => Command::new(binary),
        Some(program) => {
            let mut command = Command::new(program);
            command.args(words).arg(binary);
            command
        }
    }
}
