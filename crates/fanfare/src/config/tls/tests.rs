use std::{fs, path::Path};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::*;
use crate::config::{Loaded, tests::load_file};

/// A certificate and its key in a folder.
fn write(folder: &Path, name: &str, change: impl FnOnce(&mut CertificateParams)) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join(format!("{name}.crt")), certificate.pem()).unwrap();
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a", |_| {});
    write(folder.path(), "b", |_| {});
    folder
}

/// The mistakes in a file in which `@` stands for the folder.
fn mistakes(folder: &TempDir, file: &str) -> Vec<String> {
    let path = folder.path().display().to_string();
    let error = load_file(&file.replace('@', &path)).unwrap_err();
    let said = |Mistake { key, found, allowed, hint, .. }: &Mistake| {
        let hint = hint.as_deref().unwrap_or_default();
        format!("{key}\n  found    {found}\n  allowed  {allowed}\n  hint     {hint}").replace(&path, "@")
    };
    error.iter().map(said).collect()
}

#[test]
fn every_mistake_with_files_has_a_remedy() {
    let folder = folder();
    fs::write(folder.path().join("empty"), "nothing\n").unwrap();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(folder.path().join("encrypted"), encrypted).unwrap();
    let files = [
        "[tls]\ncert = \"@/none.crt\"\nkey = \"@/none.key\"",
        "[tls]\ncert = \"@/a.crt\"",
        "[tls]\nkey = \"@/a.key\"",
        "[tls]\ncert = \"@/a.crt\"\nkey = \"@/b.key\"",
        "[tls]\ncert = \"@/a.key\"\nkey = \"@/a.crt\"",
        "[tls]\ncert = \"@/empty\"\nkey = \"@/encrypted\"",
        "[tls]\ncert = \"@/a.crt\"\nkey = \"-----BEGIN PRIVATE KEY-----secret\"",
        "[api]\nkeys = [\"0123456789abcdef\"]\ntls_cert = \"@/a.crt\"\ntls_key = \"@/a.key\"",
        "[api]\nkeys = [\"0123456789abcdef\"]\nlisten = [\"127.0.0.1:2\"]\nclient_ca = \"@/a.crt\"",
        "listen = [\"127.0.0.1:2\"]\n[api]\nkeys = [\"0123456789abcdef\"]\nlisten = [\"localhost:2\"]\n\
         tls_cert = \"@/a.crt\"\ntls_key = \"@/a.key\"",
        "[redis]\nca = \"@/a.crt\"",
        "broker = \"rediss://h\"\n[redis]\nclient_cert = \"@/a.crt\"\nclient_key = \"@/b.key\"",
    ];
    let all: Vec<_> =
        files.iter().map(|file| format!("{file}\n\n{}", mistakes(&folder, file).join("\n"))).collect();
    let all = all.join("\n----\n");
    insta::assert_snapshot!(all);
}

#[test]
fn each_role_speaks_its_own_tls() {
    let folder = folder();
    let file = "listen = [\"127.0.0.1:1\"]\n[tls]\ncert = \"@/a.crt\"\nkey = \"@/a.key\"\n\
                [api]\nkeys = [\"0123456789abcdef\"]\nlisten = [\"127.0.0.1:2\"]\ntls_cert = \"@/b.crt\"\n\
                tls_key = \"@/b.key\"\nclient_ca = \"@/a.crt\"";
    let loaded = load_file(&file.replace('@', &folder.path().display().to_string())).unwrap();
    let tls = |loaded: &Loaded, role| {
        let listener = loaded.config.listeners.iter().find(|listener| listener.role == role);
        listener.and_then(|listener| listener.tls.clone())
    };
    let [clients, api] = [Role::Clients, Role::Api].map(|role| tls(&loaded, role).unwrap());
    assert!(clients != api && clients.config().is_ok() && api.config().is_ok());
    assert!(!format!("{loaded:?}").contains("PRIVATE"));
    // A new certificate in the same file is another value; with the key of another certificate it is a mistake.
    write(folder.path(), "a", |_| {});
    let reread = loaded.reread_tls().unwrap();
    assert!(tls(&reread, Role::Clients).unwrap() != clients);
    assert_eq!(
        loaded.raw.changed(&reread.raw).iter().map(|key| key.path).collect::<Vec<_>>(),
        ["api.client_ca", "tls.cert", "tls.key"]
    );
    fs::copy(folder.path().join("b.key"), folder.path().join("a.key")).unwrap();
    let error = loaded.reread_tls().unwrap_err().to_string();
    assert!(error.contains("tls.key") && error.contains("not the key of the certificate"), "{error}");
}

#[test]
fn a_certificate_outside_its_dates_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "old", |params| params.not_after = date_time_ymd(2001, 2, 3));
    write(folder.path(), "new", |params| params.not_before = date_time_ymd(4000, 1, 1));
    let file = "[tls]\ncert = \"@/old.crt\"\nkey = \"@/old.key\"\n\
                [api]\nkeys = [\"0123456789abcdef\"]\nlisten = [\"127.0.0.1:2\"]\ntls_cert = \"@/new.crt\"\n\
                tls_key = \"@/new.key\"";
    let loaded = load_file(&file.replace('@', &folder.path().display().to_string())).unwrap();
    let warnings = warnings(&loaded.config, SystemTime::now());
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].contains("tls.cert: the certificate expired at 2001-02-03T00:00:00Z"),
        "{warnings:?}"
    );
    assert!(warnings[1].contains("is not valid before 4000-01-01T00:00:00Z"), "{warnings:?}");
}
