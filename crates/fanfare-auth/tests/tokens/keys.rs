//! Keys that verify tokens.

use fanfare_auth::{HmacAlgorithm, HmacSecret, PublicKey, TokenKey, TokenKeyError};
use proptest::prelude::*;

use crate::support::*;

fn refused(pem: &str) -> TokenKeyError {
    PublicKey::from_pem(pem.as_bytes()).unwrap_err()
}

#[test]
fn a_wrong_key_file_is_named() {
    assert_eq!(refused(""), TokenKeyError::NotPem);
    assert_eq!(refused("MIIBIjANBgkq"), TokenKeyError::NotPem);
    assert_eq!(refused("-----BEGIN PUBLIC KEY"), TokenKeyError::NotPem);
    for private in [
        pem!("test-rsa.private"),
        pem!("test-p256.private"),
        pem!("test-p384.private"),
        pem!("test-ed25519.private"),
        "-----BEGIN EC PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\r\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
    ] {
        assert_eq!(refused(private), TokenKeyError::PrivateKey);
    }
    assert_eq!(refused(pem!("test-p256.certificate")), TokenKeyError::Certificate);
    let two = [pem!("test-p256.public"), pem!("test-p384.public")].concat();
    assert_eq!(refused(&two), TokenKeyError::SeveralKeys);
    assert_eq!(refused(pem!("test-rsa-1024.public")), TokenKeyError::RsaSize(1024));
    assert_eq!(refused(pem!("test-p521.public")), TokenKeyError::Unsupported);
    assert_eq!(refused(pem!("test-secp256k1.public")), TokenKeyError::Unsupported);
    assert_eq!(refused("-----BEGIN SSH2 PUBLIC KEY-----\n"), TokenKeyError::Unsupported);
}

#[test]
fn a_key_file_may_have_text_around_it() {
    let pem = pem!("test-ed25519.public");
    assert!(PublicKey::from_pem(format!("from the vault\n{pem}\n\n").as_bytes()).is_ok());
    assert!(PublicKey::from_pem(pem.replace('\n', "\r\n").as_bytes()).is_ok());
    assert!(PublicKey::from_pem(pem!("test-rsa.pkcs1").as_bytes()).is_ok());
}

#[test]
fn a_secret_is_as_long_as_its_hash() {
    let short = |found, needed, algorithm| TokenKeyError::SecretTooShort { found, needed, algorithm };
    let (hs256, hs384, hs512) = (HmacAlgorithm::Hs256, HmacAlgorithm::Hs384, HmacAlgorithm::Hs512);
    assert_eq!(HmacSecret::new(&"x".repeat(31)), Err(short(31, 32, hs256)));
    let least = HmacSecret::new(&"x".repeat(32)).unwrap();
    assert!(TokenKey::hmac(hs256, &least).is_ok());
    assert_eq!(TokenKey::hmac(hs384, &least).unwrap_err(), short(32, 48, hs384));
    assert_eq!(TokenKey::hmac(hs512, &least).unwrap_err(), short(32, 64, hs512));
    assert!(TokenKey::hmac(hs512, &HmacSecret::new(&"x".repeat(64)).unwrap()).is_ok());
    assert_eq!(
        short(31, 32, hs256).to_string(),
        "a secret for HS256 has at least 32 bytes, this one has 31; `openssl rand -hex 32` makes a good one"
    );
}

#[test]
fn a_key_file_is_not_a_secret() {
    for pem in [pem!("test-rsa.public"), pem!("test-p256.private"), pem!("test-p256.certificate")] {
        assert_eq!(HmacSecret::new(pem), Err(TokenKeyError::SecretIsPem));
    }
    assert_eq!(HmacSecret::new(&format!("{SECRET}\n")), Err(TokenKeyError::SecretPadded));
    assert_eq!(HmacSecret::new(&format!(" {SECRET}")), Err(TokenKeyError::SecretPadded));
}

#[test]
fn keys_are_never_printed() {
    let secret = HmacSecret::new(SECRET).unwrap();
    let key = TokenKey::hmac(HmacAlgorithm::Hs256, &secret).unwrap().with_id("2026-07");
    let public = PublicKey::from_pem(pem!("test-rsa.public").as_bytes()).unwrap();
    assert_eq!(
        format!("{secret:?} {key:?} {public:?}"),
        "HmacSecret(***) TokenKey { algorithm: HS256, id: Some(\"2026-07\"), .. } PublicKey(Rsa)"
    );
}

proptest! {
    #[test]
    fn no_file_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(PublicKey::from_pem(&bytes).is_err());
    }

    #[test]
    fn no_damage_to_a_key_file_panics(
        which in 0_usize..4, at in 0_usize..1000, with in "[A-Za-z0-9+/=\n-]{0,4}",
    ) {
        let pems =
            [pem!("test-rsa.public"), pem!("test-rsa.pkcs1"), pem!("test-p256.public"), pem!("test-ed25519.public")];
        let mut pem = pems[which].to_owned();
        let at = at % pem.len();
        pem.replace_range(at..=at, &with);
        let _ = PublicKey::from_pem(pem.as_bytes()).map_err(|error| error.to_string());
    }
}
