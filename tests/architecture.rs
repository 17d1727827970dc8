//! The structure, held to what `src/lib.rs` and CONTRIBUTING say of it: arrows between rooms, crates in their rooms,
//! sizes, a first line that says what a file is, and no file or test that is never compiled.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by stopping")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest file, tests left out.
const FILE_LINES_MAX: usize = 500;
/// Longest facade (`src/<room>.rs`).
const FACADE_LINES_MAX: usize = 120;
/// Longest program (`src/bin/*.rs`).
const PROGRAM_LINES_MAX: usize = 60;

/// Which rooms may use a crate; crates not named here may be used anywhere.
const CRATES: &[(&str, &[&str])] = &[
    ("tokio", &["distribution", "resident", "sidecar", "standalone", "cli", "operator"]),
    ("hyper", &["distribution", "sidecar", "standalone", "cli", "operator"]),
    ("hyper_util", &["distribution", "sidecar", "standalone", "cli", "operator"]),
    ("hyper_rustls", &["sidecar", "standalone", "cli"]),
    ("http", &["distribution", "resident", "sidecar", "standalone", "cli"]),
    ("http_body_util", &["distribution", "sidecar", "standalone", "cli"]),
    ("axum", &["standalone", "cli", "operator"]),
    ("sqlx", &["standalone"]),
    ("clap", &["cli", "operator"]),
    ("anyhow", &["cli"]),
    ("comfy_table", &["cli"]),
    ("cel", &["rules"]),
    ("aws_lc_rs", &["distribution"]),
    ("aho_corasick", &["rules"]),
    ("regex_automata", &["rules", "detect"]),
    ("regex_syntax", &["rules", "detect", "compile"]),
    ("unicode_normalization", &["rules", "approvals"]),
    ("unicode_security", &["rules", "approvals"]),
    ("serde_saphyr", &["compile", "standalone", "cli"]),
    ("futures_util", &["operator"]),
    ("tonic", &["distribution"]),
    ("tonic_prost", &["distribution"]),
    ("prost", &["distribution"]),
    ("tokio_rustls", &["distribution", "operator"]),
    ("jsonwebtoken", &["sidecar"]),
    ("k8s_openapi", &["api", "operator"]),
    ("kube", &["api", "operator"]),
    ("prometheus_client", &["telemetry"]),
    ("tracing_subscriber", &["telemetry"]),
];

struct File {
    path: PathBuf,
    room: String,
    text: String,
}

impl File {
    /// Lines up to the tests.
    fn code(&self) -> &str {
        self.text.split("\n#[cfg(test)]").next().unwrap_or_default()
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<File> {
    let src = root().join("src");
    rust_files(&src)
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&src).unwrap().to_path_buf();
            let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
            File {
                room: first.trim_end_matches(".rs").to_owned(),
                text: fs::read_to_string(&path).unwrap(),
                path: inside,
            }
        })
        .collect()
}

/// Which rooms a room may use, as the map in `src/lib.rs` says: a line with the room, a line `-> ` with what it uses.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let map = text.split("//! ```").nth(1).unwrap().trim_start_matches("text");
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut room = String::new();
    for line in map.lines().map(|line| line.trim_start_matches("//!").trim()).filter(|line| !line.is_empty()) {
        let Some(used) = line.strip_prefix("-> ") else {
            line.split_whitespace().next().unwrap().clone_into(&mut room);
            continue;
        };
        let used = match used {
            "nothing" => BTreeSet::new(),
            "all above" => arrows.keys().cloned().collect(),
            listed => listed.split(", ").map(str::to_owned).collect(),
        };
        for name in &used {
            assert!(arrows.contains_key(name), "src/lib.rs: `{room}` uses `{name}`, which does not stand above it");
        }
        assert!(arrows.insert(room.clone(), used).is_none(), "src/lib.rs: `{room}` is on the map twice");
    }
    arrows
}

fn uncommented(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// Names that follow `prefix` in the code, as in `crate::rules` -> `rules`; `crate::{a, b::c}` gives both.
fn named_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let joined: String = uncommented(code).collect::<Vec<_>>().join("\n");
    for (at, _) in joined.match_indices(prefix) {
        let tail = &joined[at + prefix.len()..];
        let list = tail.strip_prefix('{').map_or_else(
            || tail.split(|c: char| !word(c)).next().unwrap_or(""),
            |inner| inner.split('}').next().unwrap_or(""),
        );
        for item in list.split(',') {
            let name: String = item.trim().chars().take_while(|c| word(*c)).collect();
            if !name.is_empty() {
                names.insert(name);
            }
        }
    }
    names
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn demand(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    let arrows = arrows();
    let mut problems = Vec::new();
    for file in sources().iter().filter(|f| f.room != "lib" && f.room != "bin") {
        let Some(allowed) = arrows.get(file.room.as_str()) else {
            problems.push(format!("src/{}: room `{}` is not on the map", file.name(), file.room));
            continue;
        };
        for used in named_after(file.code(), "crate::") {
            if used != file.room && arrows.contains_key(&used) && !allowed.contains(&used) {
                problems.push(format!("src/{}: `{}` may not use `{used}`", file.name(), file.room));
            }
        }
    }
    demand(&problems);
}

#[test]
fn every_room_on_the_map_is_there_and_the_map_has_every_room() {
    let declared: BTreeSet<String> = fs::read_to_string(root().join("src/lib.rs"))
        .unwrap()
        .lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.trim_end_matches(';').to_owned()))
        .collect();
    assert_eq!(arrows().into_keys().collect::<BTreeSet<_>>(), declared);
}

