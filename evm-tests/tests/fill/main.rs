//! Our own state tests: filled by revm, kept in `fixtures/statetests`, checked to be up to date.
//!
//! `BLESS=1 cargo test -p evm-tests --test fill` writes them anew.

use std::collections::BTreeSet;
use std::path::Path;

use evm_tests::fill::Filler;

mod calls;
mod compute;
mod state;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/statetests");

#[test]
fn fixtures_are_up_to_date() {
    let folder = Path::new(FOLDER);
    let bless = std::env::var_os("BLESS").is_some();
    let fillers: Vec<Filler> = [compute::all(), state::all(), calls::all()].concat();
    let mut expected = BTreeSet::new();
    for filler in &fillers {
        let file = format!("{}.json", filler.name());
        let path = folder.join(&file);
        let text = filler.fill();
        assert!(expected.insert(file.clone()), "two tests are called {file}");
        if bless {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, text).unwrap();
        } else {
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == text, "{file} is not up to date: BLESS=1 writes it anew");
        }
    }
    let present = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let present: BTreeSet<_> = present.filter_map(|name| name.into_string().ok()).collect();
    assert_eq!(present, expected, "a file of {FOLDER} that no test fills, or the other way round");
}

/// Assembly that stores the value of each expression in a slot of its own, from slot 1 on.
fn store_each<T: AsRef<str>>(expressions: &[T]) -> String {
    let store = |(slot, expression): (usize, &T)| format!("{} {} SSTORE\n", expression.as_ref(), slot + 1);
    expressions.iter().enumerate().map(store).collect()
}
