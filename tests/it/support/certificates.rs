//! Certificates made for a test, in files.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// A folder with an authority, and certificates that it signed for a server and a client.
pub struct Certificates {
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    /// The files ca.pem, server.pem, server.key, client.pem and client.key in a new folder.
    pub fn make() -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("certificates-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
        fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
        let made = Self { folder, authority };
        for who in ["server", "client"] {
            made.sign(who, who, 4096);
        }
        made
    }

    /// Writes a certificate for localhost, which is valid until a year and has a common name, and its key.
    pub fn sign(&self, file: &str, common_name: &str, until: i32) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_after = date_time_ymd(until, 1, 1);
        let signed = params.signed_by(&key, &self.authority).unwrap();
        fs::write(self.folder.join(format!("{file}.pem")), signed.pem()).unwrap();
        fs::write(self.folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    /// The path of a file.
    pub fn path(&self, file: &str) -> String {
        self.folder.join(file).to_str().unwrap().to_owned()
    }

    /// The contents of a file.
    pub fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.folder.join(file)).unwrap()
    }

    /// What a server of HTTP/1 with the server's certificate needs.
    pub fn server(&self) -> ServerConfig {
        let chain = CertificateDer::pem_file_iter(self.path("server.pem")).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        config.with_no_client_auth().with_single_cert(chain, key).unwrap()
    }

    /// A client that trusts the authority.
    pub fn client(&self) -> ClientTlsConfig {
        let authority = Certificate::from_pem(self.read("ca.pem"));
        ClientTlsConfig::new().ca_certificate(authority).domain_name("localhost")
    }

    /// A client that trusts the authority and shows what the authority signed.
    pub fn known_client(&self) -> ClientTlsConfig {
        self.client().identity(Identity::from_pem(self.read("client.pem"), self.read("client.key")))
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
