//! Finding test files and reading them.
//!
//! Reading is one pass over the bytes into the types of [`crate::model`]. Only when that fails is the file
//! read again, slowly, to say which test and which field is wrong: a [`LoadError`] names the file, the
//! test and the place in it. No input makes this module panic.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use crate::model::{Pairs, Unit};

/// Why a file could not be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not JSON.
    #[error("{}: not JSON: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The file is JSON of another kind.
    #[error("{}: not a state test: {found}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// A test lacks a field, or has one that makes no sense.
    #[error("{}: test `{test}`: {at}: {message}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The test.
        test: String,
        /// Path to the place within the test, `.` at its top.
        at: String,
        /// What is missing or wrong.
        message: String,
    },
}

/// Reads a file: its tests in the order of the file.
pub fn file(path: &Path) -> Result<Vec<(String, Unit)>, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Io { path: path.into(), source })?;
    text(path, &bytes)
}

/// Reads the text of a file; `path` is what errors call it.
pub fn text(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Unit)>, LoadError> {
    match serde_json::from_slice::<Pairs<String, Unit>>(bytes) {
        Ok(tests) => Ok(tests.0),
        Err(error) => Err(diagnose(path, bytes, error)),
    }
}

/// Finds what the fast pass stumbled on.
fn diagnose(path: &Path, bytes: &[u8], source: serde_json::Error) -> LoadError {
    let format = |found: &str| LoadError::Format { path: path.into(), found: found.into() };
    let tests = match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(tests)) => tests,
        Ok(Value::Array(_)) => return format("an array, where an object of tests by name belongs"),
        Ok(_) => return format("a single value, where an object of tests by name belongs"),
        Err(source) => {
            return LoadError::Json { path: path.into(), source };
        }
    };
    for (name, test) in tests {
        if let Some(found) = other_format(&test) {
            return format(&format!("`{name}` is {found}"));
        }
        if let Err(error) = serde_path_to_error::deserialize::<_, Unit>(test) {
            return LoadError::Field {
                path: path.into(),
                test: name,
                at: error.path().to_string(),
                message: error.into_inner().to_string(),
            };
        }
    }
    LoadError::Json { path: path.into(), source }
}

/// Names the format of a test that has nothing of a state test, as far as it is known.
fn other_format(test: &Value) -> Option<&'static str> {
    let Value::Object(fields) = test else {
        return Some("no object");
    };
    let has = |field: &str| fields.contains_key(field);
    if has("blocks") || has("genesisBlockHeader") || has("engineNewPayloads") {
        Some("a blockchain test")
    } else if has("expect") {
        Some("the source of a test, not yet filled")
    } else if has("txbytes") {
        Some("a transaction test")
    } else if has("exec") {
        Some("a VM test of the format before state tests")
    } else if !["env", "pre", "post", "transaction"].into_iter().any(has) {
        Some("of an unknown format: none of `env`, `pre`, `post`, `transaction`")
    } else {
        None
    }
}

/// The test files under the given files and folders: files as given, folders searched for `*.json`
/// with their contents in order of name; what begins with a dot is left out.
pub fn find(roots: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut found = Vec::new();
    for root in roots {
        if root.is_dir() {
            find_in(root, &mut found)?;
        } else if root.exists() {
            found.push(root.clone());
        } else {
            let source = io::Error::new(io::ErrorKind::NotFound, "no such file or folder");
            return Err(LoadError::Io { path: root.clone(), source });
        }
    }
    Ok(found)
}

fn find_in(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let failed = |source| LoadError::Io { path: folder.into(), source };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            find_in(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    Ok(())
}

/// Paths, one a line, as batch mode reads them from standard input. Empty lines are left out.
pub fn batch(lines: impl BufRead) -> impl Iterator<Item = io::Result<PathBuf>> {
    lines
        .lines()
        .filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty()))
        .map(|line| line.map(|line| PathBuf::from(line.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{ "name": {
        "env": { "currentCoinbase": "0x2adc25665018aa1fe0e6bc666dac8fc2697ff9ba",
                 "currentGasLimit": "0x1000", "currentNumber": "1", "currentTimestamp": "0x3e8" },
        "pre": { "0x1000000000000000000000000000000000000000":
                 { "balance": "0x0", "code": "0x6001", "nonce": "0x0", "storage": { "0x00": "0x01" } } },
        "transaction": { "data": ["0x"], "gasLimit": ["0x5208"], "value": ["0x0"], "nonce": "0x00", "to": "" },
        "post": { "Cancun": [ { "hash": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
                                "logs": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
                                "indexes": { "data": 0, "gas": 0, "value": 0 } } ] } } }"#;

    fn error(text: &str) -> String {
        super::text(Path::new("a.json"), text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_minimal_test_loads() {
        let tests = text(Path::new("a.json"), GOOD.as_bytes()).unwrap();
        assert_eq!(tests.len(), 1);
        assert_eq!(tests[0].0, "name");
        assert_eq!(tests[0].1.post.0[0].0, "Cancun");
    }

    #[test]
    fn errors_name_file_test_and_field() {
        for (from, to, expected) in [
            ("\"nonce\": \"0x00\", ", "", "a.json: test `name`: transaction: missing field `nonce`"),
            ("\"env\"", "\"enw\"", "a.json: test `name`: .: missing field `env`"),
            ("\"logs\"", "\"lugs\"", "a.json: test `name`: post.Cancun[0]: missing field `logs`"),
            ("0x6001", "0x600", "a.json: test `name`: pre.0x1000000000000000000000000000000000000000.code: "),
            ("\"0x01\" } }", "\"xy\" } }", "storage.0x00: invalid value: string \"xy\", expected a number"),
        ] {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD, "{from}");
            let error = error(&text);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn other_formats_are_named() {
        assert!(error("[]").contains("a.json: not a state test: an array"));
        assert!(error("3").contains("not a state test: a single value"));
        assert!(error("{\"a\": {\"blocks\": []}}").contains("`a` is a blockchain test"));
        assert!(error("{\"a\": {\"b\": 1}}").contains("`a` is of an unknown format"));
        assert!(error("{\"a\": 1}").contains("`a` is no object"));
        assert!(error("{\"a\": ").contains("a.json: not JSON: EOF"));
        assert!(error("").contains("not JSON"));
        assert!(error(&"[".repeat(100_000)).contains("not JSON: recursion limit"));
    }

    #[test]
    fn every_truncation_is_an_error() {
        for end in 0..GOOD.len() {
            assert!(text(Path::new("a.json"), &GOOD.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn batches() {
        let paths: Vec<_> = batch(&b"a.json\n\n b/c.json \n"[..]).map(Result::unwrap).collect();
        assert_eq!(paths, [PathBuf::from("a.json"), PathBuf::from("b/c.json")]);
    }
}
