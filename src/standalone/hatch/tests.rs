//! The hatch against a client that misbehaves; the live gate's tests show it at work.

use std::os::unix::fs::PermissionsExt as _;

use tokio::net::UnixStream;

use super::serve::Hatch;
use super::socket;

#[tokio::test]
async fn only_its_owner_can_open_the_socket_and_an_old_one_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let first = Hatch::open(folder.path()).unwrap();
    let second = Hatch::open(folder.path()).unwrap();
    let mode = std::fs::metadata(socket(folder.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(UnixStream::connect(socket(folder.path())).await.is_ok());
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["gate.sock"]);
    drop((first, second));
    assert!(!socket(folder.path()).exists());
}
