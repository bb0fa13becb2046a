//! Reading JSON so that an error names the file and the field.

use super::args;
use super::failure::{Failure, Result, read_text};
use revm::primitives::{Address, Bytes, U256};
use serde_json::Value;
use std::path::Path;

/// The JSON in a file.
pub fn read(path: &Path) -> Result<Value> {
    serde_json::from_str(&read_text(path)?).map_err(|error| Failure::input(format_args!("{}: not JSON: {error}", path.display())))
}

/// A value and where it is.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    value: &'a Value,
    file: &'a str,
    path: String,
}

impl<'a> Node<'a> {
    /// The whole of a file's JSON.
    pub fn root(value: &'a Value, file: &'a str) -> Node<'a> {
        Node { value, file, path: String::new() }
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// A failure that says where this value is.
    pub fn error(&self, message: impl std::fmt::Display) -> Failure {
        match self.path.is_empty() {
            true => Failure::input(format_args!("{}: {message}", self.file)),
            false => Failure::input(format_args!("{}: field `{}`: {message}", self.file, self.path)),
        }
    }

    fn child(&self, name: &str, value: &'a Value) -> Node<'a> {
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Node { value, file: self.file, path }
    }

    /// The field of that name, if it is there and not null.
    pub fn get(&self, name: &str) -> Option<Node<'a>> {
        self.value.get(name).filter(|value| !value.is_null()).map(|value| self.child(name, value))
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Result<Node<'a>> {
        if !self.value.is_object() {
            return Err(self.error(format_args!("expected an object, found {}", kind(self.value))));
        }
        self.get(name).ok_or_else(|| self.error(format_args!("missing field `{name}`")))
    }

    /// The fields of an object, in order.
    pub fn entries(&self) -> Result<impl Iterator<Item = (&'a str, Node<'a>)> + '_> {
        let object =
            self.value.as_object().ok_or_else(|| self.error(format_args!("expected an object, found {}", kind(self.value))))?;
        Ok(object.iter().map(|(name, value)| (name.as_str(), self.child(name, value))))
    }

    /// The elements of an array, in order.
    pub fn items(&self) -> Result<impl Iterator<Item = Node<'a>> + '_> {
        let array =
            self.value.as_array().ok_or_else(|| self.error(format_args!("expected an array, found {}", kind(self.value))))?;
        Ok(array.iter().enumerate().map(|(at, value)| self.child(&at.to_string(), value)))
    }

    /// A string.
    pub fn str(&self) -> Result<&'a str> {
        self.value.as_str().ok_or_else(|| self.error(format_args!("expected a string, found {}", kind(self.value))))
    }

    /// A number: a JSON integer, or a string in decimal or `0x`.
    pub fn u256(&self) -> Result<U256> {
        match self.value {
            Value::Number(number) => number
                .as_u64()
                .map(U256::from)
                .ok_or_else(|| self.error(format_args!("expected a whole number of at most 64 bits, found {number}"))),
            Value::String(text) => args::number(text).map_err(|failure| self.error(failure)),
            other => Err(self.error(format_args!("expected a number, found {}", kind(other)))),
        }
    }

    /// A number of at most 64 bits.
    pub fn u64(&self) -> Result<u64> {
        self.u256()?.try_into().map_err(|_| self.error("does not fit in 64 bits"))
    }

    /// Bytes in hex.
    pub fn bytes(&self) -> Result<Bytes> {
        args::hex(self.str()?).map_err(|failure| self.error(failure))
    }

    /// An address in hex.
    pub fn address(&self) -> Result<Address> {
        args::address(self.str()?).map_err(|failure| self.error(failure))
    }
}

/// The JSON type of a value, with its article.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
