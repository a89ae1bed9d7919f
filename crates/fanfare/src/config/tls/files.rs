//! The files of the listeners' TLS, read again while a node runs.

use super::{
    Contents, check, terms,
    words::{CA, CERT, KEY},
};
use crate::config::{
    Loaded, Mistake, Mistakes,
    auth::words::read,
    place::{Given, Sourced, Value},
    raw::Raw,
    shape::{Shape, Text},
};

impl Loaded {
    /// Reads the files.
    #[must_use]
    pub fn tls_contents(&self) -> Contents {
        self.raw.tls_files().into_iter().map(|path| read(path).ok()).collect()
    }

    /// The same configuration with the contents that the files have now.
    ///
    /// # Errors
    /// The mistakes in the files.
    pub fn reread_tls(&self) -> Result<Self, Mistakes> {
        let mut loaded = self.clone();
        let raw = &mut loaded.raw;
        let mut mistakes = Vec::new();
        reread("tls.cert", &CERT, &mut raw.tls_cert, &mut mistakes);
        reread("tls.key", &KEY, &mut raw.tls_key, &mut mistakes);
        reread("api.tls_cert", &CERT, &mut raw.api_tls_cert, &mut mistakes);
        reread("api.tls_key", &KEY, &mut raw.api_tls_key, &mut mistakes);
        reread("api.client_ca", &CA, &mut raw.api_client_ca, &mut mistakes);
        mistakes.extend(check(raw));
        Mistakes::none_in(mistakes)?;
        for listener in &mut loaded.config.listeners {
            listener.tls = terms(&loaded.raw, listener.role);
        }
        Ok(loaded)
    }
}

fn reread<T>(name: &str, shape: &Text<Option<T>>, file: &mut Sourced<Option<T>>, mistakes: &mut Vec<Mistake>)
where
    T: PartialEq,
{
    let path = (shape.show)(&file.value);
    let given = Given { value: Value::Text(path), place: file.place.clone() };
    match shape.parse(&given) {
        Ok(value) => file.value = value,
        Err(faults) => {
            file.sound = false;
            mistakes.extend(faults.into_iter().map(|fault| fault.at(name)));
        }
    }
}

impl Raw {
    fn tls_files(&self) -> Vec<&str> {
        let certs = [&self.tls_cert, &self.api_tls_cert, &self.api_client_ca];
        let keys = [&self.tls_key, &self.api_tls_key];
        let certs = certs.into_iter().filter_map(|file| file.value.as_ref()).map(|file| file.path.as_str());
        let keys = keys.into_iter().filter_map(|file| file.value.as_ref()).map(|file| file.path.as_str());
        certs.chain(keys).collect()
    }
}
