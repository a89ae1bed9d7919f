use super::*;
use crate::config::tests::{load_file, places, readable};

fn tracing(file: &str) -> Option<Tracing> {
    load_file(&format!("[tracing]\n{file}")).unwrap().config.tracing
}

#[test]
fn without_an_endpoint_nothing_is_traced() {
    assert!(load_file("").unwrap().config.tracing.is_none());
    assert!(tracing("sample_ratio = 0.5\nendpoint = \"\"").is_none());
}

#[test]
fn http_adds_a_path_to_the_endpoint() {
    let sent_to = |endpoint: &str, protocol: &str| {
        let tracing = tracing(&format!("endpoint = \"{endpoint}\"\nprotocol = \"{protocol}\"")).unwrap();
        tracing.endpoint.for_traces(tracing.protocol)
    };
    for endpoint in ["http://collector:4317", "http://collector:4317/"] {
        assert_eq!(sent_to(endpoint, "grpc"), "http://collector:4317");
    }
    for endpoint in ["http://[::1]:4318", "http://[::1]:4318/", "http://[::1]:4318/v1/traces"] {
        assert_eq!(sent_to(endpoint, "http"), "http://[::1]:4318/v1/traces");
    }
    assert_eq!(sent_to("http://proxy/otlp/", "http"), "http://proxy/otlp/v1/traces");
}

#[test]
fn all_other_keys_are_read() {
    let file = "endpoint = \"http://h:1\"\nsample_ratio = 0.01\nservice_name = \"chat\"\n\
                headers = [\"x-key = a=b, c \", \"X-Tenant=2\"]";
    let Tracing { sample_ratio, service_name, headers, protocol, .. } = tracing(file).unwrap();
    assert_eq!((sample_ratio, service_name.as_str(), protocol), (0.01, "chat", TracingProtocol::Grpc));
    let headers: Vec<_> =
        headers.iter().map(|header| (header.name.as_str(), header.value.to_str().unwrap())).collect();
    assert_eq!(headers, [("x-key", "a=b, c"), ("x-tenant", "2")]);
    for (ratio, read) in [("0", 0.0), ("1", 1.0), ("1.0", 1.0), ("1e-3", 0.001), ("0.000_1", 0.000_1)] {
        let tracing = tracing(&format!("endpoint = \"http://h:1\"\nsample_ratio = {ratio}")).unwrap();
        assert!((tracing.sample_ratio - read).abs() < f64::EPSILON, "{ratio}");
    }
}

#[test]
fn shown_values_are_read_back() {
    let shown = load_file("[tracing]\nendpoint = \"http://h:1\"\nsample_ratio = 1e-7").unwrap();
    let again = load_file(&shown.show(false).to_string()).unwrap();
    let tracing = again.config.tracing.unwrap();
    assert_eq!(tracing.endpoint, shown.config.tracing.unwrap().endpoint);
    assert!((tracing.sample_ratio - 1e-7).abs() < f64::EPSILON);
    let masked = load_file("[tracing]\nheaders = [\"x-key=pl4nted\"]").unwrap().show(false).to_string();
    assert!(masked.contains("headers = [\"x-key=***\"]"), "{masked}");
    let mistakes = load_file(&masked).unwrap_err().to_string();
    assert!(mistakes.contains("write the value"), "{mistakes}");
}

#[test]
fn every_mistake_is_reported_at_its_line() {
    let file = "[tracing]\nendpoint = \"localhost:4317\"\nprotocol = \"htp\"\nsample_ratio = 5\n\
                service_name = \"\"\nheaders = [\"x-key pl4nted\", \"x key=pl4nted\"]\nratio = 0.5\n";
    let mistakes = load_file(file).unwrap_err();
    insta::assert_snapshot!(readable(&mistakes.to_string()));
    for (endpoint, words) in [
        ("https://h:4317", "without TLS"),
        ("grpc://h:4317", "tracing.protocol"),
        ("http://", "with its scheme"),
        ("http://me:pl4nted@h:4317", "tracing.headers"),
        ("http://h:4317?key=pl4nted", "nothing after"),
    ] {
        let mistakes = load_file(&format!("[tracing]\nendpoint = \"{endpoint}\"")).unwrap_err().to_string();
        assert!(mistakes.contains(words) && mistakes.contains(":2: tracing.endpoint"), "{mistakes}");
    }
    let no_toml = load_file("[tracing]\nsample_ratio = .5").unwrap_err().to_string();
    assert!(no_toml.contains("write 0.5"), "{no_toml}");
    let path = load_file("[tracing]\nendpoint = \"http://h:4318/otlp\"");
    assert_eq!(places(path), ["2 tracing.endpoint"]);
}
