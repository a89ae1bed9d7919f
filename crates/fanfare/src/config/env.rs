//! The environment as a source.

use std::{ffi::OsString, path::PathBuf};

use super::{
    declare::{Key, Layer},
    mistake::{Mistake, nearest},
    place::{Given, Place, Value},
    raw::Raw,
};

/// The variable that names the file. It is not a key, since a file cannot name itself.
pub(super) const FILE: &str = "FANFARE_CONFIG";

const PREFIX: &str = "FANFARE_";

/// The values of the environment. An empty variable counts as unset, as Compose files and shell scripts use it.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) file: Option<PathBuf>,
    pub(super) layer: Layer,
}

impl Environment {
    /// Reads every variable whose name begins with the prefix; an unknown one is a mistake.
    pub(super) fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let known: Vec<(String, &Key)> = Raw::KEYS.iter().map(|key| (key.variable(), key)).collect();
        let mut environment = Self::default();
        for (name, value) in variables {
            let name = name.to_string_lossy().into_owned();
            if !name.starts_with(PREFIX) || value.is_empty() {
                continue;
            }
            if name == FILE {
                environment.file = Some(value.into());
                continue;
            }
            let key = known.iter().find(|(variable, _)| *variable == name).map(|(_, key)| *key);
            match (key, value.into_string()) {
                (Some(key), Ok(value)) => {
                    let given = Given { value: Value::Word(value), place: Place::Environment(name) };
                    environment.layer.set(key, given);
                }
                (Some(key), Err(_)) => mistakes.push(Mistake {
                    place: Place::Environment(name),
                    key: key.path.into(),
                    found: "bytes that are not UTF-8".into(),
                    allowed: "UTF-8".into(),
                    hint: None,
                }),
                (None, Ok(value)) if is_of_kubernetes(&name, &value) => {}
                (None, _) => mistakes.push(unknown(name, &known)),
            }
        }
        environment
    }
}

fn unknown(name: String, known: &[(String, &Key)]) -> Mistake {
    let names = known.iter().map(|(variable, _)| variable.as_str()).chain([FILE]);
    // The long form of a short name: FANFARE_NODE__NAME.
    let same =
        known.iter().find(|(_, key)| key.long_variable() == name).map(|(variable, _)| variable.as_str());
    let hint = if name.starts_with("FANFARE_NAMESPACE") {
        Some("namespaces are in the file only, as [[namespace]]".into())
    } else {
        same.or_else(|| nearest(&name, names)).map(|name| format!("did you mean {name}?"))
    };
    Mistake {
        key: "unknown variable".into(),
        found: name.clone(),
        place: Place::Environment(name),
        allowed: format!("{PREFIX} and a key in capitals, with `__` after its section: FANFARE_LOG__LEVEL"),
        hint,
    }
}

/// Kubernetes sets such variables in every container for each Service (`docker run --link` did too), and a
/// Service named `fanfare` or `fanfare-redis` is likely: `FANFARE_SERVICE_HOST=10.0.0.1`,
/// `FANFARE_PORT=tcp://10.0.0.1:8080`, `FANFARE_REDIS_PORT_6379_TCP_ADDR=10.0.0.1`.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let of_port = ["_TCP_", "_UDP_", "_SCTP_"].iter().any(|protocol| name.contains(protocol));
    !name.contains("__")
        && (name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || (name.contains("_PORT") && (url || of_port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Environment, Vec<Mistake>) {
        let mut mistakes = Vec::new();
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        (Environment::read(variables, &mut mistakes), mistakes)
    }

    #[test]
    fn an_unknown_variable_gets_the_nearest_name() {
        let table = [
            ("FANFARE_LIMITS_MESSAGE_BYTES", "did you mean FANFARE_LIMITS__MESSAGE_BYTES?"),
            ("FANFARE_NODE__NAME", "did you mean FANFARE_NODE?"),
            ("FANFARE_LISTEM", "did you mean FANFARE_LISTEN?"),
            ("FANFARE_CONFG", "did you mean FANFARE_CONFIG?"),
            ("FANFARE_NAMESPACE__NAME", "namespaces are in the file only, as [[namespace]]"),
        ];
        for (name, hint) in table {
            let (_, mistakes) = read(&[(name, "x")]);
            let hints: Vec<_> = mistakes.iter().map(|mistake| mistake.hint.as_deref()).collect();
            assert_eq!(hints, [Some(hint)], "{name}");
        }
    }

    #[test]
    fn empty_and_foreign_variables_are_ignored() {
        let (environment, mistakes) =
            read(&[("PATH", "/bin"), ("FANFARE_LISTEM", ""), ("FANFARE_CONFIG", "")]);
        assert_eq!((environment.file, mistakes), (None, vec![]));
    }

    #[test]
    fn variables_of_kubernetes_are_ignored() {
        let (_, mistakes) = read(&[
            ("FANFARE_SERVICE_HOST", "10.0.0.1"),
            ("FANFARE_SERVICE_PORT", "8080"),
            ("FANFARE_SERVICE_PORT_HTTP", "8080"),
            ("FANFARE_PORT", "tcp://10.0.0.1:8080"),
            ("FANFARE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("FANFARE_PORT_8080_TCP_PROTO", "tcp"),
            ("FANFARE_REDIS_PORT_6379_TCP_ADDR", "10.0.0.1"),
        ]);
        assert_eq!(mistakes, vec![]);
        assert_eq!(read(&[("FANFARE_PORT", "9000")]).1.len(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_variable_must_be_utf8() {
        use std::os::unix::ffi::OsStringExt;
        let mut mistakes = Vec::new();
        let variables = [("FANFARE_NODE".into(), OsString::from_vec(vec![0xff]))];
        Environment::read(variables, &mut mistakes);
        assert_eq!(mistakes.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(), ["node.name"]);
    }
}
