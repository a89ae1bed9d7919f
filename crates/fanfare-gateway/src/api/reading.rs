//! Reads a part of a channel's history, for backends and for clients.
//!
//! Invariant: an answer has at most [`MOST`] publications, of at most [`MOST_BYTES`] (plus one message). An answer that
//! was cut for its bytes is shorter than its limit and ends before the channel's position: a next call goes on behind
//! it.

use fanfare_core::{Channel, Epoch, History, PayloadKind, Publication};
use fanfare_hub::part::{self, Bounds, Part, PartError};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{data, error::ApiError};

/// The most publications of an answer.
pub(super) const MOST: usize = Part::MOST;

/// The publications of an answer where the call does not say.
pub(super) const USUAL: usize = 100;

/// The most bytes of the publications of an answer.
pub(super) const MOST_BYTES: usize = 16 << 20;

/// The part of these fields.
///
/// # Errors
/// A field is wrong.
pub(super) fn part(
    limit: Option<u64>,
    since: Option<(u64, Option<Epoch>)>,
    reverse: bool,
) -> Result<Part, ApiError> {
    let limit = limit.map_or(Some(USUAL), |limit| usize::try_from(limit).ok());
    let Some(limit) = limit.filter(|limit| *limit <= MOST) else {
        return Err(ApiError::Field(format!("limit must be 0 to {MOST}: read further with `since`")));
    };
    // Nothing is before the first publication.
    let limit = if reverse && matches!(since, Some((0, _))) { 0 } else { limit };
    Ok(Part { limit, since, reverse })
}

/// A part of a history in an answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistoryResult)]
pub(crate) struct Told {
    /// The publications, the oldest first, or the newest first with `reverse`.
    publications: Vec<ToldPublication>,
    /// The offset of the channel's newest publication; 0 before the first.
    offset: u64,
    /// The epoch of the history.
    epoch: String,
}

/// A publication in an answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Publication)]
pub(crate) struct ToldPublication {
    /// Its place in the history.
    offset: u64,
    /// The message: text as a string, JSON as it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value, required = false)]
    data: Option<Box<RawValue>>,
    /// The message as bytes, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    b64data: Option<String>,
    /// The name of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// Names and values.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_object")]
    #[schema(value_type = HashMap<String, String>, required = false)]
    tags: Vec<(String, String)>,
}

fn as_object<S: Serializer>(tags: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(tags.len()))?;
    tags.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
    map.end()
}

impl ToldPublication {
    fn of(publication: &Publication) -> Self {
        let (data, b64data) = data::fields(&publication.payload);
        let attributes = publication.attributes.as_deref();
        Self {
            offset: offset(publication),
            data,
            b64data,
            event: attributes.and_then(|attributes| attributes.event.clone()),
            tags: attributes.map(|attributes| attributes.tags.clone()).unwrap_or_default(),
        }
    }
}

fn offset(publication: &Publication) -> u64 {
    publication.position.map_or(0, |position| position.offset)
}

/// The bytes that a publication takes in the answer, about.
fn bytes(publication: &Publication) -> usize {
    let attributes = publication.attributes.as_ref().map_or(0, |attributes| attributes.bytes());
    let payload = publication.payload.len();
    let encoded = if publication.payload.kind() == PayloadKind::Binary { payload / 3 * 4 } else { payload };
    encoded + attributes + 64
}

/// Reads a part of a history, in pages that are bounded even where each message has `message_bytes`.
///
/// # Errors
/// The history cannot be read, or began anew since the place that the part begins at.
pub(super) async fn read(
    history: &dyn History,
    channel: &Channel,
    part: Part,
    message_bytes: usize,
) -> Result<Told, ApiError> {
    let bounds = Bounds { bytes: MOST_BYTES, message_bytes, cost: bytes };
    let (top, publications) =
        part::read(history, channel, part, bounds).await.map_err(|error| match error {
            PartError::History(error) => error.into(),
            PartError::AnotherEpoch { now } => ApiError::AnotherEpoch { now },
        })?;
    let publications = publications.iter().map(|publication| ToldPublication::of(publication)).collect();
    Ok(Told { publications, offset: top.offset, epoch: top.epoch.to_string() })
}

#[cfg(test)]
mod tests {
    use fanfare_core::Payload;

    use super::*;
    use crate::api::testing::{EPOCH, Kept};

    async fn told(kept: &Kept, limit: u64, since: Option<u64>, reverse: bool) -> (Vec<u64>, u64) {
        let part = super::part(Some(limit), since.map(|offset| (offset, Some(EPOCH))), reverse).unwrap();
        let told = read(kept, &Channel::new("a").unwrap(), part, 1 << 20).await.unwrap();
        assert_eq!(told.epoch, EPOCH.to_string());
        (told.publications.iter().map(|publication| publication.offset).collect(), told.offset)
    }

    #[tokio::test]
    async fn a_part_is_read_in_both_directions() {
        let kept = Kept::default();
        (1..=50).for_each(|n| kept.push("a", Payload::text(n.to_string())));
        assert_eq!(told(&kept, 0, None, false).await, (vec![], 50));
        assert_eq!(told(&kept, 2, None, false).await, (vec![1, 2], 50));
        assert_eq!(told(&kept, 2, None, true).await, (vec![50, 49], 50));
        assert_eq!(told(&kept, 2, Some(48), false).await, (vec![49, 50], 50));
        assert_eq!(told(&kept, 2, Some(3), true).await, (vec![2, 1], 50));
        assert_eq!(told(&kept, 9, Some(60), false).await, (vec![], 50));
        // Pages of 16.
        assert_eq!(told(&kept, 40, None, false).await.0, (1..=40).collect::<Vec<_>>());
        assert_eq!(told(&kept, 99, None, true).await.0, (1..=50).rev().collect::<Vec<_>>());
        assert_eq!(told(&kept, 40, Some(20), false).await.0, (21..=50).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn an_answer_is_bounded_in_bytes() {
        let kept = Kept::default();
        (1..=50).for_each(|_| kept.push("a", Payload::text("x".repeat(1 << 20))));
        assert_eq!(told(&kept, 99, None, false).await, ((1..=15).collect(), 50));
        assert_eq!(told(&kept, 99, Some(15), false).await, ((16..=30).collect(), 50));
        assert_eq!(told(&kept, 99, None, true).await, ((36..=50).rev().collect(), 50));
    }

    #[tokio::test]
    async fn another_epoch_is_told() {
        let channel = Channel::new("a").unwrap();
        let read = async |epoch| {
            let part = super::part(None, Some((1, epoch)), false).unwrap();
            read(&Kept::default(), &channel, part, 1000).await.map_err(|error| error.to_string())
        };
        let error = read(Some(Epoch(1))).await.unwrap_err();
        assert!(error.contains(&format!("its epoch is {EPOCH}")), "{error}");
        assert!(read(None).await.is_ok());
    }

    #[test]
    fn a_part_is_bounded() {
        let wrong = |limit, since, reverse| super::part(limit, since, reverse).unwrap_err().to_string();
        assert_eq!(super::part(None, None, false).unwrap().limit, USUAL);
        assert_eq!(super::part(Some(10_000), None, true).unwrap().limit, 10_000);
        assert!(wrong(Some(10_001), None, false).contains("limit must be 0 to 10000"));
        assert!(wrong(Some(u64::MAX), None, false).contains("limit must be"));
        assert_eq!(super::part(None, Some((0, None)), true).unwrap().limit, 0);
    }
}
