//! What ends a command early.

use std::{fmt, io, path::Path};

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// The arguments or a file they name are wrong: one line that says what and where. Exit code 2.
    Input(String),
    /// Output could not be written. A closed pipe is not an error.
    Output(io::Error),
}

/// The result of a command's parts.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A problem with what was given.
    pub fn input(message: impl fmt::Display) -> Failure {
        Failure::Input(message.to_string())
    }

    /// The same problem, with where it is put before it.
    pub fn within(self, place: impl fmt::Display) -> Failure {
        match self {
            Failure::Input(message) => Failure::Input(format!("{place}: {message}")),
            Failure::Output(error) => Failure::Output(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Input(message) => f.write_str(message),
            Failure::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// The bytes of a file, or a [`Failure`] that names it.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Failure::input(format_args!("{}: cannot read: {error}", path.display())))
}

/// The text of a file, or a [`Failure`] that names it.
pub fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read_file(path)?).map_err(|error| {
        Failure::input(format_args!("{}: not text: byte {} is not UTF-8", path.display(), error.utf8_error().valid_up_to()))
    })
}
