//! Asks the linker to pack the addresses that are filled in when the program starts: written out one by one they are 1.6 MB
//! of the file, all of it read at every start and resident from then on.
//!
//! Guarantees that a program which is built also runs: it is tried, with the linker and the C library that are there (glibc
//! 2.36, binutils 2.38 or LLD 15 know how). Where either does not, or where it cannot be tried, nothing is asked.

use std::env;
use std::path::Path;
use std::process::Command;

const PACKED: &str = "-Wl,-z,pack-relative-relocs";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTFLAGS");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let here = env::var("TARGET").is_ok_and(|target| is("HOST", &target));
    if here && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") && tried().is_some() {
        println!("cargo:rustc-link-arg-bins={PACKED}");
    }
}

/// Links a program so, and runs it.
fn tried() -> Option<()> {
    let folder = env::var("OUT_DIR").ok()?;
    let (source, program) = (Path::new(&folder).join("packed.rs"), Path::new(&folder).join("packed"));
    std::fs::write(&source, "fn main() {}\n").ok()?;
    let mut rustc = Command::new(env::var("RUSTC").ok()?);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.arg("--edition=2024").arg(format!("-Clink-arg={PACKED}")).arg("-o").arg(&program).arg(&source);
    let done = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    (done(&mut rustc) && done(&mut Command::new(&program))).then_some(())
}
