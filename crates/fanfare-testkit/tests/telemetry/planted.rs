//! Planted secrets, and a check that they do not come up.

use std::process::Output;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use fanfare_testkit::Answer;

/// The planted secrets, in every form in which they could come up.
#[derive(Debug, Default)]
pub(crate) struct Planted {
    forms: Vec<String>,
}

impl Planted {
    pub(crate) fn new(secrets: &[&str]) -> Self {
        let mut planted = Self::default();
        secrets.iter().for_each(|secret| planted.secret(secret));
        planted
    }

    /// Adds a secret, plain and in base64.
    fn secret(&mut self, secret: &str) {
        let encoded = [STANDARD_NO_PAD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
        self.forms.extend(encoded.into_iter().chain([secret.to_owned()]));
    }

    /// Adds a token: whole, and its claims and its signature alone. Its claims have planted words.
    pub(crate) fn secret_token(&mut self, token: &str) {
        self.secret(token);
        let parts = token.split('.').skip(1).filter(|part| part.len() > 10);
        self.forms.extend(parts.map(str::to_owned));
    }

    /// Checks that a text has no planted secret.
    #[track_caller]
    pub(crate) fn saw(&self, place: &str, text: &str) {
        for form in &self.forms {
            let line = text.lines().find(|line| line.contains(form.as_str()));
            assert!(line.is_none(), "{form} stands in {place}: {line:?}");
        }
    }

    #[track_caller]
    pub(crate) fn saw_answer(&self, path: &str, answer: &Answer) {
        let text = format!("{:?}\n{}", answer.headers, answer.text());
        self.saw(&format!("the answer {} of {path}", answer.status), &text);
    }

    /// Checks that a command failed with a message, and without a planted secret.
    #[track_caller]
    pub(crate) fn saw_failure(&self, what: &str, ended: &Output) {
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && !said.is_empty(), "{what}: {said}");
        self.saw(&format!("the errors of {what}"), &said);
        self.saw(&format!("the output of {what}"), &String::from_utf8_lossy(&ended.stdout));
    }
}
