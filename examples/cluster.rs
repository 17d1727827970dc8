//! A Kubernetes control plane to play with: `make cluster`. It has the custom resources of `crds/` and a namespace `models`,
//! and is gone when this program ends, whichever way.

#![expect(clippy::panic, reason = "it says what is wrong by stopping")]

#[expect(dead_code, reason = "tests use all of it")]
#[path = "../tests/support/cluster.rs"]
mod cluster;

fn main() {
    let cluster = cluster::Cluster::start();
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    let applied = cluster.kubectl(&["apply", "--server-side", "-f", crds], "");
    print!("{}", String::from_utf8_lossy(&applied.stdout));
    eprint!("{}", String::from_utf8_lossy(&applied.stderr));
    println!("\nNamespace {}. It ends with Ctrl-C.\n", cluster.namespace("models"));
    // Found again: it is a matter of milliseconds.
    println!("export PATH=\"$PATH:{}\" # kubectl is there", cluster::binaries().display());
    println!("export KUBECONFIG={}", cluster.admin().display());
    let alice = cluster.person("alice", &["legal"]);
    println!("export KUBECONFIG={} # alice of the group legal, who may do nothing yet", alice.display());
    loop {
        std::thread::park();
    }
}
