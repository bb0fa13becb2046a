//! The shape of the project, as ARCHITECTURE.md states it: which layer may import which, where `unsafe` may stand, how long a file may be,
//! nothing unfinished, no test ignored without a reason.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers of `src/` and the layers each may import. `lib.rs` and `main.rs` may import all.
const LAYERS: &[(&str, &[&str])] = &[
    ("evm", &[]),
    ("abi", &["evm"]),
    ("ir", &[]),
    ("asm", &[]),
    ("lower", &["ir", "asm"]),
    ("arena", &["ir", "lower"]),
    ("math", &[]),
    ("translate", &["abi", "evm", "ir", "math"]),
    ("runtime", &["abi", "evm", "math"]),
    ("interp", &["abi", "evm", "runtime"]),
    ("engine", &["abi", "arena", "evm", "interp", "ir", "lower", "runtime", "translate"]),
    ("adapter", &["abi", "engine", "evm", "runtime"]),
    ("cli", &["abi", "adapter", "engine", "evm", "ir", "lower", "translate"]),
];

/// Where `unsafe` may stand: machine code is stored, entered or called back from there, the frame's pointers are followed, or code is taken over that
/// was padded elsewhere.
const UNSAFE: &[&str] = &[
    "src/arena/",
    "src/math/",
    "src/runtime/",
    "src/interp/",
    "src/engine/executor.rs",
    "src/engine/compile.rs",
    "src/engine/deopt.rs",
    "src/evm/jumps/",
    "src/evm/code.rs",
    "src/adapter/runner.rs",
];

/// Lines a file may have, tests (from `#[cfg(test)]` on) and tables aside.
const MAX_LINES: usize = 800;

fn sources(under: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(under)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path.strip_prefix(root).expect("below the root").to_path_buf());
            }
        }
    }
    assert!(!found.is_empty(), "no sources under {under}");
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a source file")
}

/// The file without its unit tests and without comments.
fn code(path: &Path) -> String {
    let text = read(path);
    let body = text.split("#[cfg(test)]").next().unwrap_or_default();
    body.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The layer that a file belongs to.
fn layer(path: &Path) -> String {
    let part = path.components().nth(1).expect("below src").as_os_str().to_string_lossy().into_owned();
    part.trim_end_matches(".rs").to_string()
}

/// What a file imports of the crate: the names after `crate::`.
fn imports(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in text.split("crate::").skip(1) {
        if let Some(list) = part.strip_prefix('{') {
            let list = &list[..list.find('}').unwrap_or(list.len())];
            names.extend(list.split(',').map(|item| item.trim().split("::").next().unwrap_or_default().to_string()));
        } else {
            names.push(part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    names.retain(|name| LAYERS.iter().any(|(layer, _)| layer == name));
    names
}

#[test]
fn layers_import_downwards() {
    let mut wrong = Vec::new();
    for path in sources("src") {
        let layer = layer(&path);
        if layer == "lib" || layer == "main" {
            continue;
        }
        let (_, allowed) =
            LAYERS.iter().find(|(name, _)| *name == layer).unwrap_or_else(|| panic!("{layer} is in no list of layers"));
        for import in imports(&code(&path)) {
            if import != layer && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_stands_where_it_may() {
    let mut wrong = Vec::new();
    for path in sources("src") {
        let name = path.to_string_lossy().replace('\\', "/");
        let text = code(&path);
        let uses = text.contains("unsafe {")
            || text.contains("unsafe fn")
            || text.contains("unsafe impl")
            || text.contains("unsafe extern \"C\" fn $");
        let type_only = name.starts_with("src/abi/");
        if uses && !type_only && !UNSAFE.iter().any(|allowed| name.starts_with(allowed)) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "unsafe outside of its places: {wrong:#?}");
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for folder in ["src", "evm-tests/src"] {
        for path in sources(folder) {
            let lines = read(&path).split("#[cfg(test)]").next().unwrap_or_default().lines().count();
            if lines > MAX_LINES {
                long.push((path, lines));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn nothing_is_unfinished() {
    let marks = [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("FIX", "ME"), concat!("TO", "DO")];
    let mut found = Vec::new();
    for folder in ["src", "evm-tests", "tests", "benches"] {
        for path in sources(folder) {
            let text = read(&path);
            for (number, line) in text.lines().enumerate() {
                let ignored = line.trim_start().starts_with("#[ignore") && !line.contains('=');
                if ignored || marks.iter().any(|mark| line.contains(mark)) {
                    found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
