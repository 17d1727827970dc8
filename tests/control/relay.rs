//! A way to the API server that can be cut: what is sent over it then arrives when it is whole again, or never.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;

#[derive(Default)]
struct State {
    cut: bool,
    open: Vec<TcpStream>,
}

/// The way. Its threads end with their connections, at the latest with this process.
pub(crate) struct Relay {
    state: Arc<(Mutex<State>, Condvar)>,
    kubeconfig: PathBuf,
}

impl Relay {
    /// A way to the API server of a kubeconfig.
    pub(crate) fn to(kubeconfig: &Path) -> Self {
        let mut config: Value = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
        let cluster = &mut config["clusters"][0]["cluster"];
        let server = cluster["server"].as_str().unwrap().trim_start_matches("https://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        cluster["server"] = format!("https://{}", listener.local_addr().unwrap()).into();
        let path = kubeconfig.with_file_name("relay.kubeconfig");
        std::fs::write(&path, config.to_string()).unwrap();
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let relay = Self { state: Arc::clone(&state), kubeconfig: path };
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&server) else { continue };
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                state.0.lock().unwrap().open.extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                let (there, back) = (Arc::clone(&state), Arc::clone(&state));
                thread::spawn(move || carry(near, far, &there));
                thread::spawn(move || carry(far_too, near_too, &back));
            }
        });
        relay
    }

    /// Who goes this way.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// Nothing is carried from now on.
    pub(crate) fn cut(&self) {
        self.state.0.lock().unwrap().cut = true;
    }

    /// What was open is closed, and what is opened is carried again.
    pub(crate) fn restore(&self) {
        let mut state = self.state.0.lock().unwrap();
        state.cut = false;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.state.1.notify_all();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &(Mutex<State>, Condvar)) {
    let mut bytes = [0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        let whole = state.1.wait_while(state.0.lock().unwrap(), |state| state.cut);
        drop(whole.unwrap());
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
