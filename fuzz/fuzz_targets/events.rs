//! No payload and no name of a publisher makes a line of a stream of plain HTTP that is not its own.
#![no_main]

use fanfare_core::{Attributes, Channel, Dialect, Epoch, Payload, PayloadKind, Position, Publication};
use fanfare_protocol::Events;
use libfuzzer_sys::fuzz_target;

/// A kind of payload, its bytes, a name of an event, a tag, and whether the publication is kept.
type Input<'a> = (u8, &'a [u8], Option<&'a str>, &'a str, bool);

fuzz_target!(|input: Input<'_>| {
    let (kind, bytes, event, tag, is_kept) = input;
    let kind = [PayloadKind::Text, PayloadKind::Binary][usize::from(kind % 2)];
    let Some(payload) = Payload::checked(kind, bytes.to_vec().into()) else { return };
    let tags = vec![(tag.to_owned(), tag.to_owned())];
    let attributes = Attributes { event: event.map(str::to_owned), tags, ..Attributes::default() };
    let position = is_kept.then_some(Position { epoch: Epoch(1), offset: 7 });
    let publication = Publication::new(Channel::new("a").unwrap(), payload, None)
        .with_attributes(Some(Box::new(attributes)))
        .at(position);
    for dialect in [Events::of_one(), Events::of_several()] {
        let message = dialect.publication(&publication);
        let block = std::str::from_utf8(message.bytes()).unwrap();
        let mut lines = block.strip_suffix("\n\n").unwrap().split('\n').peekable();
        assert!(!block.contains('\r'));
        assert_eq!(lines.next_if(|line| line.starts_with("id: ")).is_some(), is_kept);
        lines.next_if(|line| line.starts_with("event: ") && *line != "event: fanfare");
        assert!(lines.all(|line| line.starts_with("data: ")));
    }
    for dialect in [Events::lines(), Events::polls()] {
        let message = dialect.publication(&publication);
        let line = std::str::from_utf8(message.bytes()).unwrap();
        assert!(!line.contains(['\r', '\n']) && line.starts_with('{') && line.ends_with('}'));
        // A poll tells a notice by its first field.
        let fields = line.strip_prefix("{\"cursor\":\"").map_or(&line[1..], |rest| rest.split_once("\",").unwrap().1);
        assert!(fields.starts_with("\"channel\":\"a\""));
    }
});
