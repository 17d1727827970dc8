//! What the fuzz targets share: their seeds are the corpus of the tests, written out before libFuzzer reads its folder.

use std::fs;
use std::path::Path;

/// Writes the seeds into `$COUNTERSIGN_FUZZ_SEEDS/<target>`, if that is given.
pub fn seed(target: &str, seeds: &[Vec<u8>]) {
    let Some(folder) = std::env::var_os("COUNTERSIGN_FUZZ_SEEDS") else { return };
    let folder = Path::new(&folder).join(target);
    fs::create_dir_all(&folder).expect("a folder for seeds");
    for (number, bytes) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), bytes).expect("a file for a seed");
    }
}
