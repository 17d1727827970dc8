//! Certificates, and the kubeconfig files of people: all made by `openssl`, signed by an authority that lives as long as the
//! cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

/// The authority of one cluster, in a folder.
pub(crate) struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes the authority, the API server's certificate and the key that signs tokens of service accounts.
    pub(crate) fn found(folder: &Path) -> Self {
        let authority = Self { folder: folder.to_owned() };
        authority.openssl(&["req", "-x509", "-days", "3650", "-subj", "/CN=countersign-test", "-out", "ca.crt"], "ca");
        let names = "subjectAltName=IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc";
        authority.sign("api-server", "/CN=kube-apiserver", &["extendedKeyUsage=serverAuth", names]);
        authority.sign("accounts", "/CN=service-accounts", &[]);
        authority
    }

    /// A file of the authority.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Writes a kubeconfig for somebody, who is in these groups, and gives its path.
    pub(crate) fn kubeconfig(&self, server: &str, user: &str, groups: &[&str]) -> PathBuf {
        let path = self.folder.join(format!("{}.kubeconfig", user.replace([':', '/'], "-")));
        if path.exists() {
            return path;
        }
        let name = format!("user-{}", user.replace([':', '/'], "-"));
        let groups = groups.iter().flat_map(|group| ["/O=", group]).collect::<String>();
        self.sign(&name, &format!("{groups}/CN={user}"), &["extendedKeyUsage=clientAuth"]);
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": self.file("ca.crt")}}],
            "users": [{"name": user, "user": {
                "client-certificate": self.file(&format!("{name}.crt")), "client-key": self.file(&format!("{name}.key")),
            }}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        });
        fs::write(&path, config.to_string()).expect("the folder is ours");
        path
    }

    fn sign(&self, name: &str, subject: &str, extensions: &[&str]) {
        let certificate = format!("{name}.crt");
        let mut arguments = vec![
            "req",
            "-x509",
            "-days",
            "3650",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-subj",
            subject,
            "-out",
            &certificate,
        ];
        for extension in ["basicConstraints=critical,CA:FALSE"].iter().chain(extensions) {
            arguments.extend(["-addext", extension]);
        }
        self.openssl(&arguments, name);
    }

    fn openssl(&self, arguments: &[&str], key: &str) {
        let key = format!("{key}.key");
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", &key];
        let run = Command::new("openssl").args(arguments).args(new_key).current_dir(&self.folder).output();
        let run = run.expect("scripts/cluster has seen to openssl");
        assert!(run.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
}
