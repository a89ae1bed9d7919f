//! The message of `publish` and `broadcast`, and its options.

use fanfare_core::{Attributes, Channel, Payload, Publish, Taken};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::{
    call::{Call, LONGEST_KEY},
    data,
    error::ApiError,
};

/// Names and values, in the order of the body.
#[derive(Debug, Default)]
pub(super) struct Tags(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Tags;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags: Vec<(String, String)> = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    if tags.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom("a tag comes twice"));
                    }
                    tags.push((name, value));
                }
                Ok(Tags(tags))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// The fields of a message, as they came.
pub(super) struct Fields {
    pub(super) data: Option<Box<RawValue>>,
    pub(super) b64data: Option<String>,
    pub(super) skip_history: bool,
    pub(super) idempotency_key: Option<String>,
    pub(super) tags: Tags,
    pub(super) event: Option<String>,
}

/// A message for one channel or for several.
pub(super) struct Message {
    payload: Payload,
    attributes: Option<Box<Attributes>>,
    skip_history: bool,
}

impl Message {
    /// The message of these fields and of the call's header.
    ///
    /// # Errors
    /// A field is wrong, or the message is too large.
    pub(super) fn new(fields: Fields, call: &Call<'_>) -> Result<Self, ApiError> {
        let payload = data::payload(fields.data, fields.b64data)?;
        let allowed = call.gateway.hub.settings.message_bytes();
        if payload.len() > allowed {
            return Err(ApiError::TooLarge { found: payload.len(), allowed });
        }
        let attributes = Attributes {
            event: word("event", fields.event)?,
            tags: fields.tags.0,
            // The body's key counts before the header's.
            idempotency_key: word("idempotency_key", fields.idempotency_key)?
                .or_else(|| call.idempotency_key.clone()),
            ..Attributes::default()
        };
        let found = attributes.bytes();
        if found > Attributes::MAX_BYTES {
            return Err(ApiError::Attributes { found, allowed: Attributes::MAX_BYTES });
        }
        let attributes = (attributes != Attributes::default()).then(|| Box::new(attributes));
        Ok(Self { payload, attributes, skip_history: fields.skip_history })
    }

    /// Publishes it in a channel. Answered after the broker took it.
    pub(super) async fn publish(&self, channel: Channel, call: &Call<'_>) -> Result<Published, ApiError> {
        let publish =
            Publish { attributes: self.attributes.clone(), ..Publish::new(channel, self.payload.clone()) };
        let publisher = &call.gateway.hub.publisher;
        let taken = publisher.publish_from_server(publish, call.parent, self.skip_history).await?;
        Ok(Published::of(taken))
    }
}

/// An event or a key.
fn word(field: &str, text: Option<String>) -> Result<Option<String>, ApiError> {
    match text {
        Some(text) if text.is_empty() || text.len() > LONGEST_KEY => {
            let found = text.len();
            Err(ApiError::Field(format!("{field} has {found} bytes, and must have 1 to {LONGEST_KEY}")))
        }
        text => Ok(text),
    }
}

/// The result of a publish.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublishResult)]
pub(crate) struct Published {
    /// Its place in the history; absent where it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// The epoch of the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    /// Whether a publish with the same idempotency key was taken before: the position is that of the first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    duplicate: bool,
}

impl Published {
    pub(crate) fn of(taken: Taken) -> Self {
        Self {
            offset: taken.position.map(|position| position.offset),
            epoch: taken.position.map(|position| position.epoch.to_string()),
            duplicate: taken.duplicate,
        }
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::{Epoch, Position};

    use super::*;

    #[test]
    fn a_result_says_position_and_duplicate() {
        let says = |taken| serde_json::to_string(&Published::of(taken)).unwrap();
        assert_eq!(says(Taken::default()), "{}");
        let position = Some(Position { epoch: Epoch(0xab), offset: 7 });
        let taken = Taken { position, duplicate: true };
        assert_eq!(says(taken), r#"{"offset":7,"epoch":"00000000000000ab","duplicate":true}"#);
    }

    #[test]
    fn tags_are_strings_and_come_once() {
        let tags =
            |json| serde_json::from_str::<Tags>(json).map(|tags| tags.0).map_err(|error| error.to_string());
        assert_eq!(
            tags(r#"{"b":"1","a":"2"}"#).unwrap(),
            [("b".into(), "1".into()), ("a".into(), "2".into())]
        );
        assert!(tags(r#"{"b":1}"#).unwrap_err().contains("expected a string"));
        assert!(tags(r#"{"b":"","b":""}"#).unwrap_err().contains("twice"));
        assert!(tags("[]").unwrap_err().contains("an object of strings"));
    }
}