#[test]
fn crates_are_used_only_in_their_rooms() {
    let mut problems = Vec::new();
    for file in sources().iter().filter(|f| f.room != "lib" && f.room != "bin") {
        for (name, rooms) in CRATES {
            let used = uncommented(file.code()).any(|line| {
                line.match_indices(&format!("{name}::"))
                    .any(|(at, _)| !line[..at].ends_with(|c: char| word(c) || c == ':'))
            });
            if used && !rooms.contains(&file.room.as_str()) {
                problems.push(format!("src/{}: crate `{name}` does not belong in `{}`", file.name(), file.room));
            }
        }
    }
    demand(&problems);
}

#[test]
fn every_file_says_what_it_is_and_stays_small() {
    let mut problems = Vec::new();
    for file in sources() {
        if !file.text.starts_with("//!") {
            problems.push(format!("src/{}: does not open with `//!`", file.name()));
        }
        // Files that hold nothing but a room's tests are tables; they may be long.
        if file.path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests")) {
            continue;
        }
        let facade = file.path.components().count() == 1 && file.room != "lib";
        let (what, max) = match () {
            () if file.room == "bin" => ("program", PROGRAM_LINES_MAX),
            () if facade => ("facade", FACADE_LINES_MAX),
            () => ("file", FILE_LINES_MAX),
        };
        let lines = file.code().lines().count();
        if lines > max {
            problems.push(format!("src/{}: {what} of {lines} lines, at most {max}", file.name()));
        }
    }
    demand(&problems);
}

#[test]
fn no_source_file_is_an_orphan() {
    let mut problems = Vec::new();
    let files = sources();
    for file in files.iter().filter(|f| f.room != "lib" && f.room != "bin") {
        let stem = file.path.file_stem().unwrap().to_string_lossy().into_owned();
        assert_ne!(stem, "mod", "src/{}: use `x.rs` beside `x/`", file.name());
        let parent = match file.path.parent().filter(|p| !p.as_os_str().is_empty()) {
            Some(dir) => dir.with_extension("rs"),
            None => PathBuf::from("lib.rs"),
        };
        let declared = files
            .iter()
            .find(|f| f.path == parent)
            .is_some_and(|f| uncommented(&f.text).any(|line| line.trim_end().ends_with(&format!("mod {stem};"))));
        if !declared {
            problems.push(format!("src/{}: not declared in src/{}", file.name(), parent.display()));
        }
    }
    demand(&problems);
}

#[test]
fn no_test_file_is_an_orphan() {
    let tests = root().join("tests");
    let all: String = rust_files(&tests).iter().map(|p| fs::read_to_string(p).unwrap()).collect();
    for file in rust_files(&tests).iter().filter(|p| p.parent() != Some(tests.as_path())) {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(all.contains(&format!("mod {stem};")), "{} is never compiled", file.display());
    }
}

#[test]
fn nothing_is_ignored_or_silenced() {
    let mut problems = Vec::new();
    for path in rust_files(&root().join("src")).into_iter().chain(rust_files(&root().join("tests"))) {
        let text = fs::read_to_string(&path).unwrap();
        for mark in
            [concat!("#[ign", "ore"), concat!("#[al", "low("), concat!("tod", "o!("), concat!("unimple", "mented!(")]
        {
            if uncommented(&text).any(|line| line.contains(mark)) {
                problems.push(format!("{}: `{mark}`", path.display()));
            }
        }
    }
    demand(&problems);
}

/// What a build with these features depends on.
fn dependencies(features: &str) -> BTreeSet<String> {
    let out = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--no-default-features", "--features", features])
        .args(["-e", "normal", "--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8(out.stdout).unwrap();
    assert!(tree.contains("hyper v"), "cargo tree gave: {}", String::from_utf8_lossy(&out.stderr));
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn each_program_builds_without_what_belongs_to_another() {
    const KUBERNETES: [&str; 5] = ["kube", "kube-core", "kube-client", "kube-runtime", "k8s-openapi"];
    const SQL: [&str; 3] = ["sqlx", "sqlx-core", "libsqlite3-sys"];
    const OPENSSL: [&str; 2] = ["openssl", "openssl-sys"];
    let rows = [
        ("sidecar", [&KUBERNETES[..], &SQL, &OPENSSL, &["axum", "clap"]].concat()),
        ("standalone", [&KUBERNETES[..], &OPENSSL].concat()),
        ("operator", [&SQL[..], &OPENSSL].concat()),
    ];
    for (features, unwanted) in rows {
        let found = dependencies(features);
        for unwanted in unwanted {
            assert!(!found.contains(unwanted), "`{features}` depends on `{unwanted}`");
        }
    }
    assert!(dependencies("operator").contains("kube-client"), "the names above are those of crates");
}

#[test]
fn every_dependency_has_a_permissive_licence() {
    const PERMITTED: &[&str] = &[
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "ISC",
        "LLVM-exception",
        "MIT",
        "MIT-0",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
        "OR",
        "AND",
        "WITH",
    ];
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .args(["--features", "operator"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{}", String::from_utf8_lossy(&out.stderr));
    let mut problems = Vec::new();
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        let words = licence.split([' ', '/', '(', ')']).filter(|word| !word.is_empty());
        if words.clone().count() == 0 || words.clone().any(|word| !PERMITTED.contains(&word)) {
            problems.push(format!("{}: {licence}", package["name"]));
        }
    }
    demand(&problems);
}
